"""`renew` beside another process that gets the certificate first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.cli.screen import Screen
from reconciler.cli.settings import Settings
from reconciler.cli.shared.converging import Run
from reconciler.cli.verbs.renew import ask_renewal
from reconciler.model.ports import Limits, Scope
from reconciler.wiring import App, Options, build

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from reconciler.model.changes import Plan
    from reconciler.model.outcomes import Outcome
    from reconciler.model.ports import Declared
    from tests.program import Program


def renewing(applied: Program, monkeypatch: pytest.MonkeyPatch, other: str) -> int:
    """Renew in this process; another one does `other` between our plan and our work."""
    execute = App.execute

    def late(app: App, plan: Plan, declared: Declared) -> Iterator[Outcome]:
        assert applied(other, "example", "-q").returncode == 0
        monkeypatch.setattr(App, "execute", execute)
        yield from app.execute(plan, declared)

    monkeypatch.setattr(App, "execute", late)
    app = build(Options(manifests=(str(applied.manifests),), state=str(applied.state), lock_timeout=30.0))
    settings = Settings((str(applied.manifests),), str(applied.state))
    scope = Scope(sites=frozenset({"example"}))
    run = Run(app, settings, Screen(settings), asked=ask_renewal(app, scope))
    code = run.converge(scope, Limits(reissues=1)).code()
    app.close()
    return code


def test_what_another_process_did_for_the_same_wish_is_done(
    applied: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = applied.json("get", "sites")["items"][0]["status"]["certificate"]["serial"]
    assert renewing(applied, monkeypatch, "apply") == 0
    told = capsys.readouterr()
    assert "site/example: done by another process\n" in told.out
    assert "done    issue site/example\n" in told.err
    assert "skipped issue" not in told.err
    assert applied.json("get", "sites")["items"][0]["status"]["certificate"]["serial"] != before


def test_what_another_process_did_for_another_wish_is_told_as_such(
    applied: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("reconciler.report.times.rfc3339", lambda _moment: "2026-01-01T00:00:00Z")
    renewing(applied, monkeypatch, "renew")
    told = capsys.readouterr()
    assert "done by another process" not in told.out
    assert "skipped issue site/example: NoLongerPlanned: another process changed the certificate" in told.err
