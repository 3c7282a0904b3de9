# ruff: noqa: ANN401  builders pass any field on
"""A street: nginx at the door, Pebble in the town hall, certwright in between."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.journeys.stage import SERVER, WAY, Stage, document, site
from tests.servers.handshake import Served, handshake
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.nginx import Nginx


@dataclass
class Street:
    """`directory` and `bundle` are the CA's (or a front's); nginx answers http-01 at `http_port` from `webroot`."""

    stage: Stage
    web: Nginx
    directory: str
    bundle: Path
    http_port: int
    tls_port: int = field(default_factory=free_port)

    @property
    def webroot(self) -> Path:
        """Where the answers appear."""
        return self.stage.root / "webroot"

    def http(self, extra: str = "") -> None:
        """Configure nginx: port 80's part, and more inside `http {}`."""
        challenge = f"location /.well-known/acme-challenge/ {{ root {self.webroot}; }}"
        self.web.configure(f"server {{ listen 127.0.0.1:{self.http_port}; {challenge} }}\n{extra}")

    def write(self, *sites: dict[str, object], target: dict[str, Any] | None = None, **issuer: Any) -> None:
        """Write the tree: these sites, all else as the street has it."""
        self.webroot.mkdir(exist_ok=True)
        self.stage.write(
            "base.yaml",
            document("Server", "home", SERVER),
            document(
                "Issuer",
                "pebble",
                {"type": "acme", "directory": self.directory, "caBundle": str(self.bundle), **issuer},
            ),
            document("ChallengeMethod", "web", {**WAY, "webroot": {"directory": str(self.webroot)}}),
            self.target(**(target or {})),
        )
        self.stage.write("sites.yaml", *sites)

    def target(self, **spec: Any) -> dict[str, object]:
        """Make the nginx target."""
        values = {
            "type": "nginx",
            "layout": "vhost",
            "configDirectory": str(self.web.include),
            "test": list(self.web.test_argv),
            "reload": {"command": list(self.web.reload_argv)},
            "verify": {"ports": [self.tls_port]},
            **spec,
        }
        return document("Target", "web", {name: value for name, value in values.items() if value is not None})

    def site(self, name: str, *hostnames: str, **spec: Any) -> dict[str, object]:
        """Make a Site of this street."""
        return site(
            name, *hostnames, **{"issuers": ["pebble"], "challenges": [{"method": "web"}], "targets": ["web"], **spec}
        )

    def quick(self, name: str, *hostnames: str, **spec: Any) -> dict[str, object]:
        """Make a Site that the embedded CA signs at once."""
        return site(name, *hostnames, **{"issuers": ["ca"], "targets": ["web"], **spec})

    def served(self, name: str) -> Served:
        """Give what nginx shows for a name."""
        return handshake(self.tls_port, name)

    def assert_served(self, name: str, *hostnames: str) -> None:
        """See that nginx shows the live revision of a site for its names, and that it is no placeholder."""
        live = self.stage.live(name)
        assert not live.meta.placeholder
        for hostname in hostnames or (f"{name}.example.com",):
            seen = self.served(hostname)
            assert seen.fingerprint == live.facts.fingerprint
            assert hostname in seen.names
