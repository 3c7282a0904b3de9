"""The example `wildcard`, against a real name server that takes signed updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers.bind import key_block
from tests.servers.knot import knot
from tests.servers.pebble import pebble
from tests.test_examples import Machine

if TYPE_CHECKING:
    from pathlib import Path


def test_wildcard(tmp_path: Path) -> None:
    here = Machine(tmp_path, "wildcard")
    key = here.path("/etc/certwright/tsig.key")
    key.parent.mkdir(parents=True)
    key.write_text(key_block())
    key.chmod(0o600)
    with knot(tmp_path / "ns", {"example.com": ()}) as server, pebble(tmp_path, server.endpoint) as ca:
        provider = {
            "type": "rfc2136",
            "server": server.endpoint,
            "tsig": {"name": "certwright", "secret": {"file": str(key)}},
        }
        here.copy(
            {
                ("Issuer", "letsencrypt"): {"type": "acme", "directory": ca.directory, "caBundle": str(ca.bundle)},
                ("ChallengeMethod", "zone"): {"provider": provider},
                ("Target", "copies"): {"reload": {"command": ["/bin/true"]}},
            }
        )
        here.stage.settle()
        assert server.query("_acme-challenge.example.com") == []
    assert here.stage.live("example").facts.hostnames == ("example.com", "*.example.com")
    assert here.path("/etc/ssl/wildcard/example.pem").exists()
