"""The real parts are real: each is started, asked, broken and ended."""

from __future__ import annotations

import os
import subprocess
import time
from http.client import HTTPException
from typing import TYPE_CHECKING

import dns.message
import dns.query
import dns.rdatatype
import pytest
import trustme

from tests.servers import faults
from tests.servers.handshake import handshake
from tests.servers.https import request
from tests.servers.identity import make_identity
from tests.servers.nginx import nginx as run_nginx
from tests.servers.pebble import Options
from tests.servers.pebble import pebble as run_pebble
from tests.servers.ports import LOOPBACK, free_port
from tests.servers.processes import MissingProgramError, ServerDiedError, listens, program, running, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.challtestsrv import Challtestsrv
    from tests.servers.front import Front
    from tests.servers.https import Answer
    from tests.servers.nginx import Nginx
    from tests.servers.pebble import Pebble


def test_a_missing_program_names_the_command() -> None:
    with pytest.raises(MissingProgramError, match=r"tools/install-servers\.sh"):
        program("no-such-server")


def test_a_server_that_dies_shows_its_log(tmp_path: Path) -> None:
    argv = ("sh", "-c", "echo out of luck; exit 3")
    with (
        pytest.raises(ServerDiedError, match="out of luck"),
        running(argv, log=tmp_path / "log", ready=lambda: False),
    ):
        pytest.fail("it was said to be ready")


def test_pebble_gives_a_nonce_over_verified_https(pebble: Pebble) -> None:
    directory = pebble.get(pebble.directory).json()
    assert {"newNonce", "newAccount", "newOrder", "revokeCert", "keyChange", "renewalInfo"} <= directory.keys()
    assert list(directory["meta"]["profiles"]) == ["default"]
    answer = request(directory["newNonce"], method="HEAD", context=pebble.identity.client_context())
    assert answer.status == 200
    assert answer.headers["replay-nonce"]


def test_pebble_gives_the_root_of_its_chains(pebble: Pebble, tmp_path: Path) -> None:
    assert pebble.write_root(tmp_path / "root.pem").read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")


def test_pebble_started_again_is_another_ca(tmp_path: Path, dns: Challtestsrv) -> None:
    roots = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        with run_pebble(tmp_path / name, dns.dns, Options(alternate_roots=1, nonce_reject=50)) as server:
            roots += [server.root_pem(), server.root_pem(1)]
            address, port = server.address, server.port
        assert not listens(address, port)
    assert len(set(roots)) == 4


def test_pebble_takes_a_renewal_window_for_a_certificate_it_issued_only(pebble: Pebble) -> None:
    stranger = trustme.CA().issue_cert("a.test").cert_chain_pems[0].bytes().decode()
    assert pebble.set_renewal_info(stranger, "{}").status == 404


def test_dns_says_loopback_until_told_otherwise(dns: Challtestsrv) -> None:
    assert _addresses(dns, "a.test") == ["127.0.0.1"]
    assert _addresses(dns, "a.test", dns_type="AAAA") == []
    with dns.leading("a.test", "127.0.0.2", "127.0.0.3"):
        assert sorted(_addresses(dns, "a.test")) == ["127.0.0.2", "127.0.0.3"]
    assert _addresses(dns, "a.test") == ["127.0.0.1"]
    dns.set_txt("_acme-challenge.a.test", "value")
    assert _addresses(dns, "_acme-challenge.a.test", dns_type="TXT") == ['"value"']
    dns.clear_txt("_acme-challenge.a.test")


def _addresses(server: Challtestsrv, name: str, dns_type: str = "A") -> list[str]:
    address, port = server.dns.split(":")
    query = dns.message.make_query(name, dns.rdatatype.from_text(dns_type))
    answer = dns.query.udp(query, address, port=int(port), timeout=10)
    return [record.to_text() for rrset in answer.answer for record in rrset]


def _server_block(directory: Path, port: int, name: str) -> str:
    identity = make_identity(directory / name, name)
    return (
        f"server {{ listen {LOOPBACK}:{port} ssl; server_name {name}; ssl_certificate {identity.certificate}; "
        f"ssl_certificate_key {identity.key}; return 200 {name}; }}\n"
    )


