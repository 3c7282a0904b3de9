"""Terminals, pipes that end, full disks and signals: what is around a verb does not change what it does."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.processes import until

if TYPE_CHECKING:
    from tests.program import Program


def on_a_terminal(program: Program, *arguments: str, env: dict[str, str] | None = None) -> bytes:
    """Run a verb to its good end, and give what a terminal gets to see."""
    leader, follower = pty.openpty()
    argv, env = program.argv(*arguments), {**program.environment(), "TERM": "xterm", **(env or {})}
    with subprocess.Popen(argv, stdout=follower, stderr=follower, env=env) as process:
        os.close(follower)
        told = b""
        with suppress(OSError):
            while more := os.read(leader, 65536):
                told += more
        assert process.wait(60) == 0
    os.close(leader)
    return told


@pytest.mark.parametrize(("flags", "env"), [(("--no-color",), {}), ((), {"NO_COLOR": "1"})], ids=str)
def test_a_terminal_gets_a_bar_without_colours_where_none_are_wanted(
    program: Program, flags: tuple[str, ...], env: dict[str, str]
) -> None:
    program.site("example")
    told = on_a_terminal(program, "apply", *flags, env=env)
    assert b"2/2" in told
    assert re.findall(rb"\x1b\[[0-9;]*m", told) == []


def test_a_terminal_gets_a_bar_and_colours(program: Program) -> None:
    for number in range(3):
        program.site(f"site{number}")
    told = on_a_terminal(program, "apply")
    assert b"\x1b[32m" in told
    assert b"6/6" in told
    assert b"applied: 6 done." in told
    assert b"done    issue" not in told, "the bar stands for the lines"


def test_output_that_is_cut_off_does_not_stop_the_work(program: Program) -> None:
    for number in range(5):
        program.site(f"site{number}")
    argv, env = program.argv("apply"), program.environment()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        process.stderr.read()
        assert process.wait(60) == 0
    assert len(list(program.out.glob("*.pem"))) == 5


def test_a_full_disk_under_the_output_is_the_machines_failure(applied: Program) -> None:
    with Path("/dev/full").open("w") as full:
        argv, env = applied.argv("get", "sites"), applied.environment()
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=env)
    assert done.returncode == 3
    assert "standard output" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_the_step_in_hand_end(program: Program, number: int, code: int) -> None:
    (program.manifests / "server.yaml").write_text(
        (program.manifests / "server.yaml")
        .read_text()
        .replace("fullchain:", "reload: {command: [sleep, '2']}, fullchain:")
    )
    program.site("example")
    argv, env = program.argv("apply"), program.environment()
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            until((program.out / "example.pem").exists, "the step is in hand", 30)
            process.send_signal(number)
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == code
    assert "stopping" in told
    assert program("apply").returncode == 0
