"""One command, one answer; whoever listens there, and whatever they say, is bounded."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from reconciler.doors import runtime_socket
from reconciler.errors import Failed
from tests.servers.unix_socket import answering, heard


def test_an_answer_is_given_whole(tmp_path: Path) -> None:
    def answer(connection: socket.socket) -> None:
        got = connection.recv(100)
        for part in (b"got ", got):
            connection.sendall(part)
            time.sleep(0.02)

    with answering(tmp_path / "s", answer):
        assert runtime_socket.ask(str(tmp_path / "s"), b"show info\n") == b"got show info\n"


def test_a_long_path_is_no_hindrance(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100) / ("y" * 100)
    deep.mkdir(parents=True)
    here = os.open(deep, os.O_PATH)
    try:
        with answering(Path(f"/proc/self/fd/{here}/s"), heard([], b"yes")):
            assert runtime_socket.ask(str(deep / "s"), b"x\n") == b"yes"
    finally:
        os.close(here)


def test_silence_ends_at_the_deadline(tmp_path: Path) -> None:
    with answering(tmp_path / "s", lambda _: time.sleep(1)):
        began = time.monotonic()
        with pytest.raises(Failed, match="no answer within"):
            runtime_socket.ask(str(tmp_path / "s"), b"x\n", timeout=0.2)
        assert time.monotonic() - began < 2


def test_a_drip_ends_at_the_deadline_too(tmp_path: Path) -> None:
    def drip(connection: socket.socket) -> None:
        for _ in range(100):
            connection.sendall(b".")
            time.sleep(0.05)

    with answering(tmp_path / "s", drip), pytest.raises(Failed, match="no answer within"):
        runtime_socket.ask(str(tmp_path / "s"), b"x\n", timeout=0.3)


def test_an_endless_answer_is_cut(tmp_path: Path) -> None:
    def pour(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * 4096)

    with answering(tmp_path / "s", pour), pytest.raises(Failed, match="more than 65536 bytes"):
        runtime_socket.ask(str(tmp_path / "s"), b"x\n")


@pytest.mark.parametrize("what", ["nothing", "file", "link", "dead", "open directory"])
def test_what_is_no_trusted_socket_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "s"
    if what == "file":
        path.touch()
    elif what == "link":
        path.symlink_to(tmp_path / "other")
    elif what in ("dead", "open directory"):
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(str(path))
        dead.close()
    if what == "open directory":
        tmp_path.chmod(0o777)
    with pytest.raises(Failed) as caught:
        runtime_socket.ask(str(path), b"x\n")
    assert caught.value.reason == "SocketRefused"
