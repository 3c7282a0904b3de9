"""A street whose names are proven by DNS: a name server, Pebble asking it, certwright in between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.model.ports import Limits
from tests.builders import Crash
from tests.journeys.stage import FULL, SERVER, Stage, document, site
from tests.servers.zones import ALGORITHM, KEY_NAME, SECRET, NameServer

if TYPE_CHECKING:
    from tests.servers.pebble import Pebble


@dataclass
class DnsStreet:
    """`server` holds the zones that are written to; Pebble asks it, or a resolver before it."""

    stage: Stage
    server: NameServer
    ca: Pebble

    def rfc2136(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401  any field
        """Give the provider that writes to the street's server."""
        secret = self.stage.root / "tsig.key"
        secret.write_text(SECRET + "\n")
        tsig = {"name": KEY_NAME, "algorithm": ALGORITHM, "secret": {"file": str(secret)}}
        return {"type": "rfc2136", "server": self.server.endpoint, "tsig": tsig, **changes}

    def write(self, *sites: dict[str, object], **method: Any) -> None:  # noqa: ANN401
        """Write the tree: these sites, proven by the method `zone`."""
        given = {"type": "dns-01", "provider": self.rfc2136(), **method}
        spec = {name: value for name, value in given.items() if value is not None}
        self.stage.write(
            "base.yaml",
            document("Server", "home", SERVER),
            document("Issuer", "pebble", self.issuer()),
            document("ChallengeMethod", "zone", spec),
        )
        self.stage.write("sites.yaml", *sites)

    def issuer(self) -> dict[str, Any]:
        """Give the CA's issuer; of test trust, since the names are below .test."""
        ca = self.ca
        return {"type": "acme", "directory": ca.directory, "caBundle": str(ca.bundle), "trust": "test"}

    @staticmethod
    def site(name: str, *hostnames: str, **spec: Any) -> dict[str, object]:  # noqa: ANN401
        """Make a Site of this street."""
        return site(name, *hostnames, **{"issuers": ["pebble"], "challenges": [{"method": "zone"}], **spec})

    def apply_until_settled(self) -> None:
        """Apply, and die as soon as every answer is presented: no handler of failures sees it."""
        with self.stage.app() as app, pytest.MonkeyPatch.context() as patch:

            def die(*_args: object) -> None:
                raise Crash

            patch.setattr("reconciler.challenges.dns.dns01.DnsSolver.settle", die)
            patch.setattr("reconciler.issuers.acme.issuer.AcmeIssuer._tidy", lambda _desk: None)
            report = app.engine.look(FULL, Limits())
            steps = app.executor()._steps
            for change in report.plan.changes:
                steps(change, report.declared)

    def later(self) -> None:
        """Let ten minutes go by: what waits or failed is due again."""
        self.stage.shift += timedelta(minutes=10)

    def failure(self, name: str) -> str:
        """Give reason and words of the last failure of a site."""
        last = self.stage.memory(name).failures["issue"].last
        return f"{last.reason}: {last.detail}" if last else ""

    def left(self) -> list[str]:
        """Give the undo records that are still in the store."""
        return sorted(path.name for path in (self.stage.state / "undo").iterdir())
