from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.model.ports import Limits
from tests.journeys.stage import FULL, SERVER, document, held, site, told
from tests.servers import faults
from tests.servers.front import front as front_of
from tests.servers.pebble import Options
from tests.servers.pebble import pebble as pebble_of
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from tests.journeys.stage import Stage
    from tests.servers.challtestsrv import Challtestsrv
    from tests.servers.front import Front
    from tests.servers.pebble import Pebble


def write(stage: Stage, ca: Pebble | Front, pebble: Pebble, *sites: dict[str, object], **http: Any) -> None:  # noqa: ANN401  any field
    """Write a tree with the methods `web` (http-01) and `alpn` (tls-alpn-01), both by our own listener."""
    issuer = {"type": "acme", "directory": ca.directory, "caBundle": str(ca.bundle), "trust": "test"}
    stage.write(
        "base.yaml",
        document("Server", "home", SERVER),
        document("Issuer", "pebble", issuer),
        document("ChallengeMethod", "web", {"type": "http-01", "listener": {"port": pebble.http_port}, **http}),
        document("ChallengeMethod", "alpn", {"type": "tls-alpn-01", "listener": {"port": pebble.tls_port}}),
        # nobody comes there
        document("ChallengeMethod", "lost", {"type": "http-01", "listener": {"port": free_port()}}),
    )
    stage.write("sites.yaml", *sites)


def of(name: str, *hostnames: str, ways: tuple[str, ...] = ("web",), **spec: Any) -> dict[str, object]:  # noqa: ANN401  any field
    challenges = [{"method": way} for way in ways]
    return site(name, *hostnames, issuers=["pebble"], challenges=challenges, **spec)


def proven(stage: Stage, name: str) -> dict[str, str]:
    return {hostname: way.method for hostname, way in stage.live(name).meta.challenges.items()}


def test_by_tls_alpn(stage: Stage, pebble: Pebble) -> None:
    write(stage, pebble, pebble, of("one", "a.example.com", "b.example.com", ways=("alpn",)))
    stage.settle()
    assert proven(stage, "one") == {"a.example.com": "alpn", "b.example.com": "alpn"}
    assert list((stage.state / "tokens").iterdir()) == []
    assert list((stage.state / "undo").iterdir()) == []


@pytest.mark.parametrize("way", ["web", "alpn"])
def test_an_address(stage: Stage, pebble: Pebble, way: str) -> None:
    write(stage, pebble, pebble, of("one", "127.0.0.1", ways=(way,)))
    stage.settle()
    assert stage.live("one").facts.hostnames == ("127.0.0.1",)
    assert proven(stage, "one") == {"127.0.0.1": way}


def test_two_ways_in_one_certificate_each_for_its_names(stage: Stage, pebble: Pebble) -> None:
    challenges = [{"method": "alpn", "hostnames": ["a.example.com"]}, {"method": "web"}]
    spec = site("one", "a.example.com", "b.example.com", issuers=["pebble"], challenges=challenges)
    write(stage, pebble, pebble, spec)
    stage.settle()
    assert proven(stage, "one") == {"a.example.com": "alpn", "b.example.com": "web"}


def test_falls_back_to_the_next_way_within_one_apply_and_begins_with_it_afterwards(
    stage: Stage, pebble: Pebble, front: Front
) -> None:
    names = ("a.example.com", "b.example.com")
    write(stage, front, pebble, of("one", *names, ways=("lost", "alpn")))
    reports = stage.apply()
    assert [one[2] for one in stage.outcomes(reports) if one[0] == "issue"] == ["failed", "done"]
    assert proven(stage, "one") == dict.fromkeys(names, "alpn")
    assert front.count("/order-plz") == 2
    stage.assert_calm()
    # the way that worked comes first the next time
    write(stage, front, pebble, of("one", *names, ways=("lost", "alpn"), annotations={"certwright/renewAt": "now"}))
    stage.settle()
    assert front.count("/order-plz") == 3


def test_a_name_that_fails_is_told_in_the_cas_words_with_its_address(
    stage: Stage, pebble: Pebble, dns: Challtestsrv
) -> None:
    with dns.failing("away.example.com"):
        write(stage, pebble, pebble, of("one", "a.example.com", "away.example.com"))
        stage.apply()
        last = stage.memory("one").failures["issue"].last
        assert last is not None
        assert (last.reason, last.hostname, last.method) == ("ChallengeFailed", "away.example.com", "web")
        assert "away.example.com" in last.detail
        assert last.url is not None
        assert "/authZ/" in last.url


def test_drop_issues_for_the_others_and_tries_the_bad_name_on_its_own_schedule(
    stage: Stage, pebble: Pebble, dns: Challtestsrv, front: Front
) -> None:
    names = ("a.example.com", "gone.example.com", "b.example.com")
    with dns.failing("gone.example.com"):
        write(stage, front, pebble, of("one", *names, onNameFailure="drop"))
        reports = stage.apply()
        assert stage.live("one").facts.hostnames == ("a.example.com", "b.example.com")
        assert front.count("/order-plz") == 2
        orders = [one for report in reports for one in report.plan.changes if "leaves out" in one.message]
        assert [(one.added, sorted(one.challenges)) for one in orders] == [((names[0], names[2]), [names[0], names[2]])]
        hold = held(reports[-1])["one", "NameFailed"]
        assert "gone.example.com" in hold.message
        assert hold.until is not None

        again = stage.apply()
        assert told(again[0]) == [], "what was dropped causes no order before its time"
        assert front.count("/order-plz") == 2

        stage.shift = timedelta(minutes=2)
        assert [one[2] for one in stage.outcomes(stage.apply())] == ["failed"], "tried, in vain; the rest stays"
        assert front.count("/order-plz") == 3
        stage.shift = timedelta(minutes=20)
    stage.settle()
    assert set(stage.live("one").facts.hostnames) == set(names)
    assert stage.memory("one").names == {}


