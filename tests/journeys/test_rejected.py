"""A certificate that a server refuses once it is live: the former one is in use again, and the server stays whole."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.verbs.renew import forget_failures
from reconciler.cli.views import sites
from reconciler.model.ports import Scope
from tests.journeys.loops import asking, failed
from tests.journeys.stage import SERVER, Stage, document, held, site, told
from tests.servers.handshake import handshake
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.observed import Revision
    from tests.servers.apache import Apache
    from tests.servers.nginx import Nginx

LATER = timedelta(minutes=2)
ECDSA, RSA = {"algorithm": "ecdsa-p256"}, {"algorithm": "rsa-2048"}
# of OpenSSL's levels the third refuses RSA keys of 2,048 bits
STRICT = "ssl_ciphers DEFAULT@SECLEVEL=3;"
RSA_ONLY = "ECDHE-RSA-AES128-GCM-SHA256"


@dataclass
class Yard:
    """An nginx whose own blocks read what is live, and sites that the embedded CA signs."""

    stage: Stage
    web: Nginx
    port: int = field(default_factory=free_port)
    commands: Mapping[str, object] = field(default_factory=dict)

    def block(self, name: str, extra: str = "") -> str:
        live = f"{self.stage.state}/live/{name}"
        pair = f"ssl_certificate {live}/fullchain.pem; ssl_certificate_key {live}/privkey.pem;"
        return f"server {{ listen 127.0.0.1:{self.port} ssl; server_name {name}.example.com; {pair} {extra} }}"

    def write(self, **keys: Mapping[str, object]) -> None:
        """Write the tree: a site for each name, with this private key."""
        target = {
            "type": "nginx",
            "layout": "live",
            "test": list(self.web.test_argv),
            "reload": {"command": list(self.web.reload_argv)},
            "verify": {"ports": [self.port]},
            **self.commands,
        }
        self.stage.write("base.yaml", document("Server", "home", SERVER), document("Target", "web", target))
        self.stage.write(
            "sites.yaml",
            *(site(name, issuers=["ca"], targets=["web"], privateKey=key) for name, key in keys.items()),
        )

    def begin(self, extra: str, **keys: Mapping[str, object]) -> None:
        """Issue, and start an nginx that reads what is live; `extra` stands in each block."""
        self.write(**keys)
        self.stage.apply()
        self.web.configure("\n".join(self.block(name, extra) for name in keys))
        self.web.start()
        self.stage.shift += LATER
        self.stage.settle()

    def assert_served(self, name: str) -> None:
        assert handshake(self.port, f"{name}.example.com").fingerprint == self.stage.live(name).facts.fingerprint


@pytest.fixture(name="yard")
def _yard(stage: Stage, nginx: Nginx) -> Yard:
    return Yard(stage, nginx)


def test_nginx_refuses_one_of_three_and_starts_at_any_time(yard: Yard) -> None:
    """Its test fails: the one goes back, the others go on; it is held, told, tried again later, and ends by a spec."""
    stage = yard.stage
    yard.begin(STRICT, one=ECDSA, two=ECDSA, three=ECDSA)
    former = {name: stage.live(name) for name in ("one", "two", "three")}
    yard.write(one=ECDSA | {"rotation": "reuse"}, two=RSA, three={"algorithm": "ecdsa-p384"})
    with asking(yard.port, "two.example.com") as seen:
        reports = stage.apply()
    assert failed(seen) == []
    bad = [one for one in stage.outcomes(reports) if one[2] != "done"]
    assert [(verb, subject) for verb, subject, *_ in bad] == [("reload", "target/web")]
    assert "key too small" in bad[0][3], "the server's own words"
    assert "what is new of the other sites is in use" in bad[0][3]
    assert stage.live("two") == former["two"], "live went back"
    assert stage.live("three").facts.key_type == "ecdsa-p384"
    for name in former:
        yard.assert_served(name)
    assert yard.web.test().returncode == 0
    yard.web.stop()
    yard.web.start()  # whoever restarts it now
    for name in former:
        yard.assert_served(name)
    # held, with the reason, the next attempt and no order
    diff = stage.diff()
    assert told(diff) == []
    hold = held(diff)["two", "RejectedByServer"]
    assert (hold.target, hold.failed) == ("web", True)
    assert "key too small" in hold.message
    assert hold.until is not None
    assert stage.memory("two").failures["target/web"].local == 1
    # tried again by itself, in vain
    stage.shift += LATER
    reports = stage.apply()
    assert [one.change.reason for one in reports[0].outcomes if one.change.verb == "activate"] == ["KeyTypeDiffers"]
    assert stage.live("two") == former["two"]
    assert stage.memory("two").failures["target/web"].local == 2
    assert len(list((stage.state / "certificates" / "two").iterdir())) == 2, "nothing was issued in vain"
    assert yard.web.test().returncode == 0
    # the server's owner mends it
    yard.web.configure("\n".join(yard.block(name) for name in former))
    stage.shift += timedelta(hours=2)
    stage.settle()
    assert stage.live("two").facts.key_type == "rsa-2048"
    assert stage.memory("two").rejected == {}
    yard.assert_served("two")


def test_what_is_refused_of_a_site_outside_the_pass_waits_as_any_other(yard: Yard) -> None:
    """It is declared: its next pass, of all sites, does not try the same once more at once."""
    stage = yard.stage
    yard.begin(STRICT, one=ECDSA, two=ECDSA)
    former = stage.live("two")
    yard.commands = {"test": ["true"], "reload": {"command": ["false"]}}
    yard.write(one=ECDSA, two=RSA)
    stage.apply()
    assert stage.live("two").facts.key_type == "rsa-2048", "live, and not loaded"
    yard.commands = {}
    yard.write(one={"algorithm": "ecdsa-p384"}, two=RSA)
    stage.apply(Scope(sites=frozenset({"one"})))
    assert stage.live("two") == former
    assert stage.live("one").facts.key_type == "ecdsa-p384"
    diff = stage.diff()
    assert told(diff) == []
    assert "key too small" in held(diff)["two", "RejectedByServer"].message


def test_a_changed_spec_ends_it(yard: Yard) -> None:
    stage = yard.stage
    yard.begin(STRICT, one=ECDSA)
    former = stage.live("one")
    yard.write(one=RSA)
    stage.apply()
    assert stage.live("one") == former
    yard.write(one={"algorithm": "ecdsa-p384"})
    stage.settle()
    assert stage.live("one").facts.key_type == "ecdsa-p384"
    yard.assert_served("one")


def test_no_handshake_comes_about_with_the_new_key(yard: Yard) -> None:
    """The test passes and the handshakes do not: the name lost what it had, so it gets that back."""
    stage = yard.stage
    extra = f"ssl_protocols TLSv1.2; ssl_ciphers {RSA_ONLY};"
    yard.begin(extra, one=RSA, two=RSA)
    former = stage.live("one")
    yard.write(one=ECDSA, two=RSA | {"rotation": "reuse"})
    reports = stage.apply()
    [reload] = [one for one in reports[0].outcomes if one.change.verb == "reload"]
    assert (reload.status, reload.reason) == ("failed", "RejectedByServer")
    assert stage.live("one") == former
    yard.assert_served("one")
    yard.assert_served("two")
    assert ("one", "RejectedByServer") in held(stage.diff())


@dataclass
class Tents:
    """An Apache whose own blocks read what is live, of two sites that the embedded CA signs."""

    stage: Stage
    web: Apache
    port: int = field(default_factory=free_port)

    def write(self, key: Mapping[str, object]) -> None:
        target = {
            "type": "apache",
            "layout": "live",
            "test": list(self.web.test_argv),
            "reload": {"command": list(self.web.reload_argv)},
            "verify": {"ports": [self.port]},
        }
        self.stage.write("base.yaml", document("Server", "home", SERVER), document("Target", "web", target))
        self.stage.write("sites.yaml", *(site(name, issuers=["ca"], targets=["web"], privateKey=key) for name in "ab"))

    def block(self, name: str, extra: str) -> str:
        live = f"{self.stage.state}/live/{name}"
        pair = f"SSLCertificateFile {live}/fullchain.pem\nSSLCertificateKeyFile {live}/privkey.pem"
        head = f"<VirtualHost 127.0.0.1:{self.port}>\nServerName {name}.example.com\nSSLEngine on"
        return f"{head}\n{extra}\n{pair}\n</VirtualHost>"

    def configure(self, extra: str) -> None:
        blocks = (self.block(name, extra) for name in "ab")
        self.web.configure("\n".join([f"Listen 127.0.0.1:{self.port}", *blocks]))

    def begin(self, extra: str, key: Mapping[str, object]) -> dict[str, Revision]:
        self.write(key)
        (self.web.root / "apache.pid").write_text("")
        self.stage.apply()
        self.configure(extra)
        self.web.start()
        self.stage.shift += LATER
        self.stage.settle()
        return {name: self.stage.live(name) for name in "ab"}

    def served(self, name: str) -> str:
        return handshake(self.port, f"{name}.example.com").fingerprint


def test_apache_shows_nothing_with_the_new_keys(stage: Stage, apache: Apache) -> None:
    """Apache's test reads no certificate at all: only the handshakes tell, of both sites at once."""
    tents = Tents(stage, apache)
    former = tents.begin(f"SSLProtocol TLSv1.2\nSSLCipherSuite {RSA_ONLY}", RSA)
    tents.write(ECDSA)
    stage.apply()
    assert apache.alive, apache.error_log
    for name in "ab":
        assert stage.live(name) == former[name]
        assert tents.served(name) == former[name].facts.fingerprint
    assert {("a", "RejectedByServer"), ("b", "RejectedByServer")} <= held(stage.diff()).keys()


