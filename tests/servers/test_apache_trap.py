"""Why certwright checks certificates itself: what Apache does with one that its own test passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers.handshake import handshake
from tests.servers.identity import make_identity
from tests.servers.ports import free_port
from tests.servers.processes import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.apache import Apache


def test_apaches_test_passes_garbage_and_its_reload_ends_the_server(apache: Apache, tmp_path: Path) -> None:
    port, made = free_port(), make_identity(tmp_path / "made", "a.example")
    apache.configure(
        f"Listen 127.0.0.1:{port}\n<VirtualHost *:{port}>\nSSLEngine on\n"
        f"SSLCertificateFile {made.certificate}\nSSLCertificateKeyFile {made.key}\n</VirtualHost>"
    )
    apache.start()
    assert handshake(port, "a.example").names == {"a.example"}
    made.certificate.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    assert apache.test().returncode == 0
    apache.reload()
    until(lambda: not apache.alive, "Apache has ended")
