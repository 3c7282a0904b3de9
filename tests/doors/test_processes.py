"""The processes door: what goes in, what comes out, and how it says that it could not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from reconciler.doors.processes import api as processes
from reconciler.errors import Failed

if TYPE_CHECKING:
    from pathlib import Path

SH = "/bin/sh"


def script(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("code", [0, 1, 77, 255])
def test_the_exit_status_is_told(code: int) -> None:
    done = processes.run([SH, "-c", f"exit {code}"])
    assert (done.returncode, done.ok, done.ended) == (code, code == 0, "exit")


def test_a_signal_is_told() -> None:
    done = processes.run([SH, "-c", "kill -TERM $$"])
    assert (done.returncode, done.ok, done.ended) == (-15, False, "exit")


def test_output_and_errors_come_in_one_stream_in_order() -> None:
    done = processes.run([SH, "-c", "echo one; echo two >&2; echo three"])
    assert done.output == b"one\ntwo\nthree\n"


def test_errors_can_be_left_out() -> None:
    done = processes.run([SH, "-c", "echo one; echo two >&2; echo three"], merged=False)
    assert done.output == b"one\nthree\n"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("exit 3", "ended with code 3"),
        ("kill -TERM $$", "was ended by SIGTERM"),
        ("sleep 60", "did not end within 1 s and was killed"),
        ("exec yes", "printed over 16 MiB and was killed"),
    ],
)
def test_how_it_ended_is_told_in_words(text: str, end: str) -> None:
    assert processes.run([SH, "-c", text], timeout=1.0 if "sleep" in text else 30.0).end == end


def test_a_stop_is_told_in_words() -> None:
    assert processes.run(["sleep", "60"], stop=lambda: True).end == "was killed, since certwright stops"


def test_the_output_is_shown_cleaned() -> None:
    shown = processes.run(["printf", r"\033[31mred"]).text.shown()
    assert shown == r"\x1b[31mred"


@pytest.mark.parametrize("size", [0, 1, 65_536, 1_000_000])
def test_stdin_arrives_whole(size: int) -> None:
    assert processes.run(["wc", "-c"], stdin=b"x" * size).output.strip() == str(size).encode()


def test_a_command_that_does_not_read_its_input_is_no_error() -> None:
    assert processes.run(["true"], stdin=b"x" * 1_000_000).ok


def test_a_quick_command_is_not_held_up() -> None:
    # the quickest of many, since the machine may be busy; the linger alone would be 0.2
    assert min(processes.run(["true"]).seconds for _ in range(20)) < 0.15


def test_stop_ends_it_early() -> None:
    started = time.monotonic()
    done = processes.run(["sleep", "60"], stop=lambda: time.monotonic() - started > 0.2)
    assert (done.ended, done.timed_out, done.returncode) == ("stop", False, -9)
    assert done.seconds < 3


def test_a_failure_of_stop_itself_leaves_nothing_running() -> None:
    def stop() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        processes.run(["sleep", "60"], stop=stop)


def test_bare_names_are_found_in_the_systems_directories() -> None:
    assert processes.resolve_program("sh") in {"/usr/bin/sh", "/bin/sh"}
    assert processes.resolve_program("/bin/sh") == "/bin/sh"


def test_missing_programs_are_named(tmp_path: Path) -> None:
    plain = script(tmp_path / "plain", "#!/bin/sh\n", 0o644)
    orphan = script(tmp_path / "orphan", "#!/nowhere/interpreter\n")
    for argv0, told in (
        ("no-such-program", "is in none of /usr/sbin, /usr/bin, /sbin, /bin"),
        ("/no/such/program", "does not exist"),
        (str(tmp_path), "is not a program"),
        (plain, "is not executable; run: chmod"),
        (orphan, "the interpreter in its first line is missing"),
    ):
        with pytest.raises(Failed, match=told) as caught:
            processes.run([argv0])
        assert caught.value.reason == "CommandMissing"


def test_what_the_kernel_will_not_start_is_refused(tmp_path: Path) -> None:
    text = script(tmp_path / "text", "no program at all\n")
    for argv in ([text], [SH, "a\0b"], []):
        with pytest.raises(Failed) as caught:
            processes.run(argv)
        assert caught.value.reason == "CommandRefused"


def test_an_unknown_user_is_refused() -> None:
    with pytest.raises(Failed, match="no such user: nobody-like-this"):
        processes.run(["true"], user="nobody-like-this")