def test_a_name_that_the_ca_refuses_is_dropped_too(stage: Stage, pebble: Pebble) -> None:
    write(stage, pebble, pebble, of("one", "a.example.com", "x.blocked.test", onNameFailure="drop"))
    stage.apply()
    assert stage.live("one").facts.hostnames == ("a.example.com",)
    assert stage.memory("one").names["x.blocked.test"].dropped


def test_fail_and_drop_late_keep_what_there_is(stage: Stage, pebble: Pebble, dns: Challtestsrv) -> None:
    write(stage, pebble, pebble, of("one", "a.example.com"))
    stage.settle()
    before = stage.live("one").id
    with dns.failing("gone.example.com"):
        for mode in ("fail", "dropLate"):
            write(stage, pebble, pebble, of("one", "a.example.com", "gone.example.com", onNameFailure=mode))
            stage.apply()
            assert stage.live("one").id == before


def test_drop_late_waits_for_the_last_sixth_of_the_lifetime(stage: Stage, dns: Challtestsrv) -> None:
    """Certificates of an hour: a name that goes bad holds the others until ten minutes are left, and no longer."""
    (stage.root / "ca").mkdir()
    with pebble_of(stage.root / "ca", dns.dns, Options(validity=3600)) as ca:
        names = ("a.example.com", "bad.example.com")
        spec: dict[str, Any] = {"onNameFailure": "dropLate", "renewal": {"lookahead": "1%"}}
        write(stage, ca, ca, of("one", *names, **spec))
        stage.settle()
        before = stage.live("one")
        with dns.failing("bad.example.com"):
            write(stage, ca, ca, of("one", *names, annotations={"certwright/renewAt": "now"}, **spec))
            for minutes in (1, 30, 49):
                stage.shift = timedelta(minutes=minutes)
                assert [one[2] for one in stage.outcomes(stage.apply())] == ["failed"]
                assert stage.live("one").id == before.id
            with stage.app(read_only=True) as app:
                plan = app.engine.look(FULL, Limits()).plan
            late = f"{before.facts.not_after - timedelta(minutes=10):%Y-%m-%dT%H:%M}"
            assert f"the others are ordered without bad.example.com from {late}" in plan.holds[0].message
            due = plan.due["one"]
            assert due <= before.facts.not_after - timedelta(minutes=10)
            stage.shift = timedelta(minutes=52)
            reports = stage.apply()
            assert stage.live("one").facts.hostnames == ("a.example.com",)
            orders = [one for report in reports for one in report.plan.changes if "leaves out" in one.message]
            assert [(one.added, one.removed) for one in orders] == [((), ("bad.example.com",))]
            assert "bad.example.com" in held(reports[-1])["one", "NameFailed"].message


def test_a_name_that_no_way_fits_holds_the_others_no_longer_either(stage: Stage, dns: Challtestsrv) -> None:
    """It has no next attempt, and the site none: in the last sixth the others are ordered all the same."""
    (stage.root / "ca").mkdir()
    with pebble_of(stage.root / "ca", dns.dns, Options(validity=3600)) as ca, front_of(stage.root, ca) as front:
        names = ("a.example.com", "bad.example.com")
        spec: dict[str, Any] = {"onNameFailure": "dropLate", "renewal": {"lookahead": "40%"}}
        write(stage, front, ca, of("one", *names, **spec))
        stage.settle()
        before = stage.live("one").id
        front.inject(faults.edit_json(_without_challenges), "/authZ/", times=None)
        stage.shift = timedelta(minutes=40)
        assert "bad.example.com: the CA offers none-01" in held(stage.apply()[-1])["one", "Stalled"].message
        assert stage.live("one").id == before
        with stage.app(read_only=True) as app:
            due = app.engine.look(FULL, Limits()).plan.due["one"]
        assert due <= stage.live("one").facts.not_after - timedelta(minutes=10)
        stage.shift = timedelta(minutes=51)
        reports = stage.apply()
        assert stage.live("one").facts.hostnames == ("a.example.com",)
        assert "bad.example.com" in held(reports[-1])["one", "NameFailed"].message


def _without_challenges(answer: Any) -> Any:  # noqa: ANN401  JSON
    if answer["identifier"]["value"] == "bad.example.com":
        answer["challenges"] = [{**one, "type": "none-01"} for one in answer["challenges"]]
    return answer


def test_a_self_test_that_is_enforced_keeps_the_ca_from_being_asked(stage: Stage, pebble: Pebble, front: Front) -> None:
    write(stage, front, pebble, of("one", "127.0.0.1"), selfTest="enforce")
    reports = stage.apply()
    hold = held(reports[-1])["one", "SelfTestFailed"]
    assert "http://127.0.0.1/.well-known/acme-challenge/" in hold.message
    assert stage.memory("one").failures["issue"].local > 0
    assert front.count("/chalZ/") == 0


def test_a_key_type_that_changes_while_an_order_is_in_flight(stage: Stage, pebble: Pebble, front: Front) -> None:
    front.inject(faults.refuse(503), "/finalize-order/", times=None)
    write(stage, front, pebble, of("one", "a.example.com"))
    stage.apply()
    front.heal()
    write(
        stage,
        front,
        pebble,
        of("one", "a.example.com", privateKey={"algorithm": "ecdsa-p384"}, annotations={"certwright/retryAt": "now"}),
    )
    stage.apply()
    assert stage.live("one").facts.key_type == "ecdsa-p384"
    stage.assert_calm()
