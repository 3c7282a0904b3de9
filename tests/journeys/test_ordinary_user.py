"""The whole job by an ordinary user: a group's right to the server's directory, and one command that root allows.

Then each thing that may be missing, which `preflight` and `apply` name with what mends it.
"""

from __future__ import annotations

import grp
import os
import socketserver
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.journeys.stage import document, site
from tests.ordinary import UID, Ordinary, as_user, ordinary_program
from tests.servers.handshake import handshake
from tests.servers.nginx import nginx
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.program import Program
    from tests.servers.nginx import Nginx

ASK = """#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/{port} || exit 1
echo "$1" >&3
read -r code <&3
exit "$code"
"""


@contextmanager
def allowed(place: Path, server: Nginx) -> Iterator[Path]:
    """Give a command of root's that has root run the server's test or reload, and nothing else."""
    commands = {"test": server.test_argv, "reload": server.reload_argv}

    class Doing(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            argv = commands.get(self.rfile.readline().decode().strip())
            code = 126 if argv is None else subprocess.run(argv, capture_output=True, check=False).returncode
            self.wfile.write(f"{code}\n".encode())

    with socketserver.TCPServer(("127.0.0.1", 0), Doing) as helper:
        thread = threading.Thread(target=helper.serve_forever)
        thread.start()
        path = place / "ask"
        path.write_text(ASK.format(port=helper.server_address[1]))
        path.chmod(0o755)
        try:
            yield path
        finally:
            helper.shutdown()
            thread.join()


@pytest.fixture(name="program")
def _program() -> Iterator[Program]:
    with ordinary_program() as program:
        yield program


def write(program: Program, target: dict[str, object], *documents: dict[str, object], **spec: object) -> None:
    """Write a tree of one site and one target."""
    base = [
        document("Server", "home", {"email": "me@example.com", "agreeToTerms": True}),
        document("Issuer", "own", {"type": "ca", "commonName": "Home CA"}),
        document("Target", "web", target),
        site("one", "one.example.com", **{"issuers": ["own"], "targets": ["web"], **spec}),
    ]
    (program.manifests / "server.yaml").write_text(yaml.safe_dump_all([*base, *documents]))


def both(program: Program) -> tuple[str, str]:
    """Give what `preflight` finds and what `apply` says; both fail, neither with a traceback."""
    found, done = program("preflight"), program("retry", "one")
    for one in (found, done):
        assert one.returncode in {1, 3}, one.stdout + one.stderr
        assert "Traceback" not in one.stdout + one.stderr
    return found.stdout + found.stderr, done.stdout + done.stderr


def test_the_whole_job(program: Program) -> None:
    port = free_port()
    with nginx(program.root / "nginx", start=False) as server, allowed(program.root, server) as ask:
        server.configure("")
        os.chown(server.include, 0, UID)
        server.include.chmod(0o770)
        server.start()
        target: dict[str, object] = {"type": "nginx", "layout": "vhost", "configDirectory": str(server.include)}
        target |= {"test": [str(ask), "test"], "reload": {"command": [str(ask), "reload"]}, "verify": {"ports": [port]}}
        write(program, target)
        for _ in range(2):
            done = program("apply")
            assert done.returncode == 0, done.stdout + done.stderr
            seen = handshake(port, "one.example.com")
            live = (program.state / "live" / "one").resolve().name
            assert live.endswith(seen.fingerprint[:8])
            facts = (server.include / "one.conf").stat()
            assert (facts.st_uid, facts.st_gid) == (UID, UID)
            assert program("renew", "one").returncode == 0
        assert server.reloads >= 3


def test_a_directory_that_its_group_may_not_write(program: Program) -> None:
    directory = program.root / "conf.d"
    directory.mkdir()
    write(program, {"type": "files", "key": str(directory / "{site}.key")})
    words = f"{directory} cannot be written by uid {UID} (it belongs to root:root, mode 0755)"
    mend = f"run as root: chgrp {UID} {directory} && chmod g+rwx {directory}"
    for text in both(program):
        assert words in text
        assert mend in text
    subprocess.run(mend.removeprefix("run as root: "), shell=True, check=True)  # noqa: S602  what a person would paste
    assert program("preflight").returncode == 0
    assert program("apply").returncode == 0
    assert (directory / "one.key").stat().st_uid == UID

    directory.chmod(0o750)
    (directory / "one.key").unlink()
    for text in both(program):
        assert f"(it belongs to root:{UID}, mode 0750)" in text
        assert f"run as root: chmod g+rwx {directory}" in text
    directory.chmod(0o775)
    group = grp.getgrgid(1)
    os.chown(directory, 0, group.gr_gid)
    for text in both(program):
        assert f"{directory} can be written by group {group.gr_name}, in which others are (mode 0775)" in text
        assert f"run as root: chgrp {UID} {directory}" in text


def test_a_group_that_is_not_ours_and_an_owner_that_is_another(program: Program) -> None:
    path = program.out / "one.key"
    for field, name, words in (
        ("group", "daemon", f"shall have the group daemon, which uid {UID} is not in"),
        ("owner", "nobody", "shall belong to nobody, and only root can give files away"),
    ):
        write(program, {"type": "files", "key": {"path": str(path), field: name}})
        for text in both(program):
            assert f"{path} {words}" in text
            assert f"leave `{field}` out" in text
        assert not path.exists()


def test_a_reload_that_is_refused(program: Program) -> None:
    command = program.root / "reload"
    command.write_text("#!/bin/sh\necho 'only root may' >&2\nexit 4\n")
    command.chmod(0o755)
    write(program, {"type": "files", "key": str(program.out / "k"), "reload": {"command": [str(command), "web"]}})
    done = program("apply")
    assert done.returncode == 1
    words = f"the reload failed: only root may; it ran as uid {UID}: let that user run `{command} web`"
    assert words in done.stdout + done.stderr
    command.chmod(0o700)
    for text in both(program):
        assert f"{command} may not be run by uid {UID} (owner 0, group 0, mode 0700)" in text


def test_a_state_directory_that_is_not_ours(program: Program) -> None:
    write(program, {"type": "files", "key": str(program.out / "k")})
    os.chown(program.state, 0, 0)
    for text in both(program):
        assert f"{program.state} belongs to uid 0, and we are uid {UID}" in text
        assert f"chown -R {UID} {program.state}" in text
    program.state.rmdir()
    for text in both(program):
        assert f"cannot make {program.state}: permission denied to uid {UID}" in text


LISTEN = """
from reconciler.challenges.sockets import listening_sockets
from reconciler.errors import Failed
try:
    listening_sockets(None, 80)
except Failed as failure:
    print(failure.reason, failure)
"""


def test_a_port_that_only_root_may_open(program: Program) -> None:
    listener = {"type": "http-01", "listener": {"port": 80}, "selfTest": "off"}
    method = document("ChallengeMethod", "port", {**listener, "preflight": {"pointsHere": "off", "caa": "off"}})
    issuer = document("Issuer", "acme", {"type": "acme", "directory": "https://127.0.0.1:1/directory"})
    target: dict[str, object] = {"type": "files", "key": str(program.out / "k")}
    write(program, target, method, issuer, issuers=["acme"], challenges=[{"method": "port"}])
    words = f"uid {UID} may not listen on port 80; give AmbientCapabilities=CAP_NET_BIND_SERVICE"
    hold = program.root / "hold"

    def alone(argv: list[str]) -> str:
        argv = as_user(argv, hold, network=False)
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=program.environment())
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    assert words in alone(super(Ordinary, program).argv("preflight"))  # type: ignore[misc]
    assert f"PortNotAllowed {words}" in alone([sys.executable, "-I", "-c", LISTEN])
