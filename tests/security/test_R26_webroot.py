"""R26: an answer in somebody's webroot is a new file, and only that very file is taken away, also after `kill -9`.

What stands there before, and links of strangers: `tests/challenges/test_webroot.py`.
"""

from __future__ import annotations

import functools
import http.server
import signal
import socket
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.journeys.stage import SERVER, document, site
from tests.program import Program
from tests.servers.processes import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.pebble import Pebble

BELOW = ".well-known/acme-challenge"


def tree(root: Path) -> dict[str, bytes | None]:
    """Give what stands below a directory: the content of files, None for directories."""
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


@contextmanager
def silent(port: int) -> Iterator[None]:
    """Take connections and say nothing: the CA waits for our answer."""
    with socket.create_server(("127.0.0.1", port), backlog=16):
        yield


@contextmanager
def serving(port: int, webroot: Path) -> Iterator[None]:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(webroot))
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(name="program")
def _program(tmp_path: Path, pebble: Pebble) -> Program:
    program = Program(tmp_path)
    webroot = tmp_path / "webroot"
    (webroot / ".well-known").mkdir(parents=True)
    (webroot / ".well-known" / "security.txt").write_text("theirs")
    issuer = {"type": "acme", "directory": pebble.directory, "caBundle": str(pebble.bundle), "trust": "test"}
    documents = [
        document("Server", "home", SERVER),
        document("Issuer", "pebble", issuer),
        document("ChallengeMethod", "web", {"type": "http-01", "webroot": {"directory": str(webroot)}}),
        site("one", "one.example.com", "two.example.com", issuers=["pebble"], challenges=[{"method": "web"}]),
    ]
    program.manifests.mkdir()
    (program.manifests / "all.yaml").write_text(yaml.safe_dump_all(documents))
    return program


def kill_in_the_middle(program: Program, webroot: Path) -> list[Path]:
    """Kill `apply` once both answers stand; give them."""
    child = subprocess.Popen(program.argv("apply"), env=program.environment(), stderr=subprocess.PIPE)
    try:
        until(lambda: child.poll() is not None or len(list((webroot / BELOW).glob("*"))) == 2, "both stand", 30)
    finally:
        child.kill()
        _, told = child.communicate()
    assert child.returncode == -signal.SIGKILL, told
    return list((webroot / BELOW).glob("*"))


@pytest.mark.parametrize("order", ["resumed", "lost"])
def test_nothing_of_ours_is_left_after_kill_and_restart(program: Program, pebble: Pebble, order: str) -> None:
    webroot = program.root / "webroot"
    before = tree(webroot)
    with silent(pebble.http_port):
        left = kill_in_the_middle(program, webroot)
    assert len(left) == 2
    assert {path.stat().st_mode & 0o7777 for path in left} == {0o644}
    if order == "lost":
        (program.state / "orders" / "one" / "order.json").unlink()  # a new one has other tokens
    with serving(pebble.http_port, webroot):
        done = program("apply")
    assert done.returncode == 0, done.stdout + done.stderr
    assert tree(webroot) == before
    assert list((program.state / "undo").iterdir()) == []


def test_only_the_very_file_that_we_wrote_is_taken_away(program: Program, pebble: Pebble) -> None:
    """The owner swaps one answer for a file of his own under the same name: it stays, and so does its directory."""
    webroot = program.root / "webroot"
    with silent(pebble.http_port):
        left = kill_in_the_middle(program, webroot)
    swapped, other = left
    own = webroot / "own"
    own.write_text("his own")
    own.replace(swapped)
    (program.manifests / "all.yaml").write_text(yaml.safe_dump_all([document("Server", "home", SERVER)]))
    done = program("apply", "--allow-removals", "1")
    assert not other.exists(), done.stdout + done.stderr
    assert swapped.read_text() == "his own"
    assert (webroot / ".well-known" / "security.txt").read_text() == "theirs"
