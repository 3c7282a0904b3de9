from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import nullcontext

import pytest

from reconciler.doors.templates.api import Job, Renderer, RenderError
from tests.builders import no_descriptors
from tests.servers.processes import alive, until

VHOST = """\
server {
    listen {{ address }}:{{ port }} ssl;
    server_name{% for name in hostnames %} {{ name }}{% endfor %};
    {% if values.extra is defined %}
    root {{ values.extra }};
    {% endif %}
}
"""


def one(renderer: Renderer, template: str, **variables: object) -> str | RenderError:
    return renderer.render([Job("test.j2", template, variables)])[0]


def child_id(renderer: Renderer) -> int | None:
    return renderer._child.pid if renderer._child else None


def test_a_template_is_rendered_with_its_own_text_untouched(renderer: Renderer) -> None:
    text = one(renderer, VHOST, address="192.0.2.1", port=443, hostnames=("a.example", "*.a.example"), values={})
    assert text == "server {\n    listen 192.0.2.1:443 ssl;\n    server_name a.example *.a.example;\n}\n"


def test_jobs_come_back_in_order_good_and_bad(renderer: Renderer) -> None:
    jobs = [Job("n", "{{ x }}", {"x": value}) for value in ("a", "b c", "d", "a")]
    first, second, third, fourth = renderer.render(jobs)
    assert (first, third, fourth) == ("a", "d", "a")
    assert isinstance(second, RenderError)
    assert renderer.render([]) == []


@pytest.mark.parametrize(
    ("template", "line", "reason"),
    [
        ("a\nb {{ nothing }}", 2, "'nothing' is undefined"),
        ("a\n\n{{ x.y }}", 3, "has no attribute 'y'"),
        ("a\n{% if %}", 2, "Expected an expression"),
        ("a\n{% if x %}", 2, "unexpected|Unexpected"),
        ("{{ x", 1, "unexpected|expected"),
        ("\n{{ x ~ ';' }}", 2, "';' is not among"),
        ("\n{{ none }}", 2, "no value"),
        ("\n\n{{ 1 / 0 }}", 3, "division by zero"),
        ("{% include 'a' %}", 1, "Include is not allowed"),
        ("{% import 'a' as a %}", 1, "Import is not allowed"),
        ("\n{% from 'a' import b %}", 2, "FromImport is not allowed"),
        ("{% extends 'a' %}", 1, "Extends is not allowed"),
        ("{% macro m(a) %}{{ a ~ ' ' }}{% endmacro %}\n{{ m(x) }}", 1, "' ' is not among"),
    ],
)
def test_an_error_names_template_line_and_reason(renderer: Renderer, template: str, line: int, reason: str) -> None:
    error = one(renderer, template, x="x")
    assert isinstance(error, RenderError)
    assert (error.template, error.line) == ("test.j2", line)
    assert any(part in error.reason for part in reason.split("|")), error.reason
    assert str(error).startswith(f"template test.j2:{error.line}: ")


def test_text_of_errors_is_clean(renderer: Renderer) -> None:
    error = one(renderer, "{{ x }}", x="\x1b[2J\u202e" * 200)
    assert isinstance(error, RenderError)
    assert error.reason.isprintable()
    assert len(error.reason) <= 500


def test_variables_are_copies_of_plain_values(renderer: Renderer) -> None:
    for wrong in (object(), {1, 2}, b"bytes", float("nan"), {(1, 2): 3}):
        error = one(renderer, "a", x=wrong)
        assert isinstance(error, RenderError)
        assert "variables" in error.reason
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert isinstance(one(renderer, "a", x=deep), RenderError)


def test_too_large_a_template_or_its_variables_are_refused(renderer: Renderer) -> None:
    assert isinstance(one(renderer, "a" * (1 << 20) + "a"), RenderError)
    assert isinstance(one(renderer, "a", x="a" * (1 << 20)), RenderError)


def test_what_is_known_is_not_rendered_again() -> None:
    renderer = Renderer()
    jobs = [Job("n", "{{ x }}", {"x": number}) for number in range(3)]
    first = renderer.render(jobs)
    renderer.close()
    assert child_id(renderer) is None
    assert renderer.render(jobs) == first == ["0", "1", "2"]
    assert child_id(renderer) is None, "all was in the cache, so no child was started"
    assert renderer.render([Job("n", "{{ x }}", {"x": 4})]) == ["4"]
    renderer.close()


def test_one_child_serves_all_and_a_dead_one_is_replaced() -> None:
    renderer = Renderer()
    assert child_id(renderer) is None
    assert one(renderer, "a") == "a"
    first = child_id(renderer)
    assert one(renderer, "c") == "c"
    assert child_id(renderer) == first
    assert renderer._child
    renderer._child.kill()
    renderer._child.wait()
    assert one(renderer, "b") == "b"
    assert child_id(renderer) != first
    renderer.close()


def test_a_child_that_cannot_start_fails_every_job_and_is_not_tried_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    renderer = Renderer()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    errors = renderer.render([Job("n", "{{ x }}", {"x": number}) for number in range(400)])
    assert all(isinstance(error, RenderError) and "cannot start" in error.reason for error in errors)
    monkeypatch.undo()
    assert one(renderer, "{{ x }}", x=1) == "1", "nothing of that is remembered"
    renderer.close()


@pytest.mark.parametrize("executable", ["/nowhere/python", ""])
def test_a_child_that_the_machine_does_not_give_us_is_told_and_tried_again(
    monkeypatch: pytest.MonkeyPatch, executable: str
) -> None:
    renderer = Renderer()
    with monkeypatch.context() as gone:
        if executable:
            gone.setattr(sys, "executable", executable)
        with nullcontext() if executable else no_descriptors():
            errors = renderer.render([Job("n", "{{ x }}", {"x": number}) for number in range(3)])
    words = "No such file or directory" if executable else "Too many open files"
    assert [str(error) for error in errors] == [f"template n: the render process cannot start: {words}"] * 3
    assert one(renderer, "a") == "a"
    renderer.close()


def test_threads_share_it_safely(renderer: Renderer) -> None:
    results: dict[int, list[str | RenderError]] = {}

    def work(number: int) -> None:
        jobs = [Job("n", "{{ a }}/{{ b }}", {"a": number, "b": step}) for step in range(200)]
        results[number] = renderer.render(jobs)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: [f"{number}/{step}" for step in range(200)] for number in range(8)}


def test_the_parent_never_loads_jinja2() -> None:
    code = (
        "import sys; from reconciler.doors.templates.api import Job, Renderer; r = Renderer();"
        "assert r.render([Job('n', '{{ 1 }}', {})]) == ['1']; r.close(); sys.exit('jinja2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_child_ends_with_its_parent() -> None:
    code = (
        "import os; from reconciler.doors.templates.api import Job, Renderer;"
        "r = Renderer(); r.render([Job('n', '', {})]);"
        "print(r._child.pid, flush=True); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20)
    pid = int(done.stdout)
    until(lambda: not alive(pid), "the render child ends with its parent", 10)


def test_thousands_of_jobs_take_one_child_and_little_time(renderer: Renderer) -> None:
    jobs = [
        Job("v", VHOST, {"address": "::1", "port": 443, "hostnames": [f"a{number}.example"], "values": {}})
        for number in range(3000)
    ]
    texts = renderer.render(jobs)
    assert [text for text in texts if isinstance(text, RenderError)] == []
    assert "a2999.example" in str(texts[2999])
