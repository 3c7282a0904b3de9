"""R35: a command is found on trusted ground, gets nothing of ours, and ends in time with everything it started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.doors.processes import api as processes
from reconciler.errors import Failed
from tests.servers.processes import alive, until

SH = "/bin/sh"
TENANT = 60001


def script(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(mode)
    return str(path)


def test_endless_output_is_cut_and_its_writer_stopped() -> None:
    done = processes.run(["yes"], timeout=30)
    assert done.ended == "flood"
    assert len(done.output) == processes.OUTPUT_LIMIT
    assert done.returncode < 0
    assert done.seconds < 10


def test_much_output_of_an_honest_command_is_cut_but_the_command_finishes() -> None:
    done = processes.run([SH, "-c", "yes warning | head -c 2000000; exit 3"])
    assert (done.ended, done.returncode, len(done.output)) == ("exit", 3, processes.OUTPUT_LIMIT)


def test_the_deadline_ends_the_command_and_all_that_it_started(tmp_path: Path) -> None:
    hook = script(tmp_path / "hook", "sleep 60 & echo $!; sleep 60 & echo $!; echo $$; wait")
    done = processes.run([hook], timeout=0.5)
    assert done.timed_out
    assert not done.ok
    assert 0.5 <= done.seconds < 3
    pids = [int(word) for word in done.output.split()]
    assert len(pids) == 3
    until(lambda: not any(alive(pid) for pid in pids), "all of them are ended", 5)


def test_a_daemon_that_holds_the_pipe_neither_delays_nor_dies() -> None:
    done = processes.run([SH, "-c", "sleep 30 & echo $!"], timeout=20)
    pid = int(done.output)
    try:
        assert done.ok
        assert done.seconds < 2
        assert alive(pid)
    finally:
        os.kill(pid, 9)


def test_a_daemon_in_a_session_of_its_own_survives_a_normal_exit() -> None:
    done = processes.run([SH, "-c", "setsid sleep 30 >/dev/null 2>&1 </dev/null & echo $!"])
    pid = int(done.output)
    try:
        assert done.ok
        assert alive(pid)
    finally:
        os.kill(pid, 9)


def test_a_command_that_closes_its_output_is_still_waited_for() -> None:
    done = processes.run([SH, "-c", "exec >&- 2>&-; sleep 0.3; exit 4"])
    assert (done.returncode, done.ended) == (4, "exit")
    assert done.seconds >= 0.3


def test_a_command_that_closes_its_output_meets_the_deadline_too() -> None:
    assert processes.run([SH, "-c", "exec >&- 2>&-; sleep 60"], timeout=0.3).timed_out


def test_nothing_of_our_environment_is_inherited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script(tmp_path / "env", "echo hijacked")
    for name in (
        "LD_PRELOAD",
        "OPENSSL_CONF",
        "PYTHONPATH",
        "HTTPS_PROXY",
        "BASH_ENV",
        "ENV",
        "CERTWRIGHT_SECRET",
        "HOME",
    ):
        monkeypatch.setenv(name, str(tmp_path / "hostile"))
    monkeypatch.setenv("PATH", str(tmp_path))
    done = processes.run(["env"])
    assert sorted(done.output.decode().splitlines()) == ["LANG=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]


def test_it_runs_in_the_root_directory_and_a_session_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    done = processes.run([SH, "-c", "pwd; echo $$; cut -d' ' -f6 /proc/$$/stat"])
    directory, pid, session = done.output.decode().split()
    assert directory == "/"
    assert pid == session


def test_no_descriptor_of_ours_is_inherited(tmp_path: Path) -> None:
    with (tmp_path / "secret").open("wb") as ours:
        os.set_inheritable(ours.fileno(), True)  # noqa: FBT003  the only form there is
        assert b"secret" not in processes.run([SH, "-c", "ls -l /proc/self/fd"]).output


def test_no_descriptor_is_left_open() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for argv in (["true"], ["cat"], [SH, "-c", "sleep 9 & sleep 9"]):
        processes.run(argv, stdin=b"x" * 200_000, timeout=0.2)
    with pytest.raises(Failed):
        processes.run(["/nowhere"])
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("name", ["./hook", "bin/hook", "../hook", "", ".", "..", "a b", "a\n", "-", "x\0y"])
def test_what_is_neither_absolute_nor_a_bare_name_is_refused(name: str) -> None:
    with pytest.raises(Failed) as caught:
        processes.run([name])
    assert caught.value.reason in {"CommandRefused", "CommandMissing"}
    assert str(caught.value).isprintable()


def test_a_program_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    hook = script(tmp_path / "hook", "echo ran", 0o757)
    with pytest.raises(Failed, match=r"others can write to .*hook; run: chmod go-w") as caught:
        processes.run([hook])
    assert caught.value.reason == "CommandRefused"


def test_a_program_below_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open" / "bin").mkdir(parents=True)
    hook = script(tmp_path / "open" / "bin" / "hook", "echo ran")
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(hook)
    for path in (hook, str(tmp_path / "link")):
        with pytest.raises(Failed, match="others can write to"):
            processes.run([path])


def test_a_directory_between_two_links_is_looked_at_as_well(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "mid").symlink_to("/bin/true")
    (tmp_path / "link").symlink_to("open/mid")
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(Failed, match=r"others can write to .*/open; run: chmod go-w") as caught:
        processes.run([str(tmp_path / "link")])
    assert caught.value.reason == "CommandRefused"


def test_links_of_ours_are_followed_to_the_program(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin" / "hook", "echo ran")
    (tmp_path / "directory").symlink_to("bin")
    (tmp_path / "bin" / "second").symlink_to("../directory/./hook")
    (tmp_path / "first").symlink_to(tmp_path / "directory" / "second")
    assert processes.run([str(tmp_path / "first")]).output == b"ran\n"
    assert processes.run([f"{tmp_path}/directory/../bin//second"]).output == b"ran\n"


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(Failed, match="Too many levels of symbolic links"):
        processes.run([str(tmp_path / "a")])


@pytest.mark.parametrize("text", ["", "/nowhere", "file/below"])
def test_a_link_to_nothing_is_no_program(tmp_path: Path, text: str) -> None:
    script(tmp_path / "file", "")
    (tmp_path / "link").symlink_to(text or "none")
    with pytest.raises(Failed) as caught:
        processes.run([str(tmp_path / "link")])
    assert caught.value.reason == ("CommandRefused" if text.startswith("file") else "CommandMissing")


def test_a_link_of_somebody_else_between_two_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "his").mkdir()
    (tmp_path / "his" / "mid").symlink_to("/bin/true")
    os.chown(tmp_path / "his", TENANT, TENANT)
    (tmp_path / "link").symlink_to("his/mid")
    with pytest.raises(Failed, match=f"uid {TENANT} owns .*/his; give that to root"):
        processes.run([str(tmp_path / "link")])


def test_a_program_of_somebody_else_is_refused(tmp_path: Path) -> None:
    hook = script(tmp_path / "hook", "echo ran")
    os.chown(hook, TENANT, TENANT)
    with pytest.raises(Failed, match=f"uid {TENANT} owns"):
        processes.run([hook])


def test_as_another_user_with_that_users_group_and_no_other() -> None:
    done = processes.run(["id"], user="nobody")
    assert done.output.startswith(b"uid=65534(nobody) gid=65534")
    assert done.output.count(b"(") == 3
