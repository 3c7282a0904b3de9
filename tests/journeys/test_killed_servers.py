"""Killed at each call that changes a file, and the server restarted by hand before the next pass: it always starts.

One site is renewed, one comes, one goes, one stays as it is. Whoever restarts the server in between finds each name
served with a certificate that it had or is to have; the next pass knows what is loaded and puts the rest right.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.journeys.stage import SERVER, Stage, document, site
from tests.journeys.test_killed import kill_everywhere
from tests.servers.handshake import handshake
from tests.servers.ports import free_port
from tests.servers.postfix import postfix
from tests.servers.processes import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.servers.haproxy import Haproxy
    from tests.servers.nginx import Nginx

AGAIN = {"annotations": {"certwright/renewAt": "now"}}
# about a tenth of the calls that a whole change makes; `make soak` tries every one
SAMPLED = range(3, 400, 17)


class Server(Protocol):
    """What a person can do with any of them."""

    @property
    def include(self) -> Path: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass
class Yard:
    """A server that runs with `renewed`, `stays` and `goes`."""

    stage: Stage
    server: Server
    port: int
    target: Mapping[str, object]

    def write(self, *sites: dict[str, object]) -> None:
        self.stage.write("base.yaml", document("Server", "home", SERVER), document("Target", "web", self.target))
        self.stage.write("sites.yaml", *sites)

    def site(self, name: str, **spec: object) -> dict[str, object]:
        return site(name, **{"issuers": ["ca"], "targets": ["web"], **spec})

    def shown(self, name: str) -> str:
        return handshake(self.port, f"{name}.example.com").fingerprint

    def shows(self, name: str, fingerprint: str) -> bool:
        """Tell whether a name is served so; a server that has only just started may still reset a connection."""
        try:
            return self.shown(name) == fingerprint
        except OSError:
            return False

    def begin(self) -> None:
        self.write(*(self.site(name) for name in ("renewed", "stays", "goes")))
        self.stage.apply()
        self.server.stop()
        self.server.start()
        self.stage.shift = timedelta(minutes=10)
        self.stage.settle()

    def known(self, name: str) -> set[str]:
        with self.stage.app(read_only=True) as app:
            return {revision.facts.fingerprint for revision in app.store.revisions(name)}

    def kill(self, points: Sequence[int] | None) -> int:
        """Kill the change from three sites to another three at these points; give how many there were."""
        self.begin()
        stays = self.stage.live("stays").facts.fingerprint
        self.write(self.site("renewed", **AGAIN), self.site("stays"), self.site("comes"))
        kept = str(self.server.include)

        def restarted(stage: str) -> None:
            self.server.stop()
            self.server.start()  # fails where it cannot start with what a killed process left
            until(lambda: self.shows("stays", stays), "the server runs")
            if stage == "died":
                assert self.shown("renewed") in self.known("renewed")

        count = 0
        for _ in kill_everywhere(self.stage, points, removals=1, also=kept, meanwhile=restarted):
            count += 1
            assert self.shown("stays") == stays
            for name in ("renewed", "comes"):
                assert self.shown(name) == self.stage.live(name).facts.fingerprint
            assert not list(self.server.include.glob("goes*"))
        return count


def for_nginx(stage: Stage, nginx: Nginx) -> Yard:
    port = free_port()
    nginx.configure("")
    target = {
        "type": "nginx",
        "layout": "vhost",
        "configDirectory": str(nginx.include),
        "test": list(nginx.test_argv),
        "reload": {"command": list(nginx.reload_argv)},
        "verify": {"ports": [port]},
    }
    nginx.start()
    return Yard(stage, nginx, port, target)


def for_haproxy(stage: Stage, haproxy: Haproxy) -> Yard:
    target = {
        "type": "haproxy",
        "configDirectory": str(haproxy.include),
        "test": list(haproxy.test_argv),
        "reload": {"command": list(haproxy.reload_argv)},
        "verify": {"ports": [haproxy.port]},
    }
    (haproxy.root / "haproxy.pid").write_text("")
    return Yard(stage, haproxy, haproxy.port, target)


@pytest.fixture(name="mail")
def _mail(stage: Stage) -> Iterator[Yard]:
    with postfix() as server:
        target = {
            "type": "postfix",
            "configDirectory": str(server.include),
            "test": list(server.test_argv),
            "postmap": list(server.postmap_argv),
            "reload": {"command": list(server.reload_argv)},
            "verify": {"ports": [server.smtps]},
        }
        yield Yard(stage, server, server.smtps, target)


def test_nginx_sampled(stage: Stage, nginx: Nginx) -> None:
    assert for_nginx(stage, nginx).kill(list(SAMPLED)) > 5


def test_haproxy_sampled(stage: Stage, haproxy: Haproxy) -> None:
    assert for_haproxy(stage, haproxy).kill(list(SAMPLED)) > 5


def test_postfix_sampled(mail: Yard) -> None:
    assert mail.kill(list(SAMPLED)[::3]) > 2


@pytest.mark.soak
def test_nginx_at_each_call(stage: Stage, nginx: Nginx) -> None:
    assert for_nginx(stage, nginx).kill(None) > 60


@pytest.mark.soak
def test_haproxy_at_each_call(stage: Stage, haproxy: Haproxy) -> None:
    assert for_haproxy(stage, haproxy).kill(None) > 60


@pytest.mark.soak
def test_postfix_at_each_call(mail: Yard) -> None:
    assert mail.kill(None) > 60
