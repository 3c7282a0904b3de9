"""A small tree of the embedded CA and a `files` target, a loop over it with time of its own, a `run` as a process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from reconciler.doors.clock import SystemClock
from reconciler.execute.executor import Pace
from reconciler.loop.parts import Parts
from reconciler.loop.passes import Loop
from reconciler.model.observed import Revision
from reconciler.model.outcomes import Status
from reconciler.wiring import App, Options, build

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.model.changes import Plan, Verb
    from reconciler.model.outcomes import Outcome
    from reconciler.model.ports import Declared

DEADLINE = 10.0
_SETTLING = 6.0


def site(name: str, *, issuer: str = "ca", hostnames: str = "", extra: str = "") -> str:
    names = hostnames or f"{name}.example.com"
    spec = f"{{hostnames: [{names}], issuers: [{issuer}], targets: [panel]{extra}}}"
    return f"apiVersion: certwright/v1\nkind: Site\nmetadata: {{name: {name}}}\nspec: {spec}\n"


@dataclass
class Street:
    """A manifest tree, a store and a directory where the target installs."""

    home: Path
    reload: str = ""

    def __post_init__(self) -> None:
        for name in ("manifests", "out"):
            (self.home / name).mkdir()
        out = self.home / "out"
        spec = f'{{type: files, key: "{out}/{{site}}.key", fullchain: "{out}/{{site}}.pem"{self.reload}}}'
        server = "apiVersion: certwright/v1\nkind: Server\nmetadata: {name: home}\nspec: {hostname: home.example.com}\n"
        self.write("00-server", server)
        self.write("01-panel", f"apiVersion: certwright/v1\nkind: Target\nmetadata: {{name: panel}}\nspec: {spec}\n")

    @property
    def manifests(self) -> str:
        return str(self.home / "manifests")

    @property
    def state(self) -> str:
        return str(self.home / "state")

    def write(self, name: str, text: str) -> None:
        """Write a manifest the way editors do: beside, then renamed."""
        fresh = self.home / "manifests" / f".{name}.new"
        fresh.write_text(text)
        fresh.rename(self.home / "manifests" / f"{name}.yaml")

    def remove(self, name: str) -> None:
        (self.home / "manifests" / f"{name}.yaml").unlink()

    def installed(self, name: str) -> Path:
        return self.home / "out" / f"{name}.pem"


# --- time of its own -------------------------------------------------------------------------------------------------


class OwnTime(SystemClock):
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0
        self.skew = 0.0
        self._began = datetime.now(UTC)

    def now(self) -> datetime:  # type: ignore[override]
        return self._began + timedelta(seconds=self.passed + self.skew)

    def monotonic(self) -> float:  # type: ignore[override]
        return self.passed


@dataclass
class Simulation:
    """A loop whose plans are executed at once, and whose time passes only when nothing is left to do."""

    street: Street
    outcomes: list[tuple[datetime, Outcome]] = field(default_factory=list)
    slow: Callable[[Plan], None] = lambda _plan: None
    full: bool = True

    def __post_init__(self) -> None:
        self.clock = OwnTime()
        options = Options((self.street.manifests,), self.street.state, verb="run", lenient=True)
        self.app: App = build(options, clock=self.clock)
        executor = self.app.executor(Pace(2, patience=0.0, gather=True))

        def execute(plan: Plan, declared: Declared) -> Iterator[Outcome]:
            self.slow(plan)
            for outcome in executor(plan, declared):
                self.outcomes.append((self.clock.now(), outcome))
                yield outcome

        parts = Parts(self.app.engine, execute, self.app.store, self.clock, lambda work: work(), self.full)
        self.loop = Loop(parts)

    def start(self) -> None:
        self.loop.start()
        self.settle()

    def settle(self) -> None:
        """Step until nothing but times is left, a few seconds of the loop's own walks included."""
        # the kernel stamps files a little late, and a file as young as the look at it keeps its site loud
        time.sleep(0.03)
        end = self.clock.passed + _SETTLING
        while self.clock.passed < end:
            self.clock.passed += max(min(self.loop.step(), 1.0), 0.01)

    def sleep(self, span: timedelta) -> None:
        """Let time pass, from one due time to the next."""
        end = self.clock.passed + span.total_seconds()
        while self.clock.passed < end:
            wait = self.loop.idle_until()
            self.clock.passed += max(min(end - self.clock.passed, wait if wait is not None else 1e9), 0.01)
            self.settle()

    def done(self, verb: Verb) -> list[tuple[datetime, str]]:
        """Give when which sites had a change of this verb done."""
        ended = ((at, one) for at, one in self.outcomes if one.status is Status.DONE)
        return [(at, one.change.site or "") for at, one in ended if one.change.verb is verb]

    def live(self) -> Mapping[str, Revision]:
        names = self.app.tree.refresh()
        found = self.app.store.live(names)
        return {name: live for name, live in found.items() if isinstance(live, Revision)}

    def close(self) -> None:
        self.app.close()


# --- as a process ----------------------------------------------------------------------------------------------------


@dataclass
class Process:
    """`certwright run` with its log."""

    child: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def says(self, text: str) -> bool:
        return text in self.log

    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.child.pid}/task").iterdir()))

    def descriptors(self) -> int:
        """Count the open descriptors. Needs a process of the same user that may be looked into."""
        return len(list(Path(f"/proc/{self.child.pid}/fd").iterdir()))

    def stop(self, number: int = signal.SIGTERM, seconds: float = DEADLINE) -> int:
        self.child.send_signal(number)
        return self.child.wait(seconds)


class Machine(Protocol):
    """Where a process finds its manifests and its state; its log is written in `home`."""

    @property
    def home(self) -> Path: ...
    @property
    def manifests(self) -> str: ...
    @property
    def state(self) -> str: ...


def certwright(street: Machine, *words: str, **given: object) -> subprocess.CompletedProcess[str]:
    """Run another verb beside."""
    command = [sys.executable, "-I", "-m", "reconciler.cli", *words, "-f", street.manifests, "--state", street.state]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **given)  # type: ignore[call-overload, no-any-return]


@contextmanager
def running(street: Machine, *words: str) -> Iterator[Process]:
    """Start `certwright run` and end it with the block."""
    log = street.home / "log"
    command = [sys.executable, "-I", "-m", "reconciler.cli", "run", "-v", *words]
    command += ["-f", street.manifests, "--state", street.state]
    with log.open("ab") as stream:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
    process = Process(child, log)
    try:
        yield process
    finally:
        if child.poll() is None:
            child.kill()
            child.wait(DEADLINE)
