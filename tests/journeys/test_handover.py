"""A hostname that moves from one site to another: someone with a good certificate answers for it at every moment."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.model.ports import Limits
from tests.journeys.loops import asking, failed
from tests.journeys.stage import document, held, told
from tests.servers.handshake import handshake
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from tests.journeys.street import Street

MOVES = "b.example.com"


def usable(street: Street, *names: str) -> set[str]:
    """Give the fingerprints of all certificates for the name that moves that some CA gave these sites."""
    with street.stage.app(read_only=True) as app:
        stored = [one for name in names for one in app.store.revisions(name)]
    return {one.facts.fingerprint for one in stored if not one.meta.placeholder and MOVES in one.facts.hostnames}


@pytest.mark.parametrize("rest", [["a.example.com"], []], ids=["to another site", "and its site goes"])
def test_the_name_is_served_throughout_and_both_sites_change_in_one_switch(street: Street, rest: list[str]) -> None:
    stage = street.stage
    street.write(street.site("old", *rest, MOVES), street.quick("other"))
    stage.settle()
    reloads = street.web.reloads
    street.write(*([street.site("old", *rest)] if rest else []), street.site("new", MOVES), street.quick("other"))
    diff = stage.diff()
    if rest:
        assert told(diff) == [
            ("issue", "site/new", "Missing"),
            ("issue", "site/old", "HostnamesDiffer"),
            ("install", "site/old", "ConfigurationChanged"),
            ("install", "site/new", "NotInstalled"),
            ("reload", "target/web", "CertificateChanged"),
        ]
        new, old = diff.plan.changes[:2]
        assert new.id in old.after
    with asking(street.tls_port, MOVES) as seen:
        reports = stage.apply(limits=Limits(removals=1))
    assert failed(seen) == []
    assert {what for _, what in seen} <= usable(street, "old", "new") | (set() if rest else {seen[0][1]})
    assert [one for one in stage.outcomes(reports) if one[2] != "done"] == []
    assert street.web.reloads == reloads + 1
    street.assert_served("new", MOVES)
    if rest:
        street.assert_served("old", *rest)
    stage.assert_calm()
    assert sorted(path.stem for path in street.web.include.iterdir()) == sorted(
        {"new", "other", *(["old"] * bool(rest))}
    )


def test_without_a_certificate_for_its_new_site_a_name_stays_where_it_is(street: Street) -> None:
    stage = street.stage
    street.write(street.site("old", "a.example.com", MOVES))
    stage.settle()
    before = stage.live("old")
    nowhere = {"type": "acme", "directory": f"https://127.0.0.1:{free_port()}/dir", "caBundle": str(street.bundle)}
    stage.write("gone.yaml", document("Issuer", "gone", nowhere))
    street.write(street.site("old", "a.example.com"), street.site("new", MOVES, issuers=["gone"]))
    stage.apply()
    for name in ("a.example.com", MOVES):
        assert handshake(street.tls_port, name).fingerprint == before.facts.fingerprint
    assert [path.name for path in street.web.include.iterdir()] == ["old.conf"], "no placeholder takes its place"
    holds = held(stage.diff())
    assert {("old", "HandoverPending"), ("new", "HandoverPending")} <= holds.keys()
    assert MOVES in holds["old", "HandoverPending"].message
    # the same where the former site is not declared at all
    street.write(street.site("new", MOVES, issuers=["gone"]), street.quick("other"))
    stage.apply(limits=Limits(removals=1))
    assert handshake(street.tls_port, MOVES).fingerprint == before.facts.fingerprint
    assert ("old", "HandoverPending") in held(stage.diff(limits=Limits(removals=1)))
    # and once the CA can be asked
    street.write(street.site("old", "a.example.com"), street.site("new", MOVES), street.quick("other"))
    stage.shift = timedelta(minutes=30)
    stage.settle()
    street.assert_served("old", "a.example.com")
    street.assert_served("new", MOVES)


def test_two_sites_that_change_names_with_each_other(street: Street) -> None:
    street.write(street.site("one", "a.example.com"), street.site("two", MOVES))
    street.stage.settle()
    street.write(street.site("one", MOVES), street.site("two", "a.example.com"))
    with asking(street.tls_port, MOVES) as seen:
        street.stage.settle()
    assert failed(seen) == []
    assert {what for _, what in seen} <= usable(street, "one", "two")
    street.assert_served("one", MOVES)
    street.assert_served("two", "a.example.com")
