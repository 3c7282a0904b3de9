"""nginx: a real web server with a configuration of its own in a directory, on high ports, as whoever runs the tests."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.servers.processes import program, running, tail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Workers drop to `nobody` when the master is root, and cannot enter a test's private directory then.
_CONFIG = """\
{user}daemon off;
worker_processes 1;
worker_shutdown_timeout 5s;
pid {root}/nginx.pid;
error_log {root}/error.log notice;
events {{ worker_connections 256; }}
http {{
    access_log {root}/access.log;
    client_body_temp_path {root}/temp/body;
    proxy_temp_path {root}/temp/proxy;
    fastcgi_temp_path {root}/temp/fastcgi;
    uwsgi_temp_path {root}/temp/uwsgi;
    scgi_temp_path {root}/temp/scgi;
    default_type text/plain;
{http}
    include {include}/*.conf;
}}
"""


@dataclass(slots=True)
class Nginx:
    """An nginx under `root`. `*.conf` of `include` stand inside `http {}`; the directory exists from the start."""

    root: Path
    _life: ExitStack = field(default_factory=ExitStack)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        """The main configuration file: the user's own."""
        return self.root / "nginx.conf"

    @property
    def include(self) -> Path:
        """Where certwright puts its files."""
        return self.root / "certwright.d"

    @property
    def argv(self) -> tuple[str, ...]:
        """The command that starts it in the foreground; with `-t` added it tests, with `-s reload` it reloads."""
        return (program("nginx"), "-p", str(self.root), "-c", str(self.config), "-e", str(self.root / "error.log"))

    @property
    def test_argv(self) -> tuple[str, ...]:
        """The command that tests the configuration: a Target's `test`."""
        return (*self.argv, "-t", "-q")

    @property
    def reload_argv(self) -> tuple[str, ...]:
        """The command that reloads: a Target's `reload`."""
        return (*self.argv, "-s", "reload")

    @property
    def error_log(self) -> str:
        """The end of the error log."""
        return tail(self.root / "error.log")

    @property
    def access_log(self) -> str:
        """The end of the access log."""
        return tail(self.root / "access.log")

    @property
    def pid(self) -> int:
        """The master's process id."""
        assert self._process is not None, "nginx is not running"
        return self._process.pid

    @property
    def reloads(self) -> int:
        """How many reloads the master began."""
        log = self.root / "error.log"
        return log.read_text(errors="replace").count(": reconfiguring") if log.exists() else 0

    def configure(self, http: str) -> None:
        """Write the main configuration with `http` (server blocks, say) inside `http {}`; it is not reloaded."""
        user = "user root;\n" if os.geteuid() == 0 else ""
        self.config.write_text(_CONFIG.format(user=user, root=self.root, include=self.include, http=http))

    def test(self) -> subprocess.CompletedProcess[str]:
        """Test the configuration; the verdict is the return code, the words are in stderr."""
        return subprocess.run(self.test_argv, capture_output=True, text=True, check=False, timeout=60)

    def start(self) -> None:
        """Start, and return when the ports are bound; ServerDiedError if the configuration is broken."""
        pid_file = self.root / "nginx.pid"
        pid_file.unlink(missing_ok=True)  # one that was killed leaves it

        def ready() -> bool:
            return pid_file.exists() and bool(pid_file.read_text())

        self._process = self._life.enter_context(running(self.argv, log=self.root / "output.log", ready=ready))

    def reload(self) -> None:
        """Ask the master to reload. Proves nothing: look at a handshake."""
        os.kill(self.pid, signal.SIGHUP)

    def stop(self) -> None:
        """End it; it may be started again."""
        self._process = None
        self._life.close()


@contextmanager
def nginx(root: Path, http: str = "", *, start: bool = True) -> Iterator[Nginx]:
    """Make an nginx under `root` with `http` inside its `http {}`, running unless `start` is false."""
    server = Nginx(root)
    server.include.mkdir(parents=True)
    (root / "temp").mkdir()
    server.configure(http)
    try:
        if start:
            server.start()
        yield server
    finally:
        server.stop()
