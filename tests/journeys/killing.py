# ruff: noqa: ANN401  stands in for calls of any shape
"""Does one whole `apply` in a child that kills itself at its n-th system call that changes files; then converges.

Run as a program of its own (it forks, which a process with threads must not): `python -m tests.journeys.killing JOB`,
where JOB is a JSON file: `root` of a stage, `points` to try (null: every one), `limits`, `kept`: directories that are
made what `saved` holds for each point, `settles`: whether nothing may be held at the end. One line of JSON a point goes
to standard output, and an empty line is awaited on standard input before the next. With `paused` so it is told, and
awaited, before the death and after it too.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.model.observed import NoRevision, Revision
from reconciler.model.ports import Limits
from tests.journeys.stage import SERVER, Stage, ca_site, copy_target, document, told

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CALLS = ("rename", "fsync", "symlink", "unlink", "mkdir", "rmdir")
KEPT = ("state", "out", "loaded")


def arm(at: int) -> None:
    """Die instead of the `at`-th call, of whichever thread."""
    count = [0]

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            count[0] += 1
            if count[0] == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        return call

    for name in CALLS:
        setattr(os, name, dying(getattr(os, name)))


def in_child(work: Callable[[], None]) -> int:
    """Run in a child; give its wait status."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001  told, and the parent sees the code
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def restore(root: Path, kept: Sequence[str]) -> None:
    for name in kept:
        shutil.rmtree(root / name, ignore_errors=True)
        if (root / "saved" / Path(name).name).exists():
            shutil.copytree(root / "saved" / Path(name).name, root / name, symlinks=True)


def tell(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def pause(job: dict[str, Any], stage: str) -> None:
    if job.get("paused"):
        tell(stage=stage)
        sys.stdin.readline()


def check_killed(stage: Stage) -> None:
    """What must hold wherever the process died: a usable pair behind each pointer, only whole files."""
    for link in (stage.state / "live").glob("*") if (stage.state / "live").exists() else ():
        assert link.exists(), f"{link} dangles"
    with stage.app(read_only=True) as app:
        names = app.store.sites()
        for name, live in app.store.live(names).items():
            assert isinstance(live, NoRevision | Revision), (name, live)
    for path in (stage.root / "out").glob("*") if (stage.root / "out").exists() else ():
        if not path.name.startswith(".certwright-"):
            assert path.read_bytes().rstrip().endswith(b"-----"), f"{path} is half-written"


def converged(stage: Stage, limits: Limits, *, settles: bool) -> None:
    """What one further `apply` must reach; where something is refused and held, no more changes are wanted."""
    if settles:
        stage.settle(limits)
    else:
        stage.apply(limits=limits)
        assert told(stage.diff(limits=limits)) == []
    for name in KEPT[1:]:
        assert not list((stage.root / name).glob(".certwright-*")), "a staged file was left"
    out, loaded = ({path.name: path.read_bytes() for path in (stage.root / name).glob("*")} for name in KEPT[1:])
    assert out == loaded, "what is installed was not loaded"
    assert not list((stage.state / "orders").glob("*/*")), "an order or a key was left"
    assert not list((stage.state / "undo").glob("*")), "something was left in the world"
    assert not list((stage.state / "inventory").glob("*/switch.json"))
    assert not list((stage.state / "tmp").iterdir()), "tmp was not swept"


def warm(root: Path) -> None:
    """Import in the parent, once, what a child that applies a small tree has imported."""
    stage = Stage(root / "warm")

    def work() -> None:
        stage.write("all.yaml", document("Server", "home", SERVER), copy_target(stage.root / "out"), ca_site("one"))
        stage.settle()
        (root / "modules").write_text("\n".join(sys.modules))

    assert in_child(work) == 0
    for name in (root / "modules").read_text().split():
        with suppress(ImportError):
            importlib.import_module(name)


def main(job: dict[str, Any]) -> None:
    """Try the points, each told in a line."""
    stage, limits = Stage(Path(job["root"])), Limits(**job["limits"])
    warm(stage.root)

    def converge() -> None:
        converged(stage, limits, settles=job["settles"])

    points = iter(job["points"]) if job["points"] else iter(range(1, 100_000))
    for at in points:
        restore(stage.root, job["kept"])
        pause(job, "restored")

        def die(at: int = at) -> None:
            arm(at)
            stage.apply(limits=limits)

        status = in_child(die)
        killed = os.WIFSIGNALED(status)
        pause(job, "died")
        codes = [0 if killed else os.waitstatus_to_exitcode(status)]
        codes += [in_child(lambda: check_killed(stage)), in_child(converge)]
        tell(at=at, killed=killed, ok=codes == [0, 0, 0], codes=codes)
        if not killed or codes != [0, 0, 0]:
            return
        sys.stdin.readline()


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
