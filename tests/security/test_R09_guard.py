"""R9: the second wall. What an expression prints holds nothing that a server reads as syntax."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import nodes

from reconciler.doors.templates.api import Job, Renderer, RenderError
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
    "by a call block of text": "{% call '{0}'.format(x) %}{% endcall %}",
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
    "by a set block of a macro": "{% macro m(a) %}{{ a }}{% endmacro %}{% set y %}{{ m(x) }}{% endset %}{{ y }}",
    "by with": "{% with y = x %}{{ y }}{% endwith %}",
    "by print": "{% print x %}",
    "by an attribute": "{% set n = namespace(y=x) %}{{ n.y }}",
    "by a recursive loop": "{% for y in [x] recursive %}{{ y }}{{ loop([]) }}{% endfor %}",
    "by a block again": "{% block b scoped %}{% set y = x %}{{ y }}{% endblock %}{{ self.b() }}",
    "with escapes": "{% autoescape true %}{{ x|safe }}{% endautoescape %}",
    "with escapes that are not known": "{% autoescape nothing is defined %}{{ x|safe }}{% endautoescape %}",
    "by a cycle": "{{ cycler(x).next() }}",
    "by a format method": "{{ '{0}'.format(x) }}",
}
REFUSED = {way for way in WAYS if " filter" in way or " call block" in way}
# each statement of jinja2, and why what it prints cannot pass the guard by
JUDGED = {
    "is Output, which is guarded": {"Output"},
    "prints its parts": {"Block", "For", "If", "With", "Scope", "ScopedEvalContextModifier"},
    "prints nothing itself": {"Assign", "AssignBlock", "Macro"},
    "is refused": {"CallBlock", "FilterBlock", "Include", "Import", "FromImport", "Extends"},
    "is of an extension": {"ExprStmt", "Break", "Continue", "EvalContextModifier", "OverlayScope"},
}
SAFE = re.compile(r"[A-Za-z0-9._/@:+*-]*")


@pytest.mark.parametrize("way", WAYS)
def test_no_hostile_text_leaves(renderer: Renderer, way: str) -> None:
    results = renderer.render([Job("t", f"begin {WAYS[way]} end;\n", {"x": text}) for text in HOSTILE])
    assert [result for result in results if not isinstance(result, RenderError)] == []


@pytest.mark.parametrize(
    "way",
    [way for way in WAYS if "as a" not in way and way != "as JSON" and way not in REFUSED],
)
def test_harmless_text_leaves_the_same_ways(renderer: Renderer, way: str) -> None:
    result = renderer.render([Job("t", f"begin {WAYS[way]} end;\n", {"x": "*.shop-1.example:443/@+_"})])[0]
    assert "*.shop-1.example:443/@+_" in str(result)
    assert not isinstance(result, RenderError)


@pytest.mark.parametrize("way", sorted(REFUSED - {"by a filtered set"}))
def test_blocks_that_print_unguarded_are_refused_whatever_they_print(renderer: Renderer, way: str) -> None:
    result = renderer.render([Job("t", WAYS[way], {"x": "a"})])[0]
    assert isinstance(result, RenderError)
    assert "is not allowed in templates here" in result.reason


def test_every_statement_of_jinja_is_judged() -> None:
    assert set().union(*JUDGED.values()) == {kind.__name__ for kind in _below(nodes.Stmt)}


def _below(kind: type[nodes.Node]) -> Iterator[type[nodes.Node]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


@pytest.mark.parametrize("tag", ["trans", "do", "break", "continue", "debug"])
def test_no_extension_is_there(renderer: Renderer, tag: str) -> None:
    result = renderer.render([Job("t", f"{{% {tag} x %}}", {"x": "a"})])[0]
    assert isinstance(result, RenderError)
    assert "unknown tag" in result.reason


def test_of_several_words_in_one_expression_it_is_told_how_they_are_printed(renderer: Renderer) -> None:
    names = {"x": ["a.example.com", "b.example.com"]}
    refused, printed = renderer.render(
        [Job("t", "{{ x | join(' ') }}", names), Job("t", "{% for name in x %}{{ name }} {% endfor %}", names)]
    )
    assert isinstance(refused, RenderError)
    assert "{% for x in LIST %}{{ x }} {% endfor %}" in refused.reason
    assert printed == "a.example.com b.example.com "


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
