from __future__ import annotations

from typing import TYPE_CHECKING

from tests.journeys.stage import WAY, document, told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.engine import Report
    from tests.journeys.stage import Stage
    from tests.journeys.street import Street
    from tests.servers.pebble import Pebble

NAMES = ("one", "two")


def assert_did_what_diff_printed(diff: Report, reports: Sequence[Report]) -> None:
    """The first pass does each change of `diff` and no other, each after those that come before it."""
    done = [outcome.change.id for outcome in reports[0].outcomes]
    assert sorted(done) == sorted(change.id for change in diff.plan.changes)
    assert all(outcome.status == "done" for outcome in reports[0].outcomes)
    assert [change for report in reports[1:] for change in report.plan.changes] == []
    # a target's installs and its reload are one batch: only what is before the batch is ordered
    verbs = {change.id: change.verb for change in diff.plan.changes}
    for change in diff.plan.changes:
        for before in change.after:
            if {verbs[before], change.verb} != {"install", "reload"}:
                assert done.index(before) < done.index(change.id)


def test_vhost_layout_first_certificate_by_the_webroot_that_nginx_serves(street: Street) -> None:
    street.write(*(street.site(name) for name in NAMES))
    diff = street.stage.diff()
    assert not (street.stage.state / "live").exists(), "diff writes nothing"
    assert ("issue", "site/one", "Missing") in told(diff)
    reports = street.stage.apply()
    assert_did_what_diff_printed(diff, reports)
    for name in NAMES:
        street.assert_served(name)
    assert street.web.reloads == 2, "one for the placeholders, one for the certificates"
    street.stage.assert_calm()
    assert list(street.webroot.rglob("acme-challenge/*")) == [], "answers are taken away"


def test_snippet_layout_in_the_users_own_server_block(street: Street) -> None:
    include = street.web.include
    blocks = "".join(
        f"server {{ listen 127.0.0.1:{street.tls_port} ssl; server_name {name}.example.com;"
        f" include {include}/{name}.conf; }}\n"
        for name in NAMES
    )
    street.http(blocks)
    # a snippet stands in the user's own block, so the directory is not included as a whole
    street.web.config.write_text(street.web.config.read_text().replace(f"    include {include}/*.conf;\n", ""))
    street.write(*(street.site(name) for name in NAMES), target={"layout": "snippet"})
    street.stage.settle()
    for name in NAMES:
        street.assert_served(name)
    assert sorted(path.name for path in include.iterdir()) == ["http-01.conf", "one.conf", "two.conf"]


def test_live_layout_names_the_stores_own_link(street: Street) -> None:
    live = street.stage.state / "live" / "one"
    street.http(
        f"server {{ listen 127.0.0.1:{street.tls_port} ssl; server_name one.example.com;"
        f" ssl_certificate {live}/fullchain.pem; ssl_certificate_key {live}/privkey.pem; }}"
    )
    street.write(street.site("one"), target={"layout": "live", "configDirectory": None})
    street.stage.settle()
    street.assert_served("one")
    assert list(street.web.include.iterdir()) == []


def test_own_listener_answers_where_no_server_does(stage: Stage, pebble: Pebble) -> None:
    stage.write(
        "all.yaml",
        document("Server", "home", {"email": "me@example.com", "agreeToTerms": True}),
        document("Issuer", "pebble", {"type": "acme", "directory": pebble.directory, "caBundle": str(pebble.bundle)}),
        document("ChallengeMethod", "own", {**WAY, "listener": {"port": pebble.http_port}}),
        *(
            document(
                "Site",
                name,
                {"hostnames": [f"{name}.example.com"], "issuers": ["pebble"], "challenges": [{"method": "own"}]},
            )
            for name in NAMES
        ),
    )
    diff = stage.diff()
    assert_did_what_diff_printed(diff, stage.apply())
    stage.assert_calm()
    assert list((stage.state / "tokens").iterdir()) == []
    assert {stage.live(name).facts.hostnames for name in NAMES} == {("one.example.com",), ("two.example.com",)}


def test_a_client_without_a_known_name_gets_the_default_site(street: Street) -> None:
    street.write(*(street.quick(name) for name in ("aaa", "one")), target={"defaultSite": "one"})
    street.stage.settle()
    assert street.served("nobody.example.com").names == {"one.example.com"}
    assert street.served("aaa.example.com").names == {"aaa.example.com"}