def test_an_apache_that_ended_can_be_started_and_is_not_ended_again_unasked(stage: Stage, apache: Apache) -> None:
    """It dies of the new keys in the reload: the former ones are in place, a person is told, and nothing is retried."""
    tents = Tents(stage, apache)
    former = tents.begin("SSLCipherSuite DEFAULT@SECLEVEL=3", ECDSA)
    tents.write(RSA)
    began = time.monotonic()
    reports = stage.apply()
    assert time.monotonic() - began < 12, "nobody waits for long until what the server needs for its start is back"
    assert "Configuration Failed, exiting" in apache.error_log
    [told_] = [one for one in stage.outcomes(reports) if one[2] != "done"]
    assert told_[3].startswith("ServerEnded ")
    for words in (
        "is live again, but the server had ended",
        "did not bring it back: start it (as by `apachectl start`), and the next pass does the rest",
    ):
        assert words in told_[3]
    assert {name: stage.live(name) for name in "ab"} == former
    hold = held(stage.diff())["a", "ServerEnded"]
    assert hold.until is not None
    assert hold.until - stage.live("a").facts.not_before > timedelta(days=74), "before the one in use ends"
    assert hold.failed
    assert "certwright retry a" in (hold.ends_when or "")
    apache.stop()
    apache.start()  # whoever is woken by that
    stage.shift += timedelta(hours=30)  # no hour comes at which it would be ended again
    stage.apply()
    assert {name: stage.live(name) for name in "ab"} == former
    for name in "ab":
        assert tents.served(name) == former[name].facts.fingerprint
        ready = views(stage)[name]
        assert (ready["status"], ready["reason"]) == ("True", "Served"), "the rest healed by itself"
    # asked for while it does not run: what it would die of must not be what it finds when it is started
    apache.stop()
    retry(stage)
    stage.apply()
    assert {name: stage.live(name) for name in "ab"} == former
    apache.start()
    # mended, and asked for
    tents.configure("")
    retry(stage)
    stage.settle()
    for name in "ab":
        assert stage.live(name).facts.key_type == "rsa-2048"
        assert tents.served(name) == stage.live(name).facts.fingerprint
        assert (stage.memory(name).rejected, stage.memory(name).failures) == ({}, {})


def retry(stage: Stage) -> None:
    with stage.app() as app:
        app.tree.glance()
        forget_failures(app, Scope(frozenset("ab")))


def views(stage: Stage) -> dict[str, Mapping[str, str]]:
    """Give the condition Ready by site, as `get sites` tells it."""
    items = sites(str(stage.state), datetime.now(UTC))
    return {item["metadata"]["name"]: item["status"]["conditions"][0] for item in items}
