"""R10: a template escapes or eats the machine."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from reconciler.doors.templates.api import Job, Renderer, RenderError

LOOPS = "{% for a in range(99999) %}" * 3 + "{% endfor %}" * 3
ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ x['__class__'] }}",
    "{{ x|attr('__class__') }}",
    "{{ '{0.__class__}'.format(x) }}",
    "{{ ('{0.__class__}'|string).format(x) }}",
    "{{ self.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ range.__self__ }}",
    "{{ namespace.__init__ }}",
    "{{ [].append(1) }}",
    "{{ x.update({'a': 1}) }}",
    "{% set _ = hostnames.append('b') %}",
    "{% set _ = hostnames.clear() %}",
    "{{ lipsum() }}",
    "{{ hostnames|random }}",
    "{{ range(10000000)|length }}",
]


@pytest.mark.parametrize("template", ESCAPES)
def test_a_way_out_of_the_sandbox_is_an_error(renderer: Renderer, template: str) -> None:
    variables = {"x": {"a": "b"}, "hostnames": ["a.example"]}
    result = renderer.render([Job("t", template, variables)])[0]
    assert isinstance(result, RenderError), result


def test_a_template_that_loops_for_ever_is_given_up_after_three_texts() -> None:
    """Two hundred sites of it would keep a pass for a quarter of an hour; those who mended theirs are tried at once."""
    made, template = Renderer(), "{{ n }}{% if n %}" + LOOPS + "{% endif %}"
    try:
        results = made.render([Job("looping", template, {"n": number}) for number in range(1, 200)])
        assert made.render([Job("good", "x", {})]) == ["x"]
        again = made.render([Job("looping", template, {"n": number}) for number in range(200)])
        mended = made.render([Job("looping", template, {"n": 0})])
    finally:
        made.close()
    reasons = Counter(one.reason for one in results if isinstance(one, RenderError))
    assert sorted(reasons.values()) == [3, 196]
    assert all("not tried" in str(one) for one in results[3:])
    assert str(again[0]).endswith("took too long or too much memory")
    assert mended == ["0"]


def test_each_bomb_is_its_own_error_is_remembered_and_its_neighbours_live(renderer: Renderer) -> None:
    bombs = {
        "loops": LOOPS,
        "repeat": "{{ 'a' * 2 ** 31 }}",
        "power": "{{ 9 ** (9 ** 6) }}",
        "doubling": "{% set n = namespace(a='a' * 999) %}{% for i in range(60) %}{% set n.a = n.a ~ n.a %}{% endfor %}",
        "list": "{% set n = namespace(a=[1]) %}{% for i in range(60) %}{% set n.a = n.a + n.a %}{% endfor %}",
        "output": "{% for i in range(99999) %}" + "x" * 999 + "{% endfor %}",
        "nesting": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "blocks": "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
        "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    }
    jobs: list[Job] = []
    for name, template in bombs.items():
        jobs += [Job("good", "{{ x }}", {"x": f"before-{name}"}), Job(name, template, {})]
    jobs.append(Job("good", "{{ x }}", {"x": "last"}))
    results = renderer.render(jobs)
    assert [str(text) for text in results[0::2]] == [*(f"before-{name}" for name in bombs), "last"]
    assert [error.template for error in results[1::2] if isinstance(error, RenderError)] == list(bombs)
    # each is remembered: its five seconds are spent once
    renderer.close()
    assert renderer.render(jobs) == results
    assert renderer._child is None


def test_the_child_has_its_limits_and_nothing_of_ours(renderer: Renderer) -> None:
    assert renderer.render([Job("t", "{{ 1 }}", {"of_a_template": 1})]) == ["1"]
    assert renderer._child
    process = Path("/proc") / str(renderer._child.pid)
    limits = {line[:25].strip(): line[25:].split() for line in (process / "limits").read_text().splitlines()}
    assert limits["Max address space"][0] == str(512 << 20)
    assert int(limits["Max cpu time"][0]) <= 60
    assert limits["Max core file size"][:2] == ["0", "0"]
    assert limits["Max file size"][:2] == ["0", "0"]
    names = {entry.split("=")[0] for entry in (process / "environ").read_text().split("\0") if entry}
    assert names <= {"LANG", "PATH", "LC_CTYPE"}
    assert (process / "cwd").readlink() == Path("/")
    command = (process / "cmdline").read_text().split("\0")
    assert command[:2] == [sys.executable, "-I"]
    assert not [arg for arg in command if "of_a_template" in arg]


def test_the_child_starts_without_our_package() -> None:
    code = (
        "import sys, runpy; runpy.run_path(sys.argv[1]); sys.exit(any(m.startswith('reconciler') for m in sys.modules))"
    )
    child = Path(__file__).parents[2] / "reconciler" / "doors" / "templates" / "_render_child.py"
    assert subprocess.run([sys.executable, "-I", "-c", code, str(child)], check=False).returncode == 0
