"""Why a certificate is replaced, on a real CA or the embedded one; the old one serves until the new is live."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.journeys.stage import SERVER, WAY, ca_site, copy_target, document, told
from tests.servers.pebble import Options, pebble
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.journeys.stage import Stage
    from tests.journeys.street import Street
    from tests.servers.challtestsrv import Challtestsrv

HOME = document("Server", "home", SERVER)


def write(stage: Stage, **spec: object) -> None:
    stage.write("all.yaml", HOME, copy_target(stage.root / "out"), ca_site("one", **spec))


def issued(stage: Stage) -> list[str]:
    """Converge and give the reasons of the certificates that were issued."""
    reports = stage.settle()
    return [
        outcome.change.reason for report in reports for outcome in report.outcomes if outcome.change.verb == "issue"
    ]


def test_hostnames_added_and_removed(street: Street) -> None:
    street.write(street.site("one", "one.example.com"))
    street.stage.settle()
    street.write(street.site("one", "one.example.com", "www.example.com"))
    diff = street.stage.diff()
    [issue] = [change for change in diff.plan.changes if change.verb == "issue"]
    assert (issue.reason, issue.added, issue.removed) == ("HostnamesDiffer", ("www.example.com",), ())
    assert not [change for change in diff.plan.changes if change.reason == "Placeholder"], "the old one goes on serving"
    street.stage.settle()
    street.assert_served("one", "one.example.com", "www.example.com")
    street.write(street.site("one", "www.example.com"))
    street.stage.settle()
    street.assert_served("one", "www.example.com")
    assert street.stage.live("one").facts.hostnames == ("www.example.com",)


def test_renewal_is_due_when_two_thirds_of_a_short_lifetime_are_over(tmp_path: Path, dns: Challtestsrv) -> None:
    from tests.journeys.stage import Stage

    stage, port = Stage(tmp_path), free_port()
    (tmp_path / "pebble").mkdir()
    with pebble(tmp_path / "pebble", dns.dns, Options(http_port=port, validity=1800)) as ca:
        stage.write(
            "all.yaml",
            HOME,
            document("Issuer", "pebble", {"type": "acme", "directory": ca.directory, "caBundle": str(ca.bundle)}),
            document("ChallengeMethod", "own", {**WAY, "listener": {"port": port}}),
            copy_target(tmp_path / "out"),
            ca_site("one", issuers=["pebble"], challenges=[{"method": "own"}]),
        )
        stage.settle()
        before = stage.live("one").facts
        # the jitter makes it earlier by at most a twentieth: at 55 % nothing is due, at 70 % it is
        stage.shift = timedelta(seconds=1800 * 0.55)
        stage.assert_calm()
        stage.shift = timedelta(seconds=1800 * 0.7)
        assert issued(stage) == ["RenewalDue"]
    after = stage.live("one").facts
    assert after.fingerprint != before.fingerprint
    assert after.spki != before.spki, "a new key each time"


def test_annotation_renews_once(stage: Stage) -> None:
    write(stage)
    stage.settle()
    write(stage, annotations={"certwright/renewAt": "after the incident"})
    assert issued(stage) == ["RequestedByUser"]
    stage.assert_calm()
    # what the revision itself says is enough where memory is lost
    for file in (stage.state / "status").iterdir():
        file.unlink()
    assert not [change for change in stage.diff().plan.changes if change.verb == "issue"]
    write(stage, annotations={"certwright/renewAt": "and again"})
    assert issued(stage) == ["RequestedByUser"]


def test_annotation_is_seen_although_nothing_else_changed_for_long(stage: Stage) -> None:
    """A quiet site costs no look, and what a person asks for by annotation is asked of it all the same."""
    write(stage)
    stage.settle()
    time.sleep(0.1)  # a file that changed a moment ago is looked at again anyway
    stage.apply()
    assert stage.diff().quiet == 1
    write(stage, annotations={"certwright/renewAt": "now"})
    assert issued(stage) == ["RequestedByUser"]


def test_two_revisions_are_kept_and_older_ones_archived(stage: Stage) -> None:
    for value in ("1", "2", "3", "4"):
        write(stage, annotations={"certwright/renewAt": value})
        stage.settle()
    kept = sorted(path.name for path in (stage.state / "certificates" / "one").iterdir())
    assert len(kept) == 2
    assert stage.live("one").id in kept
    assert len(list((stage.state / "archive" / "one").iterdir())) == 2


def test_key_type_changes(stage: Stage) -> None:
    write(stage)
    stage.settle()
    write(stage, privateKey={"algorithm": "ecdsa-p384"})
    assert issued(stage) == ["KeyTypeDiffers"]
    assert stage.live("one").facts.key_type == "ecdsa-p384"


def test_issuer_changes(stage: Stage) -> None:
    stage.write("other.yaml", document("Issuer", "other", {"type": "ca", "commonName": "Other"}))
    write(stage)
    stage.settle()
    write(stage, issuers=["other"])
    assert issued(stage) == ["IssuerChanged"]
    assert stage.live("one").meta.issuer == "other"


def test_renewal_keeps_the_key_where_the_site_says_so(stage: Stage) -> None:
    write(stage, privateKey={"rotation": "reuse"})
    stage.settle()
    before = stage.live("one").facts
    write(stage, privateKey={"rotation": "reuse"}, annotations={"certwright/renewAt": "now"})
    assert issued(stage) == ["RequestedByUser"]
    after = stage.live("one").facts
    assert (after.spki, after.fingerprint != before.fingerprint) == (before.spki, True)


@pytest.mark.parametrize("file", ["privkey.pem", "cert.pem", "fullchain.pem", "chain.pem", "meta.json"])
@pytest.mark.parametrize("content", ["", "rubbish\n", None])
def test_hand_edited_revision_is_replaced(stage: Stage, file: str, content: str | None) -> None:
    write(stage)
    stage.settle()
    path = stage.path("one", file)
    if content is None:
        path.unlink()
    else:
        path.write_text(content or "\n")
    assert told(stage.diff())[0][0] == "issue"
    assert issued(stage) == ["Corrupt"]
    assert stage.live("one").facts.hostnames == ("one.example.com",)


def test_key_of_another_certificate_is_a_mismatch(stage: Stage) -> None:
    stage.write("all.yaml", HOME, copy_target(stage.root / "out"), ca_site("one"), ca_site("two"))
    stage.settle()
    stage.path("one", "privkey.pem").write_bytes(stage.path("two", "privkey.pem").read_bytes())
    assert issued(stage) == ["KeyMismatch"]
    out = stage.root / "out"
    assert (out / "one.key").read_bytes() == stage.path("one", "privkey.pem").read_bytes()


def test_previous_good_revision_goes_live_instead_of_a_broken_one(stage: Stage) -> None:
    write(stage)
    stage.settle()
    first = stage.live("one")
    write(stage, annotations={"certwright/renewAt": "now"})
    stage.settle()
    stage.path("one", "privkey.pem").write_text("rubbish\n")
    assert told(stage.diff())[0] == ("activate", "site/one", "Corrupt")
    assert issued(stage) == []
    assert stage.live("one").id == first.id
    copied = (stage.root / "out" / "one.crt").read_bytes()
    assert copied == stage.path("one", "fullchain.pem").read_bytes()


def test_meta_says_who_how_and_why(street: Street) -> None:
    street.write(street.site("one"))
    street.stage.settle()
    written = json.loads(street.stage.path("one", "meta.json").read_text())
    meta = written["data"]
    assert (meta["issuer"], meta["directory"], meta["reason"]) == ("pebble", street.directory, "Missing")
    assert meta["challenges"] == {"one.example.com": {"method": "web", "type": "http-01"}}
    assert meta["account"].startswith("https://")
