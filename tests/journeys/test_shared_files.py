"""A file that sites share (a crt-list) and that somebody damaged: no site loses its lines by another's pass."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import Failed
from reconciler.execute.batches.switching.blocks import SharedFiles
from reconciler.model import fragments
from reconciler.model.changes import Reason
from reconciler.model.ports import Scope
from reconciler.observe import torn
from tests.journeys.stage import FULL, document, held
from tests.journeys.test_haproxy import AGAIN, Yard

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from reconciler.observe.view import TargetView
    from tests.journeys.stage import Stage
    from tests.servers.haproxy import Haproxy

ONE = Scope(sites=frozenset({"a"}))


@pytest.fixture(name="yard")
def _yard(stage: Stage, haproxy: Haproxy) -> Yard:
    """HAProxy runs with the certificates of `a`, `b` and `c`, and no runtime socket is named."""
    made = Yard(stage, haproxy)
    write(made)
    (haproxy.root / "haproxy.pid").write_text("")
    stage.apply()
    haproxy.start()
    stage.shift = timedelta(minutes=10)
    stage.settle()
    return made


def write(yard: Yard, *more: dict[str, object], a: Mapping[str, object] | None = None, **c: object) -> None:
    yard.write(yard.site("a", **(a or {})), yard.site("b"), yard.site("c", **c), *more, socket=None)


def listed(yard: Yard) -> Path:
    return yard.proxy.include / "crt-list.txt"


def test_a_comment_above_the_first_line_costs_nobody_its_lines(yard: Yard) -> None:
    before = listed(yard).read_text()
    listed(yard).write_text(f"# by hand\n{before}")
    write(yard, a=AGAIN)
    [change] = [one for one in yard.stage.diff(ONE).plan.changes if one.verb == "install" and one.files[0].before]
    assert change.files[0].before == change.files[0].after
    yard.stage.apply(ONE)
    assert listed(yard).read_text() == before
    yard.assert_served("a", "b", "c")
    yard.stage.settle()


def test_a_suspended_site_stays_in_a_list_whose_first_line_was_changed(yard: Yard) -> None:
    before = listed(yard).read_text()
    listed(yard).write_text(f"# by hand\n{before}")
    write(yard, suspend=True)
    yard.stage.apply()
    assert listed(yard).read_text() == before
    yard.assert_served("a", "b", "c")
    yard.stage.assert_calm()


@pytest.mark.parametrize("content", [None, "somebody's own\n"])
def test_a_list_that_is_gone_is_made_anew_for_all_or_for_nobody(yard: Yard, content: str | None) -> None:
    before, reloads = listed(yard).read_text(), yard.proxy.reloads
    listed(yard).unlink()
    if content is not None:
        listed(yard).write_text(content)
    write(yard, a=AGAIN)
    report = yard.stage.diff(ONE)
    hold = held(report)["a", "HandoverPending"]
    assert hold.failed
    assert "leaves out the lines of b, c" in hold.message
    assert all(change.verb != "install" for change in report.plan.changes)
    yard.stage.apply(ONE)
    assert listed(yard).exists() == (content is not None)
    assert yard.proxy.reloads == reloads
    yard.stage.settle()
    assert listed(yard).read_text() == before
    yard.assert_served("a", "b", "c")


def test_a_new_site_alone_does_not_make_a_list_that_is_gone(yard: Yard) -> None:
    listed(yard).unlink()
    write(yard, yard.site("d"))
    yard.stage.apply(Scope(sites=frozenset({"d"})))
    assert not listed(yard).exists()
    yard.stage.settle()
    yard.assert_served("a", "b", "c", "d")


def test_a_suspended_site_comes_back_with_a_list_that_is_gone(yard: Yard) -> None:
    before = listed(yard).read_text()
    for path in yard.proxy.include.iterdir():
        path.unlink()
    write(yard, a=AGAIN, suspend=True)
    assert ("install", "site/c") in {(one.verb, one.subject) for one in yard.stage.diff().plan.changes}
    yard.stage.apply()
    assert listed(yard).read_text() == before
    yard.assert_served("a", "b", "c")
    yard.stage.assert_calm()


def test_a_suspended_site_that_cannot_come_back_holds_the_list(yard: Yard) -> None:
    listed(yard).unlink()
    write(yard, a=AGAIN, suspend=True, hostnames=["other.example.com"])
    hold = held(yard.stage.diff())["a", "HandoverPending"]
    assert "the lines of c are not put back" in hold.message
    yard.stage.apply()
    assert not listed(yard).exists()
    write(yard, a=AGAIN)
    yard.stage.settle()
    yard.assert_served("a", "b", "c")


def test_lines_that_a_person_takes_out_of_a_suspended_site_stay_out(yard: Yard) -> None:
    text = listed(yard).read_text()
    listed(yard).write_text(text[: text.index("# site c")])
    write(yard, a=AGAIN, suspend=True)
    yard.stage.apply()
    assert "# site c" not in listed(yard).read_text()
    assert yard.served("a").fingerprint == yard.stage.live("a").facts.fingerprint


@pytest.mark.parametrize("content", ["", "\n", fragments.HEAD])
def test_a_list_without_a_line_takes_those_of_the_first_sites(stage: Stage, haproxy: Haproxy, content: str) -> None:
    yard = Yard(stage, haproxy)
    listed(yard).write_text(content)
    haproxy.start()
    write(yard)
    yard.stage.settle()
    yard.assert_served("a", "b", "c")


def test_a_list_that_was_made_for_the_server_stays_when_the_first_sites_are_put_back(
    stage: Stage, haproxy: Haproxy
) -> None:
    yard = Yard(stage, haproxy)
    listed(yard).write_text("")
    haproxy.start()
    yard.write(yard.site("a"), socket=None, test=["/bin/false"])
    yard.stage.apply()
    assert "a.pem" not in listed(yard).read_text()
    assert haproxy.test().returncode == 0


def test_an_emptied_list_that_nobody_remembers_is_made_anew(yard: Yard) -> None:
    before = listed(yard).read_text()
    listed(yard).write_text("")
    for record in (yard.stage.state / "inventory" / "web" / "sites").iterdir():
        record.unlink()
    yard.stage.settle()
    assert listed(yard).read_text() == before
    yard.assert_served("a", "b", "c")


def test_where_no_change_comes_about_the_server_is_not_reloaded(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: SharedFiles, path: str, _site: str, *, ours: bool) -> None:
        raise Failed(Reason.FOREIGN_FILE, f"{path} {ours}")

    reloads = yard.proxy.reloads
    write(yard, a=AGAIN)
    with monkeypatch.context() as changed:
        changed.setattr(SharedFiles, "block", refuse)
        outcomes = yard.stage.outcomes(yard.stage.apply())
    assert ("reload", "target/web", "skipped") in {one[:3] for one in outcomes}
    assert yard.proxy.reloads == reloads
    yard.stage.shift += timedelta(minutes=10)
    yard.stage.settle()
    yard.assert_served("a", "b", "c")


def test_two_targets_do_not_share_a_list(yard: Yard) -> None:
    before, reloads = listed(yard).read_text(), yard.proxy.reloads
    second = document("Target", "aa", haproxy_values(yard))
    write(yard, second, yard.site("d", targets=["aa"]), yard.site("e", targets=["aa"]))
    for scope in (Scope(sites=frozenset({"e"})), FULL):
        hold = held(yard.stage.diff(scope))["e", "PathRefused"]
        assert "on target web; give each target a directory of its own" in hold.message
        yard.stage.apply(scope)
        assert (listed(yard).read_text(), yard.proxy.reloads) == (before, reloads)
    yard.assert_served("a", "b", "c")
    # one whose former name is still declared gives all of it up in one pass
    yard.write(*(yard.site(name, targets=["aa"]) for name in "abcde"), second, socket=None)
    yard.stage.shift += timedelta(minutes=10)
    yard.stage.settle()
    yard.assert_served("a", "b", "c", "d", "e")


def test_of_two_new_targets_with_one_list_the_first_has_it(stage: Stage, haproxy: Haproxy) -> None:
    yard = Yard(stage, haproxy)
    second = document("Target", "zz", haproxy_values(yard))
    yard.write(yard.site("a"), yard.site("b", targets=["zz"]), second, socket=None)
    assert {hold.target for hold in stage.diff().plan.holds if hold.reason == "PathRefused"} == {"zz"}
    yard.stage.apply()
    assert "# site b" not in listed(yard).read_text()


def haproxy_values(yard: Yard) -> dict[str, object]:
    return {
        "type": "haproxy",
        "configDirectory": str(yard.proxy.include),
        "test": list(yard.proxy.test_argv),
        "reload": {"command": list(yard.proxy.reload_argv)},
        "verify": {"ports": [yard.proxy.port]},
    }


@pytest.mark.parametrize("mark_alone", [False, True])
@pytest.mark.parametrize("who", ["a", "n"])
def test_lines_that_are_gone_hold_a_pass_over_others(yard: Yard, who: str, *, mark_alone: bool) -> None:
    before, reloads = listed(yard).read_text(), yard.proxy.reloads
    listed(yard).write_text(without(before, "b", mark_alone=mark_alone))
    write(yard, *([yard.site("n")] if who == "n" else []), a=AGAIN if who == "a" else {})
    scope = Scope(sites=frozenset({who}))
    assert "leaves out the lines of b" in held(yard.stage.diff(scope))[who, "HandoverPending"].message
    yard.stage.apply(scope)
    assert yard.proxy.reloads == reloads
    yard.assert_served("b", "c")
    yard.stage.settle()
    assert listed(yard).read_text().startswith(before)
    yard.assert_served("a", "b", "c", *([who] if who == "n" else []))


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_lines_of_a_suspended_site_that_lack_their_mark_alone_stay(yard: Yard, name: str) -> None:
    before = listed(yard).read_text()
    listed(yard).write_text(without(before, name, mark_alone=True))
    yard.write(*(yard.site(one, **({"suspend": True} if one == name else {})) for one in "abc"), socket=None)
    yard.stage.apply()
    assert listed(yard).read_text() == before
    yard.assert_served("a", "b", "c")


def test_one_look_at_all_records_does_for_each_state_of_a_list(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    yard.stage.apply(ONE)
    listed(yard).write_text(listed(yard).read_text())
    looks: list[str] = []
    look = torn._missing

    def counted(view: TargetView, path: str, there: Collection[str]) -> set[str]:
        looks.append(path)
        return look(view, path, there)

    monkeypatch.setattr(torn, "_missing", counted)
    for _ in range(3):
        yard.stage.apply(ONE)
    assert looks == [str(listed(yard))]


def without(text: str, site: str, *, mark_alone: bool) -> str:
    block = fragments.blocks(text)[site]
    return text.replace(block, block.partition("\n")[2] if mark_alone else "")
