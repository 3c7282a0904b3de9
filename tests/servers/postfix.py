"""Postfix: a real mail server with a configuration of its own, on high ports. It must be started by root."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.servers.identity import make_identity
from tests.servers.ports import free_port
from tests.servers.processes import listens, program, tail, until

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAIN = """\
compatibility_level = 3.6
queue_directory = {run}/queue
data_directory = {run}/data
maillog_file = {run}/log
maillog_file_prefixes = {run}
myhostname = mail.invalid
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = reject
smtpd_tls_security_level = may
smtpd_tls_chain_files = {chain}
tls_server_sni_maps = hash:{include}/sni
"""
_MASTER = """\
127.0.0.1:{smtp} inet n - n - - smtpd
127.0.0.1:{smtps} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
error unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(slots=True)
class Postfix:
    """A Postfix under `run`; its own certificate is for `mail.invalid`."""

    run: Path
    smtp: int = field(default_factory=free_port)
    smtps: int = field(default_factory=free_port)

    @property
    def include(self) -> Path:
        """Where certwright puts its files."""
        return self.run / "certwright.d"

    @property
    def own(self) -> Path:
        """The server's own key and certificate."""
        return self.run / "own.pem"

    @property
    def test_argv(self) -> tuple[str, ...]:
        """The command that tests the configuration: a Target's `test`."""
        return (program("postfix"), "-c", str(self.run / "conf"), "check")

    @property
    def postmap_argv(self) -> tuple[str, ...]:
        """The command that builds the map: a Target's `postmap`."""
        return (program("postmap"), "-c", str(self.run / "conf"), "-F", f"hash:{self.include}/sni")

    @property
    def reload_argv(self) -> tuple[str, ...]:
        """The command that reloads, and counts: a Target's `reload`."""
        command = f"echo >> {self.run}/reloads; exec {program('postfix')} -c {self.run}/conf reload"
        return ("/bin/sh", "-c", command)

    @property
    def reloads(self) -> int:
        """How many reloads were asked for."""
        log = self.run / "reloads"
        return len(log.read_text().splitlines()) if log.exists() else 0

    @property
    def log(self) -> str:
        """The end of the log."""
        return tail(self.run / "log")

    def configure(self, chain: Path | None = None) -> None:
        """Write the configuration; `chain` is what a client without a known name gets."""
        for name in ("conf", "queue", "data"):
            (self.run / name).mkdir(exist_ok=True)
        shutil.chown(self.run / "data", "postfix")
        if not self.own.exists():
            made = make_identity(self.run / "made", "mail.invalid")
            self.own.write_bytes(made.key.read_bytes() + made.certificate.read_bytes())
        main = _MAIN.format(run=self.run, include=self.include, chain=chain or self.own)
        (self.run / "conf" / "main.cf").write_text(main)
        (self.run / "conf" / "master.cf").write_text(_MASTER.format(smtp=self.smtp, smtps=self.smtps))

    def start(self) -> None:
        """Start, and return when both ports are bound."""
        self._command("start")
        until(lambda: listens("127.0.0.1", self.smtp) and listens("127.0.0.1", self.smtps), "Postfix listens")

    def stop(self) -> None:
        """End it; it may be started again."""
        self._command("stop")

    def _command(self, word: str) -> None:
        argv = (program("postfix"), "-c", str(self.run / "conf"), word)
        subprocess.run(argv, capture_output=True, check=False, timeout=60)


@contextmanager
def postfix() -> Iterator[Postfix]:
    """Make a Postfix with an empty map, running, in a directory of its own that its processes may enter."""
    with TemporaryDirectory(prefix="postfix") as run:
        server = Postfix(Path(run))
        server.run.chmod(0o755)
        server.include.mkdir()
        server.configure()
        server.start()
        try:
            yield server
        finally:
            server.stop()