def test_nginx_serves_by_name_and_reloads(tmp_path: Path, nginx: Nginx) -> None:
    port = free_port()
    nginx.configure("".join(_server_block(tmp_path, port, name) for name in ("a.test", "b.test")))
    assert nginx.test().returncode == 0
    nginx.start()
    for name in ("a.test", "b.test"):
        assert handshake(port, name, roots=tmp_path / name / "ca.pem").names == {name}
    (nginx.include / "c.conf").write_text(_server_block(tmp_path, port, "c.test"))
    assert nginx.reloads == 0
    nginx.reload()
    until(lambda: handshake(port, "c.test").names == {"c.test"}, "nginx serves c.test")
    assert nginx.reloads == 1
    subprocess.run(nginx.reload_argv, check=True)
    until(lambda: nginx.reloads == 2, "nginx reloads again")


def test_nginx_refuses_a_broken_configuration_and_stops(nginx: Nginx) -> None:
    port = free_port()
    nginx.configure(f"server {{ listen {LOOPBACK}:{port}; return 200 hello; }}")
    nginx.start()
    assert request(f"http://{LOOPBACK}:{port}/").body == b"hello"
    (nginx.include / "broken.conf").write_text("server { ssl_certificate /nowhere; }")
    assert nginx.test().returncode == 1
    nginx.stop()
    assert not listens(LOOPBACK, port)
    (nginx.include / "broken.conf").write_text("nonsense;")
    with pytest.raises(ServerDiedError, match="nonsense"):
        nginx.start()


def test_nginx_serves_files_of_a_private_directory(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "webroot").mkdir(mode=0o700)
    (tmp_path / "webroot" / "token").write_text("proof")
    block = f"server {{ listen {LOOPBACK}:{port}; root {tmp_path}/webroot; }}"
    with run_nginx(tmp_path / "nginx", block) as server:
        assert request(f"http://{LOOPBACK}:{port}/token").body == b"proof"
        os.kill(server.pid, 0)


def _ask(front: Front, path: str = "/dir") -> Answer:
    return request(f"{front.url}{path}", context=front.identity.client_context())


def test_the_front_passes_on_with_its_own_urls(front: Front) -> None:
    directory = _ask(front).json()
    assert directory["newOrder"].startswith(front.url)
    assert front.count("/dir") == 1


def test_the_front_breaks_answers_as_told(front: Front) -> None:
    front.inject(faults.refuse(429, retry_after="7", problem="rateLimited"), "/dir", times=2)
    for _ in range(2):
        refused = _ask(front)
        assert (refused.status, refused.headers["retry-after"]) == (429, "7")
        assert refused.json()["type"] == "urn:ietf:params:acme:error:rateLimited"
    assert _ask(front).status == 200
    front.inject(faults.html(), "/dir", skip=1)
    assert [_ask(front).headers["content-type"][:9] for _ in range(3)] == ["applicati", "text/html", "applicati"]
    front.inject(faults.redirect("https://127.0.0.1:1/"), "/dir")
    assert _ask(front).status == 302
    front.inject(faults.set_fields(newOrder="http://elsewhere.test/"), "/dir")
    assert _ask(front).json()["newOrder"] == "http://elsewhere.test/"
    front.inject(faults.gzip, "/dir")
    assert _ask(front).body[:2] == b"\x1f\x8b"
    front.inject(faults.oversize(3_000_000), "/dir")
    assert len(_ask(front).body) > 3_000_000
    front.inject(faults.set_header("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), "/dir")
    assert _ask(front).headers["date"].startswith("Thu, 01 Jan 1970")


def test_the_front_drops_before_and_after_the_ca_did_it(front: Front) -> None:
    for act, forwarded in ((faults.drop_before, 0), (faults.drop_after, 1)):
        front.inject(act, "/dir")
        with pytest.raises((OSError, HTTPException)):
            _ask(front)
        assert front.count("/dir") == forwarded
        assert front.seen[-1].status == 0
    front.inject(faults.truncate(10), "/dir")
    with pytest.raises(HTTPException):
        _ask(front)


def test_the_front_is_slow_as_told(front: Front) -> None:
    front.inject(faults.delay(0.2), "/dir")
    began = time.monotonic()
    whole = _ask(front).body
    assert time.monotonic() - began > 0.2
    front.inject(faults.drip(size=len(whole) // 4, pause=0.05), "/dir")
    began = time.monotonic()
    assert len(_ask(front).body) == len(whole)
    assert time.monotonic() - began > 0.2


def test_set_tokens_reaches_authorizations_and_challenges() -> None:
    act = faults.set_tokens("../x")
    asked = faults.Request("POST", "/authZ/1", (), b"")
    for body in (b'{"challenges": [{"token": "a"}, {"type": "x"}]}', b'{"token": "a"}'):
        assert b'"token": "../x"' in act(asked, lambda body=body: faults.Reply(200, (), body)).body  # type: ignore[misc]
