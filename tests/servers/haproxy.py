"""HAProxy: a real proxy with a configuration of its own in a directory, in master-worker mode, on high ports."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.servers.ports import LOOPBACK, free_port
from tests.servers.processes import listens, program, running, tail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CONFIG = """\
global
    stats socket {root}/admin.sock mode 600 level admin
    ssl-default-bind-options ssl-min-ver TLSv1.2
    hard-stop-after 5s
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 5s
frontend health
    bind {loopback}:{health}
    http-request return status 200
frontend web
    bind {loopback}:{port} ssl crt-list {include}/crt-list.txt{options}
    http-request return status 204
{own}
"""


@dataclass(slots=True)
class Haproxy:
    """An HAProxy under `root`, whose bind line names `crt-list.txt` of `include`, which exists from the start."""

    root: Path
    port: int = field(default_factory=free_port)
    health: int = field(default_factory=free_port)
    _life: ExitStack = field(default_factory=ExitStack)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        """The configuration file: the user's own."""
        return self.root / "haproxy.cfg"

    @property
    def include(self) -> Path:
        """Where certwright puts its files."""
        return self.root / "certwright.d"

    @property
    def socket(self) -> Path:
        """The runtime socket, of level admin."""
        return self.root / "admin.sock"

    @property
    def test_argv(self) -> tuple[str, ...]:
        """The command that tests the configuration: a Target's `test`."""
        return (program("haproxy"), "-c", "-f", str(self.config))

    @property
    def reload_argv(self) -> tuple[str, ...]:
        """The command that reloads: a Target's `reload`."""
        return ("/bin/sh", "-c", f"echo >> {self.root}/reloads; kill -USR2 $(cat {self.root}/haproxy.pid)")

    @property
    def log(self) -> str:
        """The end of what it printed."""
        return tail(self.root / "output.log")

    @property
    def reloads(self) -> int:
        """How many reloads were asked for by `reload_argv`."""
        log = self.root / "reloads"
        return len(log.read_text().splitlines()) if log.exists() else 0

    @property
    def pid(self) -> int:
        """The master's process id."""
        assert self._process is not None, "HAProxy is not running"
        return self._process.pid

    def configure(self, own: str = "", options: str = " strict-sni") -> None:
        """Write the configuration; `options` end the bind line. It is not reloaded."""
        self.config.write_text(
            _CONFIG.format(
                root=self.root, loopback=LOOPBACK, health=self.health, port=self.port, include=self.include,
                options=options, own=own,
            )
        )  # fmt: skip

    def test(self) -> subprocess.CompletedProcess[str]:
        """Test the configuration; the verdict is the return code."""
        return subprocess.run(self.test_argv, capture_output=True, text=True, check=False, timeout=60)

    def start(self) -> None:
        """Start, and return when the ports are bound; ServerDiedError if the configuration is broken."""
        argv = (program("haproxy"), "-W", "-f", str(self.config))
        ready = lambda: listens(LOOPBACK, self.health)  # noqa: E731
        self._process = self._life.enter_context(running(argv, log=self.root / "output.log", ready=ready))
        (self.root / "haproxy.pid").write_text(str(self.pid))

    def reload(self) -> None:
        """Ask the master to reload. Proves nothing: look at a handshake."""
        os.kill(self.pid, signal.SIGUSR2)

    def stop(self) -> None:
        """End it; it may be started again."""
        self._process = None
        self._life.close()


@contextmanager
def haproxy(root: Path) -> Iterator[Haproxy]:
    """Make an HAProxy under `root`, not started: without a certificate list it cannot."""
    server = Haproxy(root)
    server.include.mkdir(parents=True)
    server.configure()
    try:
        yield server
    finally:
        server.stop()
