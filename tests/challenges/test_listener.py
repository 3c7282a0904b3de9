from __future__ import annotations

import errno
import fcntl
import http.client
import json
import os
import resource
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from reconciler.challenges import lock_files
from reconciler.challenges.http01 import ListenerSolver
from reconciler.challenges.owner import who_listens
from reconciler.challenges.ports import Ports
from reconciler.errors import Failed, Waiting
from reconciler.model.desired import Listener
from tests.builders import MemoryStore, SteadyClock
from tests.servers.ports import free_port
from tests.servers.processes import listens, until

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
PROOF = f"{TOKEN}.{'a' * 43}"
PATH = f"/.well-known/acme-challenge/{TOKEN}"


@pytest.fixture(name="ports")
def _ports(tmp_path: Path) -> Iterator[Ports]:
    ports = Ports(MemoryStore(), str(tmp_path / "locks"), SteadyClock())
    yield ports
    ports.close()


def _store(ports: Ports) -> MemoryStore:
    assert isinstance(ports._published, MemoryStore)
    return ports._published


def _solver(ports: Ports, port: int, address: str | None = "127.0.0.1") -> ListenerSolver:
    return ListenerSolver(Listener(port, address), _store(ports), ports)


def _get(port: int, path: str = PATH, method: str = "GET", address: str = "127.0.0.1") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_the_port_is_open_while_an_answer_is_published_and_no_longer(ports: Ports) -> None:
    port = free_port()
    solver = _solver(ports, port)
    assert not listens("127.0.0.1", port)

    done = solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)

    assert _get(port) == (200, PROOF.encode())
    assert _get(port, method="HEAD") == (200, b"")
    _store(ports).drop_token(done.name)
    until(lambda: not listens("127.0.0.1", port), "the port is closed")
    solver.present(done, PROOF)
    assert _get(port) == (200, PROOF.encode())


def test_who_waits_for_visitors_is_not_waited_for_at_the_end(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.challenges.ports._TURN", 60.0)
    port = free_port()
    solver = _solver(ports, port)
    solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)
    assert _get(port)[0] == 200
    began = time.monotonic()
    ports.close()
    assert time.monotonic() - began < 30
    assert not listens("127.0.0.1", port)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", f"{PATH}x"),
        ("GET", f"{PATH}/"),
        ("GET", f"{PATH}?x"),
        ("GET", "/.well-known/acme-challenge/../../etc/passwd"),
        ("GET", f"/.well-known/acme-challenge/{'b' * 43}"),
        ("POST", PATH),
        ("DELETE", PATH),
    ],
)
def test_everything_else_is_the_same_404(ports: Ports, method: str, path: str) -> None:
    port = free_port()
    solver = _solver(ports, port)
    solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)

    assert _get(port, path, method) == (404, b"not found\n")


def test_what_is_no_key_authorization_is_not_served(ports: Ports) -> None:
    port = free_port()
    solver = _solver(ports, port)
    solver.present(solver.prepare("site", "a.test", TOKEN), "-----BEGIN PRIVATE KEY-----")

    assert _get(port)[0] == 404


def test_both_families_without_an_address(ports: Ports) -> None:
    port = free_port()
    solver = _solver(ports, port, address=None)
    solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)

    assert _get(port)[0] == 200
    if socket.has_ipv6:
        assert _get(port, address="::1")[0] == 200


def test_a_taken_port_is_told_with_who_has_it(ports: Ports) -> None:
    port = free_port()
    solver = _solver(ports, port)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(Failed) as caught:
        solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)

    assert caught.value.reason == "PortTaken"
    assert f"process {os.getpid()}" in str(caught.value)


def test_nobody_listens_where_nobody_does() -> None:
    assert who_listens(free_port()) is None


def test_an_address_that_is_not_ours(ports: Ports) -> None:
    solver = _solver(ports, free_port(), address="192.0.2.1")

    with pytest.raises(Failed) as caught:
        solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)

    assert caught.value.reason == "PortUnusable"


def _answers(port: int, address: str) -> bool:
    try:
        return _get(port, address=address) == (200, PROOF.encode())
    except OSError:
        return False


def test_listeners_at_two_addresses_of_one_port_are_both_open(ports: Ports, tmp_path: Path) -> None:
    port = free_port()
    other = Ports(_store(ports), str(tmp_path / "locks"), SteadyClock())
    try:
        for who, address in ((ports, "127.0.0.1"), (ports, "127.0.0.2"), (other, "127.0.0.3")):
            solver = _solver(who, port, address)
            solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)
            assert _answers(port, address), address
    finally:
        other.close()


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (("127.0.0.1", "http-01"), ("127.0.0.1", "tls-alpn-01"), "http-01 at 127.0.0.1"),
        (("127.0.0.1", "http-01"), (None, "tls-alpn-01"), "http-01 at 127.0.0.1"),
        ((None, "tls-alpn-01"), ("127.0.0.1", "http-01"), "tls-alpn-01 at all addresses"),
        (("127.0.0.1", "http-01"), (None, "http-01"), "http-01 at 127.0.0.1"),
        (("::1", "http-01"), ("::", "http-01"), "http-01 at ::1"),
    ],
)
def test_listeners_that_get_in_each_others_way_are_refused(
    ports: Ports,
    tmp_path: Path,
    elsewhere: bool,  # noqa: FBT001
    first: tuple[str | None, str],
    second: tuple[str | None, str],
    words: str,
) -> None:
    port = free_port()
    other = Ports(_store(ports), str(tmp_path / "locks"), SteadyClock()) if elsewhere else ports
    _store(ports).put_token(TOKEN, PROOF)
    ports.get(first[0], port, first[1]).ensure()
    try:
        with pytest.raises(Failed, match=words) as caught:
            other.get(second[0], port, second[1]).ensure()
        assert (caught.value.reason, "another listener of certwright" in str(caught.value)) == ("PortTaken", True)
    finally:
        other.close()


