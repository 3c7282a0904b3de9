"""Apache httpd: a real web server with a configuration of its own in a directory, on high ports."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.processes import program, running, tail

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODULES = ("mpm_event", "authz_core", "alias", "rewrite", "info", "mime", "ssl", "socache_shmcb")
_PLACES = (Path("/usr/lib/apache2/modules"), Path("/usr/lib64/httpd/modules"), Path("/usr/lib/httpd/modules"))
# As root the children drop to `daemon`, and cannot enter a test's private directory: all certificates are read before.
_CONFIG = """\
ServerRoot {root}
ServerName localhost
PidFile {root}/apache.pid
DefaultRuntimeDir {root}
Mutex file:{root} default
ErrorLog {root}/error.log
LogLevel notice
{modules}
<IfModule mime_module>
    TypesConfig /dev/null
</IfModule>
StartServers 1
ThreadsPerChild 25
MinSpareThreads 5
MaxSpareThreads 50
GracefulShutdownTimeout 5
<Directory />
    AllowOverride None
    Require all denied
</Directory>
{own}
{line}
"""


@dataclass(slots=True)
class Apache:
    """An Apache under `root`. `*.conf` of `include` stand at its top level; the directory exists from the start."""

    root: Path
    _life: ExitStack = field(default_factory=ExitStack)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        """The main configuration file: the user's own."""
        return self.root / "apache.conf"

    @property
    def include(self) -> Path:
        """Where certwright puts its files."""
        return self.root / "certwright.d"

    @property
    def argv(self) -> tuple[str, ...]:
        """The command that starts it in the foreground is this with `-D FOREGROUND`."""
        return (_program(), "-d", str(self.root), "-f", str(self.config))

    @property
    def test_argv(self) -> tuple[str, ...]:
        """The command that tests the configuration: a Target's `test`."""
        return (*self.argv, "-t")

    @property
    def reload_argv(self) -> tuple[str, ...]:
        """The command that reloads: a Target's `reload`."""
        return ("/bin/sh", "-c", f"echo >> {self.root}/reloads; kill -USR1 $(cat {self.root}/apache.pid)")

    @property
    def error_log(self) -> str:
        """The end of the error log."""
        return tail(self.root / "error.log")

    @property
    def pid(self) -> int:
        """The parent's process id."""
        assert self._process is not None, "Apache is not running"
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the parent still runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def reloads(self) -> int:
        """How many reloads were asked for by `reload_argv`."""
        log = self.root / "reloads"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def configure(self, own: str, *, include: bool = True) -> None:
        """Write the main configuration with `own` (`Listen` lines, say); it is not reloaded."""
        place = next(path for path in _PLACES if path.is_dir())
        modules = "\n".join(f"LoadModule {name}_module {place}/mod_{name}.so" for name in _MODULES)
        line = f"IncludeOptional {self.include}/*.conf" if include else ""
        self.config.write_text(_CONFIG.format(root=self.root, own=own, modules=modules, line=line))

    def test(self) -> subprocess.CompletedProcess[str]:
        """Test the configuration; the verdict is the return code, the words are in stderr."""
        return subprocess.run(self.test_argv, capture_output=True, text=True, check=False, timeout=60)

    def start(self) -> None:
        """Start, and return when the ports are bound; ServerDiedError if the configuration is broken."""
        pid_file = self.root / "apache.pid"
        pid_file.unlink(missing_ok=True)

        def ready() -> bool:
            return pid_file.exists() and "resuming normal operations" in self.error_log

        argv = (*self.argv, "-D", "FOREGROUND")
        self._process = self._life.enter_context(running(argv, log=self.root / "output.log", ready=ready))

    def reload(self) -> None:
        """Ask for a graceful restart. Proves nothing: look at a handshake."""
        os.kill(self.pid, signal.SIGUSR1)

    def stop(self) -> None:
        """End it; it may be started again."""
        self._process = None
        self._life.close()


def _program() -> str:
    try:
        return program("apache2")
    except AssertionError:
        return program("httpd")


@contextmanager
def apache(root: Path, own: str = "", *, start: bool = True) -> Iterator[Apache]:
    """Make an Apache under `root` with `own` in its configuration, running unless `start` is false."""
    server = Apache(root)
    server.include.mkdir(parents=True)
    server.configure(own)
    try:
        if start:
            server.start()
        yield server
    finally:
        server.stop()
