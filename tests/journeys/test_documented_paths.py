"""What appears in a state directory, even for a moment, is what `state/README.md` says, with the modes it says."""

from __future__ import annotations

import re
import stat
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from tests.journeys.stage import WAY, Stage, ca_site, copy_target, document, site
from tests.store.test_layout import ROW, SPECIFICATION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.pebble import Pebble

PART: Final = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
NARROW: Final = {"<port>": "[0-9]+", "<shard>": "[0-9a-f]{2}", "<token>": "[A-Za-z0-9_-]+"}
SQLITE: Final = re.compile(r"(?:ledger|index)\.sqlite-(?:wal|shm|journal)")


def documented() -> dict[re.Pattern[str], str]:
    """The table: patterns of paths, and their modes."""
    rows = ROW.findall(SPECIFICATION.read_text())

    def pattern(path: str) -> re.Pattern[str]:
        text = re.escape(path).rstrip("/")
        return re.compile(re.sub(r"<[a-z]+>", lambda found: NARROW.get(found[0], PART), text))

    return {pattern(path): mode for path, mode in rows}


@contextmanager
def watching(state: Path) -> Iterator[dict[str, str]]:
    """Look again and again; give each path that was ever there with its mode."""
    seen: dict[str, str] = {}
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.002):
            with suppress(FileNotFoundError):  # a directory may go while it is walked
                for path in state.rglob("*"):
                    with suppress(FileNotFoundError):
                        mode = path.lstat().st_mode
                        shown = "link" if stat.S_ISLNK(mode) else f"{stat.S_IMODE(mode):04o}"
                        seen[path.relative_to(state).as_posix()] = shown

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def test_no_path_is_undocumented(stage: Stage, pebble: Pebble) -> None:
    issuer = {"type": "acme", "directory": pebble.directory, "caBundle": str(pebble.bundle)}
    listener = {"port": pebble.http_port}
    stage.write(
        "base.yaml",
        document("Server", "home", {"email": "me@example.com", "agreeToTerms": True}),
        document("Issuer", "pebble", issuer),
        document("ChallengeMethod", "own", {**WAY, "listener": listener}),
        copy_target(stage.root / "copies"),
    )
    stage.state.mkdir(mode=0o700)
    with watching(stage.state) as seen:
        stage.write("one.yaml", site("one", issuers=["pebble"], challenges=[{"method": "own"}], targets=["copy"]))
        stage.write("two.yaml", ca_site("two"))
        stage.write("three.yaml", ca_site("three"))
        stage.write("four.yaml", ca_site("four"))
        stage.settle()
        (stage.manifests / "two.yaml").unlink()
        stage.settle()
    rows = documented()
    of = {path: next((mode for row, mode in rows.items() if row.fullmatch(path)), None) for path in seen}
    strange = {
        path
        for path, mode in of.items()
        if mode is None and not SQLITE.fullmatch(path) and not re.fullmatch(rf"tmp/{PART}/.*", path)
    }
    assert not strange
    wrong = {path: (seen[path], mode) for path, mode in of.items() if mode is not None and seen[path] != mode}
    assert not wrong
    met = {row.pattern for row in rows if any(row.fullmatch(path) for path in seen)}
    assert {row.pattern for row in rows if row.pattern.startswith(("tokens", "orders", "undo"))} & met
