"""Dovecot: a real mail server with a configuration of its own in a directory, on high ports."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.servers.identity import make_identity
from tests.servers.ports import free_port
from tests.servers.processes import listens, program, running, tail

if TYPE_CHECKING:
    from collections.abc import Iterator

# Sockets stand under `run`, whose path must be short. Whoever is not root runs all of it as himself.
_CONFIG = """\
base_dir = {run}
state_dir = {run}
log_path = {root}/log
protocols = imap pop3
mail_location = maildir:{root}/mail/%u
listen = 127.0.0.1
ssl = required
ssl_cert = <{own}/server.pem
ssl_key = <{own}/server.key
passdb {{
  driver = static
  args = password=x
}}
{users}service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
!include_try {include}/*.conf
"""


@dataclass(slots=True)
class Dovecot:
    """A Dovecot under `root`; its own certificate is for `mail.invalid`."""

    root: Path
    run: Path
    imap: int = field(default_factory=free_port)
    imaps: int = field(default_factory=free_port)
    pop3: int = field(default_factory=free_port)
    pop3s: int = field(default_factory=free_port)
    _life: ExitStack = field(default_factory=ExitStack)

    @property
    def config(self) -> Path:
        """The main configuration file: the user's own."""
        return self.root / "dovecot.conf"

    @property
    def include(self) -> Path:
        """Where certwright puts its files."""
        return self.root / "certwright.d"

    @property
    def test_argv(self) -> tuple[str, ...]:
        """The command that tests the configuration: a Target's `test`."""
        return (program("doveconf"), "-c", str(self.config), "-n")

    @property
    def reload_argv(self) -> tuple[str, ...]:
        """The command that reloads, and counts: a Target's `reload`."""
        return ("/bin/sh", "-c", f"echo >> {self.root}/reloads; exec {program('doveadm')} -c {self.config} reload")

    @property
    def reloads(self) -> int:
        """How many reloads were asked for."""
        log = self.root / "reloads"
        return len(log.read_text().splitlines()) if log.exists() else 0

    @property
    def log(self) -> str:
        """The end of the log."""
        return tail(self.root / "log")

    def configure(self) -> None:
        """Write the main configuration."""
        user = os.environ.get("USER", "nobody")
        users = "" if os.geteuid() == 0 else f"default_login_user = {user}\ndefault_internal_user = {user}\n"
        ports = {"imap": self.imap, "imaps": self.imaps, "pop3": self.pop3, "pop3s": self.pop3s}
        make_identity(self.root / "own", "mail.invalid")
        self.config.write_text(
            _CONFIG.format(
                root=self.root, run=self.run, own=self.root / "own", include=self.include, users=users, **ports
            )
        )

    def start(self) -> None:
        """Start, and return when all four ports are bound."""
        argv = (program("dovecot"), "-c", str(self.config), "-F")
        ports = (self.imap, self.imaps, self.pop3, self.pop3s)
        ready = lambda: all(listens("127.0.0.1", port) for port in ports)  # noqa: E731
        self._life.enter_context(running(argv, log=self.root / "output.log", ready=ready))

    def test(self) -> subprocess.CompletedProcess[str]:
        """Test the configuration."""
        return subprocess.run(self.test_argv, capture_output=True, text=True, check=False, timeout=60)

    def stop(self) -> None:
        """End it; it may be started again."""
        self._life.close()


@contextmanager
def dovecot(root: Path, *, start: bool = True) -> Iterator[Dovecot]:
    """Make a Dovecot under `root`, running unless `start` is false."""
    with TemporaryDirectory(prefix="dovecot") as run:
        server = Dovecot(root, Path(run))
        server.include.mkdir(parents=True)
        server.configure()
        try:
            if start:
                server.start()
            yield server
        finally:
            server.stop()
