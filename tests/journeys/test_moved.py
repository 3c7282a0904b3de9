"""A state directory that was copied to another machine: what is good is renewed there only when somebody says so."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.screen import Screen
from reconciler.cli.settings import Settings
from reconciler.cli.shared.scopes import begin
from reconciler.cli.start import start
from reconciler.model.changes import Reason
from reconciler.model.ports import Scope
from tests.journeys.stage import ca_site, copy_target, held, told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.journeys.stage import Stage


@pytest.fixture(name="machine")
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Be this machine from now on: a hex digit of its id, or None for one that has none."""

    def become(digit: str | None) -> None:
        path = tmp_path / "machine-id"
        path.write_text("uninitialized\n" if digit is None else f"{digit * 32}\n")
        monkeypatch.setattr("reconciler.store.source.MACHINE_ID", str(path))

    become("a")
    return become


@pytest.fixture(name="verb")
def _verb(stage: Stage, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Give exit code and output of a verb in this process."""

    def run(*words: str) -> tuple[int, str, str]:
        code = start(["-f", str(stage.manifests), "--state", str(stage.state), *words])
        return code, *capsys.readouterr()

    return run


def recorded(stage: Stage) -> str:
    return str(json.loads((stage.state / "source").read_text())["data"]["machine"])


def test_a_good_certificate_waits_for_accept_machine_and_the_rest_goes_on(
    stage: Stage, machine: Callable[[str | None], None], verb: Callable[..., tuple[int, str, str]]
) -> None:
    out = stage.root / "out"
    stage.write("target.yaml", copy_target(out))
    stage.write("sites.yaml", ca_site("one"), ca_site("two"))
    assert verb("apply")[0] == 0
    first, at_home = stage.live("one"), recorded(stage)
    machine("b")
    # nothing is wanted: nothing is held, and the machine is noted as it was
    code, _, notes = verb("apply")
    assert code == 0
    assert "this state was last used on another machine" in notes
    assert f" --state {stage.state} apply --accept-machine`" in notes, "as it may be typed"
    assert recorded(stage) == at_home
    # what is missing, drifted or asked for goes on; what is good stays as it is
    (out / "two.crt").write_text("drift\n")
    stage.write("sites.yaml", ca_site("one", "one.example.com", "more.example.com"), ca_site("two"), ca_site("new"))
    code, plan, _ = verb("diff")
    assert code == 1
    assert "MovedStore: the state directory was last used on another machine" in plan
    code, printed, _ = verb("apply")
    assert code == 1, "a person must say so"
    assert "MovedStore" in printed
    assert stage.live("one") == first
    assert stage.live("new").facts.hostnames == ("new.example.com",)
    assert (out / "two.crt").read_text() != "drift\n"
    code, printed, _ = verb("status")
    assert code == 1
    assert "apply --accept-machine" in printed
    assert "Next: stop certwright on the other machine" in verb("describe", "site", "one")[1]
    assert verb("wait", "site/one", "--for=condition=Moved", "--timeout=1s")[0] == 0
    assert verb("wait", "site/two", "--for=condition=Moved=False", "--timeout=1s")[0] == 0
    # a dry run accepts nothing
    assert verb("apply", "--dry-run", "--accept-machine")[0] == 2
    with stage.app() as app:  # as `run` begins
        assert begin(app, Settings(manifests=(str(stage.manifests),), state=str(stage.state)), Screen())
    assert "another machine" in verb("version")[2], "it tells of it"
    assert recorded(stage) == at_home
    code, _, notes = verb("apply", "--accept-machine")
    assert code == 0
    assert "another machine" not in notes
    assert recorded(stage) != at_home
    assert set(stage.live("one").facts.hostnames) == {"more.example.com", "one.example.com"}
    stage.assert_calm()
    assert verb("status")[0] == 0


def test_a_renewal_waits_until_a_sixth_is_left_and_then_goes_on_with_a_condition(
    stage: Stage, machine: Callable[[str | None], None], verb: Callable[..., tuple[int, str, str]]
) -> None:
    stage.write("target.yaml", copy_target(stage.root / "out"))
    stage.write("sites.yaml", ca_site("one"), ca_site("two"))
    assert verb("apply")[0] == 0
    first = stage.live("one")
    machine("b")
    life = first.facts.not_after - first.facts.not_before
    stage.shift = life * 3 / 4
    diff = stage.diff()
    hold = held(diff)["one", Reason.MOVED_STORE]
    assert told(diff) == []
    assert hold.until is not None
    assert abs(first.facts.not_after - hold.until - life / 6) < timedelta(seconds=2)
    assert diff.plan.due["one"] == hold.until, "a loop looks again then"
    stage.apply(Scope(frozenset({"one"})))
    assert stage.live("one") == first
    # asked for by name: a person knows what he does
    again = {"certwright/renewAt": "now"}
    stage.write("sites.yaml", ca_site("one"), ca_site("two", annotations=again))
    assert told(stage.diff(Scope(frozenset({"two"}))))[0] == ("issue", "site/two", "RequestedByUser")
    # the last sixth
    stage.shift = life * 6 / 7
    diff = stage.diff(Scope(frozenset({"one"})))
    assert told(diff)[0] == ("issue", "site/one", "RenewalDue")
    assert "is ordered all the same: the one in use ends at" in held(diff)["one", Reason.MOVED_STORE].message
    stage.apply()
    assert stage.live("one").id != first.id
    stage.assert_calm()


@pytest.mark.parametrize(("before", "after"), [(None, "b"), ("a", None), (None, None)])
def test_without_an_id_nobody_can_tell_and_nothing_is_held(
    stage: Stage,
    machine: Callable[[str | None], None],
    verb: Callable[..., tuple[int, str, str]],
    before: str | None,
    after: str | None,
) -> None:
    stage.write("target.yaml", copy_target(stage.root / "out"))
    stage.write("sites.yaml", ca_site("one"))
    machine(before)
    assert verb("apply")[0] == 0
    noted = recorded(stage)
    machine(after)
    stage.write("sites.yaml", ca_site("one", "one.example.com", "more.example.com"))
    code, _, notes = verb("apply")
    assert (code, "another machine" in notes) == (0, False)
    assert bool(recorded(stage)) == bool(before or after), "an id is noted where there is one, and never lost"
    assert not before or recorded(stage) == noted
