"""HAProxy: what is replaced goes by the runtime socket and needs no reload; no handshake ever fails."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.model.ports import Limits
from tests.journeys.loops import asking, failed
from tests.journeys.stage import SERVER, Stage, document, site
from tests.servers.handshake import handshake
from tests.servers.processes import until
from tests.servers.relay import relay

if TYPE_CHECKING:
    from tests.servers.handshake import Served
    from tests.servers.haproxy import Haproxy

AGAIN = {"annotations": {"certwright/renewAt": "now"}}


@dataclass
class Yard:
    """An HAProxy and sites that the embedded CA signs."""

    stage: Stage
    proxy: Haproxy

    def write(self, *sites: dict[str, object], **target: object) -> None:
        values = {
            "type": "haproxy",
            "configDirectory": str(self.proxy.include),
            "test": list(self.proxy.test_argv),
            "reload": {"command": list(self.proxy.reload_argv)},
            "verify": {"ports": [self.proxy.port]},
            "socket": str(self.proxy.socket),
            **target,
        }
        given = {name: value for name, value in values.items() if value is not None}
        self.stage.write("base.yaml", document("Server", "home", SERVER), document("Target", "web", given))
        self.stage.write("sites.yaml", *sites)

    def site(self, name: str, **spec: object) -> dict[str, object]:
        return site(name, **{"issuers": ["ca"], "targets": ["web"], **spec})

    def served(self, name: str) -> Served:
        return handshake(self.proxy.port, f"{name}.example.com")

    def assert_served(self, *names: str) -> None:
        for name in names:
            assert self.served(name).fingerprint == self.stage.live(name).facts.fingerprint

    def names(self) -> list[str]:
        return sorted(path.name for path in self.proxy.include.iterdir())


@pytest.fixture(name="yard")
def _yard(stage: Stage, haproxy: Haproxy) -> Yard:
    """HAProxy runs with the certificates of `a` and `b`, which it could not without a list."""
    made = Yard(stage, haproxy)
    made.write(made.site("a"), made.site("b"))
    (haproxy.root / "haproxy.pid").write_text("")
    stage.apply()
    haproxy.start()
    stage.shift = timedelta(minutes=10)
    stage.settle()
    return made


def test_the_first_files_are_as_haproxy_takes_them(yard: Yard) -> None:
    yard.assert_served("a", "b")
    assert yard.names() == ["a.pem", "b.pem", "crt-list.txt"]
    assert (yard.proxy.include / "a.pem").stat().st_mode & 0o777 == 0o600
    listed = [line for line in (yard.proxy.include / "crt-list.txt").read_text().splitlines() if line[0] != "#"]
    assert listed == [f"{yard.proxy.include}/{name}.pem {name}.example.com" for name in "ab"]


def test_a_replaced_certificate_needs_no_reload(yard: Yard) -> None:
    before, reloads = yard.served("a").fingerprint, yard.proxy.reloads
    yard.write(yard.site("a", **AGAIN), yard.site("b"))
    with asking(yard.proxy.port, "a.example.com") as seen:
        yard.stage.settle()
    assert failed(seen) == []
    assert yard.proxy.reloads == reloads
    assert yard.served("a").fingerprint != before
    yard.assert_served("a", "b")
    text = (yard.proxy.include / "a.pem").read_bytes()
    assert text.endswith(yard.stage.path("a", "fullchain.pem").read_bytes()), "the disk is written too"
    # what a person restarts comes up with the same
    yard.proxy.stop()
    yard.proxy.start()
    yard.assert_served("a", "b")


def test_what_is_served_until_now_is_seen_before_the_socket_replaces_it(yard: Yard) -> None:
    """Over a slow line too: else a stranger that comes by the replacing would seem to have been there before."""
    former, seen = yard.served("a").fingerprint, []

    def late() -> None:
        time.sleep(0.5)
        seen.append(yard.served("a").fingerprint)

    with relay(yard.proxy.port, late) as port:
        yard.write(yard.site("a", **AGAIN), yard.site("b"), verify={"ports": [port]})
        yard.stage.settle()
    now = yard.stage.live("a").facts.fingerprint
    assert seen[0] == former != now
    assert seen[-1] == now


def test_a_new_site_and_a_removed_one_reload_once_and_fail_nobody(yard: Yard) -> None:
    reloads = yard.proxy.reloads
    with asking(yard.proxy.port, "a.example.com") as seen:
        yard.write(yard.site("a", **AGAIN), yard.site("b"), yard.site("c"))
        yard.stage.settle()
        yard.assert_served("a", "b", "c")
        assert yard.proxy.reloads == reloads + 1
        yard.write(yard.site("a", **AGAIN), yard.site("c"))
        yard.stage.settle(Limits(removals=1))
    assert failed(seen) == []
    yard.assert_served("a", "c")
    assert yard.names() == ["a.pem", "c.pem", "crt-list.txt"]
    until(lambda: refused(yard, "b"), "HAProxy knows b no more")


def refused(yard: Yard, name: str) -> bool:
    try:
        yard.served(name)
    except OSError:
        return True
    return False


def test_one_site_alone_in_a_pass_keeps_the_lines_of_the_others(yard: Yard) -> None:
    from reconciler.model.ports import Scope

    yard.write(yard.site("a"), yard.site("b"), yard.site("c"))
    yard.stage.apply(Scope(sites=frozenset({"c"})))
    yard.assert_served("a", "b", "c")
    yard.stage.settle()


def test_without_a_socket_every_change_is_a_reload(yard: Yard) -> None:
    reloads = yard.proxy.reloads
    yard.write(yard.site("a", **AGAIN), yard.site("b"), socket=None)
    with asking(yard.proxy.port, "a.example.com") as seen:
        yard.stage.settle()
    assert failed(seen) == []
    assert yard.proxy.reloads == reloads + 1
    yard.assert_served("a", "b")


@pytest.mark.parametrize("what", ["vanished", "a file", "nobody listens"])
def test_a_socket_that_does_not_answer_is_a_reload(yard: Yard, what: str) -> None:
    reloads = yard.proxy.reloads
    other = yard.stage.root / "other.sock"
    if what == "a file":
        other.write_text("")
    elif what == "nobody listens":
        import socket

        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(other))
        listener.close()
    yard.write(yard.site("a", **AGAIN), yard.site("b"), socket=str(other))
    yard.stage.settle()
    assert yard.proxy.reloads == reloads + 1
    yard.assert_served("a", "b")


def test_drift_is_put_right(yard: Yard) -> None:
    (yard.proxy.include / "a.pem").write_text("nothing\n")
    (yard.proxy.include / "b.pem").unlink()
    listed = yard.proxy.include / "crt-list.txt"
    listed.write_text(listed.read_text().replace("b.example.com", "x.example.com"))
    changes = {(one.subject, one.reason) for one in yard.stage.diff().plan.changes if one.verb == "install"}
    assert changes == {("site/a", "Drifted"), ("site/b", "Drifted")}
    yard.stage.settle()
    yard.assert_served("a", "b")
    listed.unlink()
    yard.stage.settle()
    yard.assert_served("a", "b")
    listed.write_text("somebody's own\n")
    yard.stage.settle()
    yard.assert_served("a", "b")
    # a pair that is good, and another site's
    (yard.proxy.include / "a.pem").write_bytes((yard.proxy.include / "b.pem").read_bytes())
    yard.stage.settle()
    yard.assert_served("a", "b")


def test_a_list_that_is_not_ours_is_not_touched(stage: Stage, haproxy: Haproxy) -> None:
    yard = Yard(stage, haproxy)
    (haproxy.include / "crt-list.txt").write_text("/mine.pem\n")
    yard.write(yard.site("a"))
    yard.stage.apply()
    assert (haproxy.include / "crt-list.txt").read_text() == "/mine.pem\n"
    for existing in ("refuse", "adopt"):
        yard.write(yard.site("a"), existing=existing)
        [hold] = [hold for hold in yard.stage.diff().plan.holds if hold.reason == "ForeignFile"]
        assert (hold.site, hold.ends_when) == ("a", "the file is moved away")


def test_a_broken_site_among_many_is_held_alone(yard: Yard) -> None:
    names = [f"s{number}" for number in range(6)]
    # a file of somebody's that HAProxy loads beside the certificate, and stumbles over
    (yard.proxy.include / "s3.pem.sctl").write_text("garbage")
    yard.write(yard.site("a", **AGAIN), yard.site("b"), *(yard.site(name) for name in names))
    with asking(yard.proxy.port, "a.example.com") as seen:
        reports = yard.stage.apply()
    assert failed(seen) == []
    bad = {(verb, subject) for verb, subject, status, _ in yard.stage.outcomes(reports) if status != "done"}
    assert ("install", "site/s3") in bad
    good = [name for name in names if name != "s3"]
    yard.assert_served("a", "b", *good)
    assert "s3" not in (yard.proxy.include / "crt-list.txt").read_text()


def test_a_certificate_that_the_socket_refuses_is_put_back_alone(
    stage: Stage, haproxy: Haproxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    # of OpenSSL's levels the third refuses RSA keys of 2,048 bits
    strict = haproxy.root / "openssl.cnf"
    strict.write_text(
        "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nCipherString = DEFAULT@SECLEVEL=3\n"
    )
    monkeypatch.setenv("OPENSSL_CONF", str(strict))
    test = ["/usr/bin/env", f"OPENSSL_CONF={strict}", *haproxy.test_argv]
    yard = Yard(stage, haproxy)
    yard.write(yard.site("a"), yard.site("b"), test=test)
    (haproxy.root / "haproxy.pid").write_text("")
    stage.apply()
    haproxy.start()
    stage.shift = timedelta(minutes=10)
    stage.settle()
    former = (haproxy.include / "a.pem").read_bytes()
    yard.write(yard.site("a", privateKey={"algorithm": "rsa-2048"}), yard.site("b", **AGAIN), test=test)
    with asking(haproxy.port, "a.example.com") as seen:
        reports = stage.apply()
    assert failed(seen) == []
    bad = [(verb, subject, message) for verb, subject, status, message in stage.outcomes(reports) if status != "done"]
    assert [one[:2] for one in bad] == [("install", "site/a")]
    assert bad[0][2].startswith("RejectedByServer"), bad
    assert (haproxy.include / "a.pem").read_bytes() == former
    yard.assert_served("b")
    # whoever restarts it finds what it can load, and the others are renewed on
    haproxy.stop()
    haproxy.start()
    yard.assert_served("b")
    assert yard.served("a").names == {"a.example.com"}
    once_more = {"annotations": {"certwright/renewAt": "1"}}
    yard.write(yard.site("a", privateKey={"algorithm": "rsa-2048"}), yard.site("b", **once_more), test=test)
    assert all(status == "done" for _, _, status, _ in stage.outcomes(stage.apply()))
    yard.assert_served("b")


def test_a_damaged_copy_that_nothing_mends_leaves_the_list_alone(yard: Yard) -> None:
    suspended = {"suspend": True}
    (yard.proxy.include / "b.pem").write_text("nothing\n")
    yard.stage.path("b", "privkey.pem").write_text("nothing\n")
    yard.write(yard.site("a", **AGAIN), yard.site("b", **suspended), socket=None)
    with asking(yard.proxy.port, "a.example.com") as seen:
        reports = yard.stage.apply()
    assert failed(seen) == []
    undone = [one[:3] for one in yard.stage.outcomes(reports) if one[2] != "done"]
    assert undone == [("install", "site/b", "failed")]
    yard.assert_served("a")
    assert yard.names() == ["a.pem", "crt-list.txt"]
    assert "# site b" not in (yard.proxy.include / "crt-list.txt").read_text()
    yard.write(yard.site("a", **AGAIN), yard.site("b"), socket=None)
    yard.stage.settle()
    yard.assert_served("a", "b")
