"""Standard streams that are closed, full or given up by their reader: the work is done all the same."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.program import Program


def shell(program: Program, redirection: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a verb the way a shell does that redirects its streams."""
    argv = ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", *program.argv(*arguments)]
    return subprocess.run(argv, capture_output=True, text=True, env=program.environment(), timeout=120, check=False)


@pytest.mark.parametrize("arguments", [("version",), ("get", "sites"), ("diff",)], ids=" ".join)
@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_stream_is_as_one_that_leads_nowhere(
    applied: Program, redirection: str, arguments: tuple[str, ...]
) -> None:
    done = shell(applied, redirection, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert (done.stdout == "") == redirection.startswith(">&-")


def test_a_closed_standard_input_holds_nothing(program: Program) -> None:
    program.site("example")
    done = shell(program, "<&-", "apply", "--plan", "-")
    assert (done.returncode, "is no plan" in done.stderr) == (2, True), done.stderr
    argv = ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *program.argv()[:4], "-f", "-", "validate"]
    done = subprocess.run(argv, capture_output=True, text=True, env=program.environment(), check=False)
    assert (done.returncode, "<stdin>: holds no manifest" in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("redirection", [">/dev/full", "2>/dev/full", ">/dev/full 2>/dev/full"])
@pytest.mark.parametrize("flags", [(), ("-v",)], ids=str)
def test_a_full_disk_under_the_log_does_not_stop_the_work(
    program: Program, redirection: str, flags: tuple[str, ...]
) -> None:
    for number in range(3):
        program.site(f"site{number}")
    done = shell(program, redirection, "apply", *flags)
    assert len(list(program.out.glob("*.pem"))) == 3
    assert done.returncode == 3, "what was not written is told at the end"
    if "2>" not in redirection:
        assert done.stderr.endswith("certwright: standard output cannot be written: No space left on device\n")
    else:
        assert done.stderr == ""
    assert shell(program, "", "diff").returncode == 0


@pytest.mark.parametrize("arguments", [("--help",), ("get", "--help"), ("version",)], ids=" ".join)
def test_what_cannot_be_written_is_told_by_every_verb(program: Program, arguments: tuple[str, ...]) -> None:
    done = shell(program, ">/dev/full", *arguments)
    told = "certwright: standard output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (3, told)
    assert shell(program, "", *arguments).stdout


def test_words_that_are_lost_do_not_hide_what_failed(program: Program) -> None:
    program.site("example")
    assert shell(program, "2>/dev/full", "diff", "nobody").returncode == 2


@pytest.mark.parametrize("columns", [40, 200])
def test_a_table_of_messages_is_as_wide_as_the_terminal(applied: Program, columns: int) -> None:
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    argv, env = applied.argv("get", "events"), applied.environment()
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, env=env, check=False)
    os.close(follower)
    told = os.read(leader, 65536).decode().splitlines()
    os.close(leader)
    whole = applied("get", "events").stdout.splitlines()
    assert (done.returncode, len(told)) == (0, len(whole))
    message = whole[-1].partition("Missing")[2].strip()
    assert (max(map(len, told)) <= columns, told[-1].endswith(message)) == (True, columns > len(message) + 40)
    assert columns > len(message) + 40 or max(map(len, told)) == columns


@pytest.mark.parametrize("reader", ["head -1", "true"])
def test_watching_ends_when_nobody_reads(applied: Program, reader: str) -> None:
    argv = ["/bin/sh", "-c", f'{{ "$@"; echo "ended $?" >&2; }} | {reader}', "sh", *applied.argv("get", "sites", "-w")]
    done = subprocess.run(argv, capture_output=True, text=True, env=applied.environment(), timeout=20, check=False)
    assert done.stderr == "ended 0\n"


def test_a_bar_on_a_terminal_that_is_gone_is_given_up() -> None:
    leader, follower = pty.openpty()
    code = (
        "import contextlib, os, sys\n"
        "from reconciler.cli.progress import Progress; from reconciler.cli.screen import Screen\n"
        "bar = Progress(Screen()); bar.expect(6); os.close(int(os.environ['LEADER']))\n"
        "with contextlib.suppress(OSError): print('still in the buffer', file=sys.stderr)\n"
        "bar.pause(); os._exit(7)"
    )
    env, argv = {"TERM": "xterm", "LEADER": str(leader)}, [sys.executable, "-c", code]
    with subprocess.Popen(argv, stderr=follower, pass_fds=[leader], env=env) as process:
        os.close(leader)
        os.close(follower)
    assert process.returncode == 7


def test_a_terminal_that_goes_away_does_not_stop_the_work(program: Program) -> None:
    """Also while a bar is drawn there, which is not by us."""
    for number in range(3):
        program.site(f"site{number}")
    leader, follower = pty.openpty()
    argv, env = program.argv("apply"), {**program.environment(), "TERM": "xterm"}
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=follower, stderr=follower, env=env) as process:
        os.close(follower)
        told = b""
        while b"0/6" not in told:
            told += os.read(leader, 65536)
        os.close(leader)
        assert process.wait(60) == 3
    assert len(list(program.out.glob("*.pem"))) == 3