def test_a_listener_at_all_addresses_serves_one_of_them_and_is_followed_by_it(ports: Ports, tmp_path: Path) -> None:
    port = free_port()
    wide = Ports(_store(ports), str(tmp_path / "locks"), SteadyClock())
    solver = _solver(wide, port, address=None)
    solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)
    narrow = _solver(ports, port)
    narrow.present(narrow.prepare("site", "a.test", TOKEN), PROOF)
    assert _answers(port, "127.0.0.1")
    assert _answers(port, "127.0.0.2")
    wide.close()
    until(lambda: _answers(port, "127.0.0.1"), "it is answered there")
    assert not _answers(port, "127.0.0.2")


@contextmanager
def _descriptors(more: int) -> Iterator[None]:
    """Let this process open so many more files, or fewer where there are gaps."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_whatever_has_no_descriptor_left_is_a_failure_and_no_bug(ports: Ports) -> None:
    """With one descriptor more each time: nearly every step is once the one that gets none."""
    solver = _solver(ports, free_port())
    thing = solver.prepare("site", "a.test", TOKEN)
    for more in range(7):
        with _descriptors(more), pytest.raises(Failed, match="too many open files"):
            solver.present(thing, PROOF)
        with _descriptors(min(more, 1)), pytest.raises(Failed, match="Too many open files"):
            ports.get("127.0.0.1", solver._way.port)._server()
    solver.present(thing, PROOF)
    assert _answers(solver._way.port, "127.0.0.1")


def test_listener_that_cannot_be_made_keeps_no_descriptor(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> NoReturn:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(socket, "socketpair", none_left)
    before = sorted(Path("/proc/self/fd").iterdir())
    for kind in ("http-01", "tls-alpn-01"):
        with pytest.raises(Failed, match="Too many open files"):
            ports.get("127.0.0.1", free_port(), kind)._server()
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_a_link_in_place_of_a_lock_is_a_failure(ports: Ports, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / str(port)).symlink_to(tmp_path / "elsewhere")
    solver = _solver(ports, port)
    with pytest.raises(Failed, match="symbolic link"):
        solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)


def test_a_lock_is_waited_for_until_a_deadline_or_a_stop(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_files, "PATIENCE", 0.2)
    port = free_port()
    solver = _solver(ports, port)
    thing = solver.prepare("site", "a.test", TOKEN)
    with ports._locks.held(str(port), fcntl.LOCK_EX):
        start = time.monotonic()
        with pytest.raises(Failed, match="held by another process"):
            solver.present(thing, PROOF)
        assert 0.2 <= time.monotonic() - start < 2
        assert isinstance(ports._clock, SteadyClock)
        ports._clock.stop()
        with pytest.raises(Waiting, match="the process stops"):
            solver.present(thing, PROOF)


def test_who_waits_to_take_over_outlives_a_lock_that_is_odd_for_a_while(ports: Ports, tmp_path: Path) -> None:
    port, waits = free_port(), SteadyClock()
    second = Ports(_store(ports), str(tmp_path / "locks"), waits)
    solver = _solver(ports, port)
    solver.present(solver.prepare("a", "a.test", TOKEN), PROOF)
    try:
        second.get("127.0.0.1", port).ensure()
        lock, aside = tmp_path / "locks" / str(port), tmp_path / "aside"
        lock.rename(aside)
        lock.symlink_to(aside)
        time.sleep(0.6)
        ports.close()
        lock.unlink()
        aside.rename(lock)
        until(lambda: _answers(port, "127.0.0.1"), "it is answered there")
    finally:
        second.close()


def test_a_second_process_serves_through_the_first_and_takes_over(ports: Ports, tmp_path: Path) -> None:
    """Two `Ports` over one store and one directory of locks are two processes as far as flock can tell."""
    port = free_port()
    first, second = ports, Ports(_store(ports), str(tmp_path / "locks"), SteadyClock())
    solver = _solver(first, port)
    other = ListenerSolver(Listener(port, "127.0.0.1"), _store(ports), second)
    try:
        solver.present(solver.prepare("a", "a.test", TOKEN), PROOF)
        token = "b" * 43
        other.present(other.prepare("b", "b.test", token), f"{token}.{'c' * 43}")
        assert _get(port, f"/.well-known/acme-challenge/{token}")[0] == 200

        first.close()

        until(lambda: listens("127.0.0.1", port), "the other takes over")
        assert _get(port, f"/.well-known/acme-challenge/{token}")[0] == 200
    finally:
        second.close()
    assert not listens("127.0.0.1", port)


def test_a_killed_process_leaves_no_lock_behind(ports: Ports, tmp_path: Path) -> None:
    port = free_port()
    script = (
        "import sys, time, json; sys.path.insert(0, '.')\n"
        "from tests.builders import MemoryStore, SteadyClock\n"
        "from reconciler.challenges.ports import Ports\n"
        "store = MemoryStore(); store.put_token('x' * 43, 'y')\n"
        f"Ports(store, {json.dumps(str(tmp_path / 'locks'))}, SteadyClock()).get('127.0.0.1', {port}).ensure()\n"
        "print('open', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"open\n"
            solver = _solver(ports, port)
            solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)
            assert _get(port)[0] == 404, "the other process knows another store"
        finally:
            process.kill()

    until(lambda: listens("127.0.0.1", port) and _get(port)[0] == 200, "it serves by itself")
