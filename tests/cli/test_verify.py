"""`verify`, against a TLS server that serves what was installed."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.program import Program

SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "schemas" / "v1" / "verifyreport.json").read_text()
)


@contextmanager
def serving(program: Program, listener: socket.socket) -> Iterator[None]:
    """Serve the installed pair as it is now, until the end of the block."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(program.out / "example.pem", program.out / "example.key")
    ended = threading.Event()
    listener.settimeout(0.1)

    def serve() -> None:
        while not ended.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                connection.settimeout(5)
                with connection, context.wrap_socket(connection, server_side=True):
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture(name="listener")
def _listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_what_is_wrong_for_one_cause_names_its_next_step_once(program: Program, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    server = program.manifests / "server.yaml"
    looked_at = f"{{type: files, verify: {{address: 127.0.0.1, ports: [{port}], mode: warn}},"
    server.write_text(server.read_text().replace("{type: files,", looked_at))
    program.site("example", "example.test", "www.example.test")
    program("apply")
    told = program("verify", "example")
    assert (told.returncode, told.stdout.count("NothingListens"), told.stdout.count("next: ")) == (1, 2, 1), told


def test_it_tells_what_is_served_and_whose_it_is(program: Program, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    server = program.manifests / "server.yaml"
    looked_at = f"{{type: files, verify: {{address: 127.0.0.1, ports: [{port}], mode: warn}},"
    server.write_text(server.read_text().replace("{type: files,", looked_at))
    program.site("example")
    assert program("apply").returncode == 0
    place = f"127.0.0.1:{port}"
    with serving(program, listener):
        good = program.json("verify", "example")
        jsonschema.Draft7Validator(SCHEMA).validate(good)
        [item] = good["items"]
        assert (good["ok"], item["reason"], item["servedRevisionOf"], item["chainOk"]) == (
            True,
            "Served",
            "example",
            True,
        )
        assert item["expected"] == item["fingerprint"]
        assert program("verify").returncode == 0
        assert program("verify", place, "--sni", "example.test").returncode == 0
        for name, code in (("EXAMPLE.test.", 0), ("www.bank.example", 1), ("sub.example.test", 1)):
            assert program("verify", place, "--sni", name).returncode == code, name
            assert program("verify", "example", "--sni", name).returncode == code, name
        [other] = program.json("verify", place, "--sni", "www.bank.example")["items"]
        assert (other["ok"], other["reason"], other["servedRevisionOf"]) == (False, "NameServedElsewhere", "example")
        assert "is not for www.bank.example" in other["message"]
        [lacking] = program.json("verify", "example", "--sni", "www.bank.example")["items"]
        assert (lacking["reason"], lacking["next"]) == ("HostnamesDiffer", "certwright diff example")
        assert program("renew", "example").returncode == 0
        stale = program("verify", "example")
        assert stale.returncode == 1
        assert "OldCertificateServed" in stale.stdout
        assert program("verify", place).returncode == 1
    with serving(program, listener):
        assert program("verify", "example").returncode == 0
        for path in program.state.glob("live/*"):
            path.unlink()
        foreign = program.json("verify", place, "--sni", "example.test")
        assert foreign["items"][0]["reason"] in ("OldCertificateServed", "NotIncluded")
        assert "SITE" not in foreign["items"][0]["next"], "a place is no site"
    listener.close()
    nobody = program.json("verify", "example")
    assert nobody["items"][0]["reason"] == "NothingListens"


def test_a_site_without_ports_is_said_to_have_none(program: Program) -> None:
    program.site("example")
    told = program("verify", "example")
    assert (told.returncode, told.stdout) == (0, "")
    assert "verify.ports" in told.stderr


def test_a_place_that_cannot_be_is_told(program: Program) -> None:
    program.site("example")
    told = program("verify", "127.0.0.1:65536")
    assert (told.returncode, told.stdout) == (2, "")
    assert "from 1 to 65535" in told.stderr
    nowhere = program("verify", "host.invalid:443", "[::1]:1")
    assert nowhere.returncode == 1
    assert "no address of that name is known" in nowhere.stdout
    assert "[::1]:1: nothing listens" in nowhere.stdout
