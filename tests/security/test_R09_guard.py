"""R9: the second wall. What an expression prints holds nothing that a server reads as syntax."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.doors.templates import Job, Renderer, RenderError
from tests.servers.processes import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = [
    "a\nload_module /tmp/x.so",
    "a;b",
    "a{b",
    "a}b",
    "$host",
    "a'b",
    'a"b',
    "a\\b",
    "a b",
    "a#b",
    "a\0b",
    "ａ；ｂ",  # noqa: RUF001  the full-width letters are the point
    "a\u2028b\r",
]
WAYS = {
    "plainly": "{{ x }}",
    "in a word": "a{{ x }}b",
    "by join": "{{ ['a', x]|join }}",
    "by concatenation": "{{ 'a' ~ x }}",
    "by a macro": "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x) }}",
    "by a call block": "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{{ x }}{% endcall %}",
    "by set": "{% set y = x %}{{ y }}",
    "by a set block": "{% set y %}{{ x }}{% endset %}{{ y }}",
    "by a loop": "{% for y in [x] %}{{ y }}{% endfor %}",
    "by letters": "{% for y in x %}{{ y }}{% endfor %}",
    "by a block": "{% block b scoped %}{{ x }}{% endblock %}",
    "as safe": "{{ x|safe }}",
    "by format": "{{ '%s'|format(x) }}",
    "by replace": "{{ 'a'|replace('a', x) }}",
    "as a list": "{{ [x] }}",
    "as a mapping": "{{ {'a': x} }}",
    "as JSON": "{{ x|tojson }}",
    "by default": "{{ nothing|default(x) }}",
    "by a condition": "{{ x if true else 'a' }}",
    "by a filter block": "{% filter replace('a', x) %}a{% endfilter %}",
    "by a filtered set": "{% set y | replace('a', x) %}a{% endset %}{{ y }}",
}
SAFE = re.compile(r"[A-Za-z0-9._/@:+*-]*")


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    made = Renderer()
    yield made
    made.close()


@pytest.mark.parametrize("way", WAYS)
def test_no_hostile_text_leaves(renderer: Renderer, way: str) -> None:
    results = renderer.render([Job("t", f"begin {WAYS[way]} end;\n", {"x": text}) for text in HOSTILE])
    assert [result for result in results if not isinstance(result, RenderError)] == []


@pytest.mark.parametrize(
    "way",
    [way for way in WAYS if "as a" not in way and way not in {"as JSON", "by a filter block", "by a filtered set"}],
)
def test_harmless_text_leaves_the_same_ways(renderer: Renderer, way: str) -> None:
    result = renderer.render([Job("t", f"begin {WAYS[way]} end;\n", {"x": "*.shop-1.example:443/@+_"})])[0]
    assert "*.shop-1.example:443/@+_" in str(result)
    assert not isinstance(result, RenderError)


def test_the_templates_own_text_passes_unguarded(renderer: Renderer) -> None:
    own = "#!\t{ } ; $ ' \" \\ ü ａ\n"  # noqa: RUF001  the full-width letter is the point
    assert renderer.render([Job("t", own, {})]) == [own]


def test_nginx_reads_every_allowed_character_as_part_of_one_word(renderer: Renderer, tmp_path: Path) -> None:
    allowed = "".join(char for char in map(chr, range(128)) if SAFE.fullmatch(char))
    template = """\
        daemon off; pid {{ here }}/pid; error_log {{ here }}/log; events { }
        http { access_log off; map $uri $found { default {{ x }}; } server { listen 127.0.0.1:1; root /a{{ x }}; } }
    """
    config = renderer.render([Job("t", template, {"here": str(tmp_path), "x": allowed})])[0]
    assert isinstance(config, str)
    (tmp_path / "nginx.conf").write_text(config)
    command = [program("nginx"), "-T", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-e", "stderr"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    assert f"root /a{allowed};" in done.stdout


@given(st.text(max_size=50), st.sampled_from(sorted(WAYS)))
@settings(deadline=None)
def test_any_text_is_refused_or_cannot_be_syntax(renderer: Renderer, text: str, way: str) -> None:
    result = renderer.render([Job("t", "<" + WAYS[way] + ">", {"x": text})])[0]
    if isinstance(result, str):
        assert SAFE.fullmatch(result[1:-1])
