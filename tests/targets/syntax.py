"""Strings with syntax in them, and ways through a template."""

from __future__ import annotations

STRINGS = ["a\nb", "a;b", "a{b", "a}b", "a$b", "a'b", 'a"b', "a\\b", "a b", "a#b", "a\0b", "\uff41", "é"]
WAYS = [
    "{{ values.v }}",
    "{{ values.v | upper }}",
    "{{ [values.v, 'x'] | join('-') }}",
    "{{ 'x' ~ values.v }}",
    "{% macro m(t) %}{{ t }}{% endmacro %}{{ m(values.v) }}",
    "{% set t = values.v %}{{ t }}",
    "{% for c in [values.v] %}{{ c }}{% endfor %}",
    "{{ values.v | safe }}",
    "{{ '%s' | format(values.v) }}",
    "{{ values.v if true else 'x' }}",
    "{% filter upper %}{{ values.v }}{% endfilter %}",
]
