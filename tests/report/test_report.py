"""Conditions, JSON, text: tables over a small world."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import Problem
from reconciler.model.changes import Change, Hold, Plan, PlannedFile, Reason, Verb
from reconciler.model.names import Part, Switch
from reconciler.model.observed import (
    BrokenRevision,
    Failures,
    FileChange,
    FileFact,
    Inventory,
    LastFailure,
    Memory,
    NoRevision,
    ObservedSite,
    OnTarget,
    PortSeen,
    Served,
)
from reconciler.model.outcomes import Condition, Outcome, Status
from reconciler.report.cells import condition
from reconciler.report.conditions import conditions
from reconciler.report.describe_text import describe_text
from reconciler.report.exit_code import exit_code, exit_code_of_diff
from reconciler.report.plan_json import plan_json
from reconciler.report.plan_markdown import fenced, plan_markdown
from reconciler.report.plan_text import plan_text
from reconciler.report.reasons import SENTENCES, next_step
from reconciler.report.rows import KINDS, rows_text
from reconciler.report.site_json import site_item
from reconciler.report.status_text import grade, status_text
from reconciler.report.times import human
from reconciler.report.waits import ASKED_FOR, BY_HAND, NOBODYS, NOT_YET, PERSONS
from tests.plan.world import COPY, DAY, LE, NOW, PLAIN, WEB, Small, declared, revision, site

if TYPE_CHECKING:
    from reconciler.model.desired import DesiredSite

A = site("a", issuers=(LE,), targets=(WEB,))
GOOD = revision(A)
LOADED = OnTarget("web", inventory=Inventory("a", loaded="r1"))
SERVED = Served("web", "r1", NOW, (PortSeen(443, GOOD.facts.fingerprint, "Served"),), ok=True)


def _seen(served: Served | None = SERVED, on: OnTarget = LOADED, **more: object) -> ObservedSite:
    memory = Memory(served={"web": served} if served else {})
    made = ObservedSite("a", GOOD, memory=memory, on={"web": on})
    return replace(made, **more)  # type: ignore[arg-type]


OFF = replace(WEB, verify=replace(WEB.verify, mode=Switch.WARN))
CREATE = OnTarget("web", (FileFact("/x", Part.CONFIG, FileChange.CREATE),))
DRIFT = replace(LOADED, files=(FileFact("/x", Part.CONFIG, FileChange.RESTORE),))
MORE = site("a", issuers=(LE,), targets=(replace(WEB, verify=replace(WEB.verify, ports=(443, 8443))),))
OTHER = site("a", issuers=(LE,), targets=(replace(WEB, verify=replace(WEB.verify, ports=(8443,))),))
BAD = replace(SERVED, ok=False, ports=(PortSeen(443, None, "NothingListens", "connection refused"),))


@pytest.mark.parametrize(
    ("desired", "observed", "ready", "reason"),
    [
        (A, _seen(), "True", "Served"),
        (A, _seen(None), "False", "NotYetSeen"),
        (A, _seen(replace(SERVED, revision="r0")), "False", "NotYetSeen"),
        (A, _seen(BAD), "False", "NothingListens"),
        (MORE, _seen(), "False", "NotYetSeen"),
        (MORE, _seen(BAD), "False", "NothingListens"),
        (OTHER, _seen(), "False", "NotYetSeen"),
        (OTHER, _seen(BAD), "False", "NotYetSeen"),
        (A, _seen(on=CREATE), "False", "NotInstalled"),
        (A, _seen(on=DRIFT), "False", "Drifted"),
        (A, _seen(on=replace(LOADED, inventory=Inventory("a", loaded="r0"))), "False", "NotLoaded"),
        (site("a", issuers=(LE,), targets=(OFF,)), _seen(None), "True", "Installed"),
        (site("a", issuers=(LE,), targets=(PLAIN,)), _seen(None, on=OnTarget("plain")), "True", "Installed"),
        (site("a", issuers=(LE,)), _seen(), "True", "Issued"),
        (A, _seen(live=NoRevision()), "False", "Missing"),
        (A, _seen(live=BrokenRevision("r1", "Corrupt", "x")), "False", "Corrupt"),
        (A, _seen(live=revision(A, placeholder=True)), "False", "Placeholder"),
        (A, _seen(live=revision(A, start=NOW - 91 * DAY)), "False", "Expired"),
        (site("a", "b.c", issuers=(LE,)), _seen(), "False", "HostnamesDiffer"),
    ],
)
def test_ready(desired: DesiredSite, observed: ObservedSite, ready: str, reason: str) -> None:
    found = conditions(desired, observed, NOW)
    assert [one.type for one in found] == ["Ready", "Issued", "Covered", "Installed", "Served"]
    assert (found[0].status, str(found[0].reason)) == (ready, reason)


def test_hold_gives_the_reason_and_stalled_only_where_nothing_we_do_helps() -> None:
    until = Hold(Reason.BACKOFF, "3 attempts failed", site="a", until=NOW + DAY, failed=True)
    found = conditions(A, _seen(live=NoRevision()), NOW, (until, replace(until, site="b", reason=Reason.STALLED)))
    assert (found[0].reason, len(found)) == (Reason.BACKOFF, 5)
    stalled = Hold(Reason.ACCOUNT_MISSING, "gone", site="a", ends_when="it is back", failed=True)
    assert conditions(A, _seen(live=NoRevision()), NOW, (stalled,))[-1].type == "Stalled"


@pytest.mark.parametrize(
    ("observed", "reason"),
    [
        (_seen(live=revision(A, hostnames=("b.c",))), "Suspended"),
        (_seen(on=CREATE), "Suspended"),
        (_seen(on=replace(LOADED, files=(FileFact("/x", Part.CONFIG, FileChange.UPDATE),))), "Suspended"),
        (_seen(on=replace(LOADED, inventory=Inventory("a", loaded="r0"))), "Suspended"),
        (_seen(None), "Suspended"),
        (_seen(BAD), "NothingListens"),
    ],
)
def test_a_suspended_site_is_told_as_such_whatever_it_waits_for(observed: ObservedSite, reason: str) -> None:
    hold = Hold(Reason.SUSPENDED, "changes are wanted", site="a", ends_when="`suspend` is taken out of the Site")
    assert conditions(A, observed, NOW, (hold,))[0].reason == reason
    item = site_item(replace(A, suspend=True), observed, NOW, (hold,))
    item["status"]["failures"] = {"count": 2, "last": {"reason": "ChallengeFailed"}}
    assert grade(item) == ("waiting" if reason == "Suspended" else "failing")


def test_item_is_as_documented_and_keeps_transition_times() -> None:
    last = LastFailure(NOW, "Refused", "no", hostname="a.b", type="urn:x")
    memory = Memory(failures={"issue": Failures(ca=2, next_attempt=NOW + DAY, last=last)}, served={"web": SERVED})
    item = site_item(A, _seen(memory=memory), NOW)
    status = item["status"]
    assert list(item) == ["apiVersion", "kind", "metadata", "spec", "status"]
    assert set(status) == {
        *("specDigest", "observedSpecDigest", "conditions", "certificate", "renewal", "targets", "holds", "failures"),
        *("missingHostnames", "handled"),
    }
    assert set(status["certificate"]) == {
        *("revision", "serial", "fingerprint", "notBefore", "notAfter", "hostnames", "keyType", "issuer", "profile"),
        *("account", "challenges", "placeholder"),
    }
    assert status["failures"]["count"] == 2
    assert status["targets"] == [
        {"name": "web", "installed": True, "served": [{"port": 443, "fingerprint": GOOD.facts.fingerprint}]}
    ]
    again = site_item(A, _seen(BAD), NOW + DAY, (), item)
    times = {one["type"]: one["lastTransitionTime"] for one in again["status"]["conditions"]}
    assert times["Issued"] == "2026-03-01T12:00:00Z"
    assert times["Ready"] == "2026-03-02T12:00:00Z"
    json.dumps([item, again])


def test_what_failed_of_another_spec_is_told_no_more() -> None:
    last = LastFailure(NOW, "RejectedByServer", "no")
    memory = Memory(failures={"target/web": Failures(local=1, last=last, digest="another")}, served={"web": SERVED})
    item = site_item(A, _seen(memory=memory), NOW)
    assert (item["status"]["failures"]["count"], grade(item)) == (0, "ready")
    own = replace(memory.failures["target/web"], digest=A.digest)
    assert grade(site_item(A, _seen(memory=replace(memory, failures={"target/web": own})), NOW)) == "failing"


KEY = PlannedFile("/x.key", Part.KEY, FileChange.UPDATE, "SECRET-BEFORE", "SECRET-AFTER")
CONF = PlannedFile("/x.conf", Part.CONFIG, FileChange.UPDATE, "one\ntwo\n", "one\n```\x1b[31m\n")
INSTALL = Change(Verb.INSTALL, "site/a", Reason.DRIFTED, "m", site="a", target="web", files=(KEY, CONF))
HOLD = Hold(Reason.BACKOFF, "@all `x`", site="a", until=NOW + 2 * DAY, failed=True)
PLAN = Plan((INSTALL,), (HOLD,))


def test_key_material_is_in_no_output_and_control_codes_are_not_either() -> None:
    outputs = (plan_text(PLAN, NOW), plan_markdown(PLAN, NOW), json.dumps(plan_json(PLAN)))
    for text in outputs:
        assert "SECRET" not in text
        assert "\x1b" not in text
    assert "content differs" in outputs[0]
    assert "-two" in outputs[0]
    assert "until 2026-03-03T12:00:00Z (in 2 d)" in outputs[0]
    assert "next: mend the cause, then: certwright retry a" in outputs[0]


def test_markdown_cannot_be_left_by_backticks() -> None:
    text = fenced("a\n````\n@all <script>")
    assert text.startswith("`````\n")
    assert text.endswith("\n`````\n")
    assert "@all" not in plan_markdown(PLAN, NOW).split("```")[0]


def test_plan_json_is_as_documented() -> None:
    small = Small(declared(site("a", issuers=(LE,), targets=(COPY,))))
    plan = small.plan()
    item = plan_json(plan, (Problem("f.yaml", 7, 3, "wrong"),))
    issue = next(change for change in item["changes"] if change["verb"] == "issue")
    assert issue["hostnames"] == {"added": ["a.example.com"], "removed": []}
    assert issue["cost"] == {"newOrders": 1}
    assert issue["challenges"] == {"a.example.com": {"method": "http", "type": "http-01"}}
    assert item["errors"] == [{"file": "f.yaml", "line": 7, "column": 3, "message": "wrong"}]
    assert item["digest"] == plan.digest
    done = plan_json(plan, (), [Outcome(plan.changes[0], Status.DONE)])
    assert done["changes"][0]["outcome"]["status"] == "done"
    assert done["changes"][1]["outcome"] is None


def test_the_same_change_of_many_sites_is_told_once() -> None:
    small = Small(declared(*(site(f"site{number}", targets=(COPY,)) for number in range(1000))))
    text = plan_text(small.plan(), NOW)
    assert "install 1,000 sites on copy: the same change (NotInstalled)" in text
    assert "issue 1,000 sites by ca: the same change (Missing)" in text
    assert "plan: 1,000 to issue, 1,000 to install, 1 to reload." in text
    assert len(text.splitlines()) < 40


def test_cost_and_summary_lines() -> None:
    text = plan_text(Small(declared(site("a", issuers=(LE,)))).plan(), NOW)
    assert "cost: 1 new order at le" in text
    assert plan_text(Plan(), NOW) == "no changes: everything is as declared.\n"


def test_every_reason_is_documented() -> None:
    assert set(SENTENCES) == {reason.value for reason in Reason}
    assert all(sentence.endswith(".") for sentence in SENTENCES.values())
    assert next_step("TooManyRemovals", count=4) == "certwright apply --allow-removals 4"
    assert next_step("RateLimited") is None


def _item(name: str, **more: object) -> dict[str, object]:
    desired = site(name, issuers=(LE,), targets=(WEB,))
    return json.loads(json.dumps(site_item(desired, replace(_seen(), **more), NOW)))  # type: ignore[no-any-return, arg-type]


def test_rows_of_sites_are_the_contract() -> None:
    text = rows_text("sites", [_item("a"), _item("bad", live=NoRevision())], NOW)
    assert text.splitlines()[0].split() == ["NAME", "READY", "REASON", "HOSTNAMES", "ISSUER", "EXPIRES", "RENEWS"]
    assert text.splitlines()[1].split()[:5] == ["a", "True", "Served", "a.example.com", "le"]
    assert "in 90 d" in text


MESSAGE = (
    "the manifest is not valid; the last good meaning is kept: /etc/certwright/manifests/a.yaml:7:3: no such field"
)


@pytest.mark.parametrize(
    ("width", "end"), [(None, "no such field"), (500, "no such field"), (80, "a.yaml:7:3…"), (160, "a.yaml:7:3: no s…")]
)
def test_a_message_is_cut_by_the_terminal_alone_and_behind_its_place(width: int | None, end: str) -> None:
    hold = {"site": "a", "reason": "InvalidManifest", "endsWhen": "the manifest is mended", "message": MESSAGE}
    head, row = rows_text("holds", [hold], NOW, width=width).splitlines()
    assert head.split() == ["SITE", "TARGET", "REASON", "ENDS", "MESSAGE"]
    assert row.endswith(end)
    assert "the manifest is mended   the manifest is not valid" in row


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("item", [{}, {"metadata": 3, "status": [], "spec": None}, {"metadata": {"name": "x\x1b"}}])
def test_rows_survive_any_item(kind: str, item: dict[str, object]) -> None:
    assert "\x1b" not in rows_text(kind, [item], NOW)
    assert "\x1b" not in status_text([item], NOW)
    assert "\x1b" not in describe_text(item, NOW)


def test_status_counts_and_lists_the_worst_with_the_next_step() -> None:
    broken = [_item(f"s{number}", live=BrokenRevision("r", "Corrupt", "x")) for number in range(12)]
    text = status_text([_item("a"), _item("new", live=NoRevision()), *broken], NOW, "/etc/certwright")
    assert "14 sites: 1 ready, 1 waiting, 12 failing" in text
    assert len(text.splitlines()) == 2 + 1 + 1 + 10
    assert "certwright apply s0" in text


def test_status_tells_of_a_good_certificate_whose_renewal_fails() -> None:
    item = _item("a")
    assert "1 site: 1 ready, 0 waiting, 0 failing" in status_text([item], NOW)
    item["status"]["failures"] = {"count": 2, "last": {"reason": "ChallengeFailed"}}  # type: ignore[index]
    text = status_text([item], NOW)
    assert "1 site: 0 ready, 0 waiting, 1 failing" in text
    assert "ChallengeFailed" in text
    assert "certwright retry a" in text


def test_a_site_whose_manifest_is_broken_is_not_ready_and_status_tells_where() -> None:
    """The certificate is good and served; that nothing which is changed in the manifest will come to be is not."""
    message = "the manifest is not valid; the last good meaning is kept: /m/a.yaml:7:3: no such field"
    hold = Hold(Reason.INVALID_MANIFEST, message, site="a", ends_when="the manifest is valid", failed=True)
    item = site_item(A, _seen(), NOW, (hold,))
    text = status_text([item, _item("a")], NOW)
    ready = condition(item, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "InvalidManifest")
    assert {condition(item, kind)["status"] for kind in ("Issued", "Covered", "Installed", "Served")} == {"True"}
    assert "2 sites: 1 ready, 0 waiting, 1 failing" in text
    assert f"held for site/a: InvalidManifest: {message}\n  ends when the manifest is valid\n  next: mend" in text
    assert text.splitlines()[-1].startswith("a      InvalidManifest   in 90 d   -             mend the manifest")


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("reason", Reason)
def test_a_hold_that_fails_a_command_fails_a_ready_site_in_status_too(reason: Reason, failed: bool) -> None:  # noqa: FBT001
    hold = Hold(reason, "x", site="a", failed=failed)
    item = site_item(A, _seen(), NOW, (hold,))
    item["status"]["conditions"][0]["status"] = "True"
    assert (grade(item) == "failing") == (exit_code([hold]) == 1), grade(item)


def test_describe_shows_all_sections() -> None:
    text = describe_text(_item("a"), NOW, origins={"issuers": "a.yaml:7"}, events=[{"at": "x", "reason": "R"}])
    for word in ("Spec:", "Conditions:", "Certificate:", "Targets:", "Events:", "a.yaml:7"):
        assert word in text


def test_get_and_status_need_no_model() -> None:
    names = "rows, status_text, describe_text, reasons"
    code = (
        f"import sys; from reconciler.report import {names}; print([m for m in sys.modules if 'reconciler.model' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


OUT = Outcome(INSTALL, Status.FAILED)


@pytest.mark.parametrize(
    ("code", "given"),
    [
        (0, {}),
        (1, {"outcomes": (OUT,)}),
        (0, {"outcomes": (OUT, replace(OUT, status=Status.DONE))}),
        (1, {"holds": (HOLD,)}),
        (4, {"holds": (Hold(Reason.RATE_LIMITED, "x"),)}),
        (1, {"holds": (Hold(Reason.RATE_LIMITED, "x"), HOLD)}),
        (0, {"holds": (Hold(Reason.SUSPENDED, "x"), Hold(Reason.PRUNE_DISABLED, "x"))}),
        (1, {"holds": (Hold(Reason.TERMS_NOT_AGREED, "x", failed=True),)}),
        (1, {"ready": (Condition("Ready", "False", Reason.NOT_INCLUDED, "x"),)}),
        (0, {"ready": (Condition("Ready", "False", Reason.SUSPENDED, "x"),)}),
        (0, {"holds": (Hold(Reason.PINNED, "x"),), "ready": (Condition("Ready", "True", Reason.SERVED, "x"),)}),
        (1, {"holds": (Hold(Reason.PINNED, "x"),), "ready": (Condition("Ready", "False", Reason.PINNED, "x"),)}),
        (2, {"errors": (Problem("f", 1, 1, "x"),)}),
        (0, {"outcomes": (replace(OUT, status=Status.SKIPPED, reason="NoLongerPlanned"),)}),
    ],
)
def test_exit_code(code: int, given: dict[str, tuple[object, ...]]) -> None:
    assert exit_code(**given) == code  # type: ignore[arg-type]


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("reason", Reason)
def test_what_fails_a_command_fails_in_status_too(reason: Reason, failed: bool) -> None:  # noqa: FBT001
    """A wait is one everywhere. What the next pass does is a wait for who looks in between alone."""
    hold = Hold(reason, "x", site="a", failed=failed)
    item = site_item(A, _seen(live=NoRevision()), NOW, (hold,))
    item["status"]["conditions"][0]["reason"] = reason.value
    code = exit_code([hold], ready=[Condition("Ready", "False", reason, "x")])
    assert (grade(item) == "failing") == (code == 1 and (failed or reason not in NOT_YET)), grade(item)


def test_the_table_of_waits_has_known_words() -> None:
    assert {*NOBODYS, *ASKED_FOR, *PERSONS, *NOT_YET} <= {reason.value for reason in Reason}
    assert BY_HAND <= ASKED_FOR


def test_exit_code_of_diff() -> None:
    assert exit_code_of_diff(PLAN) == 1
    assert exit_code_of_diff(Plan(holds=(HOLD,))) == 0
    assert exit_code_of_diff(Plan((replace(INSTALL, verb=Verb.REFRESH),))) == 0
    assert exit_code_of_diff(PLAN, (Problem("f", 1, 1, "x"),)) == 2


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=61), "1 h 1 min"),
        (timedelta(days=2, hours=4), "2 d 4 h"),
        (timedelta(days=12, hours=4), "12 d"),
    ],
)
def test_durations(duration: timedelta, text: str) -> None:
    assert human(duration) == text


def test_sites_with_short_names_are_folded_too() -> None:
    small = Small(declared(*(site(name, targets=(COPY,)) for name in "abcdopy")))
    assert "install 7 sites on copy: the same change" in plan_text(small.plan(), NOW)


@pytest.mark.parametrize("reason", ["StoreError", "HeldBy", "NewerStore", "LeaseLost", "Conflict"])
def test_a_change_that_the_state_directory_failed_is_the_machines_failure(reason: str) -> None:
    change = Change(Verb.ISSUE, "site/a", Reason.MISSING, "", site="a")
    assert exit_code(outcomes=[Outcome(change, Status.FAILED, reason, "the disk is full")]) == 3
