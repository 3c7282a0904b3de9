"""`rollback` as a person types it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.program import Program


def test_rollback_says_what_it_did_and_is_seen(program: Program) -> None:
    program.site("example")
    assert program("apply").returncode == 0
    [first] = program.json("get", "sites")["items"]
    assert program("rollback", "example").returncode == 2  # there is no earlier one
    assert program("renew", "example").returncode == 0
    wrong = program("rollback", "example", "nonsense")
    assert wrong.returncode == 2
    assert first["status"]["certificate"]["revision"] in wrong.stderr

    done = program("rollback", "example")
    assert done.returncode == 0, done.stderr
    assert "is in use again" in done.stderr
    assert f"`certwright {program.flags()} renew " in done.stderr
    [now] = program.json("get", "sites")["items"]
    assert now["status"]["certificate"] == first["status"]["certificate"]
    assert program("diff").returncode == 0
    program.site("example", "example.test", "more.test")
    assert program("diff").returncode == 1  # a changed spec ends it


def test_rollback_of_an_unknown_site_is_refused(program: Program) -> None:
    program.site("example")
    assert program("rollback", "exmple").returncode == 2
    assert program("rollback").returncode == 2
