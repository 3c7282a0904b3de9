"""Every layout in a real nginx: it passes the server's test, answers by name, and serves tokens and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.model.desired import NginxTarget
from reconciler.model.ports import Refusal
from reconciler.targets.nginx import Nginx
from tests.servers.handshake import handshake
from tests.servers.identity import make_identity
from tests.servers.ports import free_port
from tests.targets.http01 import OTHER, check_tokens, get, make_another, make_webroot
from tests.targets.making import RENDERER, RealHands, install, one, put_live, seat, vhost

if TYPE_CHECKING:
    from tests.servers.nginx import Nginx as Server


@pytest.fixture(name="live")
def _live(tmp_path: Path) -> Path:
    live = tmp_path / "live"
    for site in ("a", "b"):
        put_live(live, site, make_identity(tmp_path / "made" / site, f"{site}.example"))
    return live


@pytest.fixture(name="webroot")
def _webroot(tmp_path: Path) -> Path:
    return make_webroot(tmp_path)


def test_whole_server_blocks_answer_by_name(nginx: Server, live: Path, webroot: Path) -> None:
    tls, plain = free_port(), free_port()
    spec = vhost(
        nginx.include,
        tls,
        default_site="b",
        test=nginx.test_argv,
        values={"listen": (f"127.0.0.1:{tls}",), "httpListen": (f"127.0.0.1:{plain}",)},
    )
    target = Nginx(spec, RENDERER)
    rendered = target.render([seat(spec, site, live=str(live), webroot=str(webroot)) for site in ("a", "b")])
    install([one(rendered, "a"), one(rendered, "b")])
    tested = target.test(RealHands(), [])
    assert tested.ok, tested.output
    nginx.start()
    assert handshake(tls, "a.example").names == {"a.example"}
    assert handshake(tls, "b.example").names == {"b.example"}
    assert handshake(tls, "unknown.example").names == {"b.example"}
    check_tokens(plain)
    assert get(plain, "/x?y=1")[3] == f"https://a.example:{tls}/x?y=1"


def test_a_snippet_serves_inside_the_users_own_block(nginx: Server, live: Path, webroot: Path) -> None:
    tls, plain = free_port(), free_port()
    ours = nginx.root / "snippets"
    ours.mkdir()
    more = tuple(str(make_another(nginx.root / name)) for name in ("m1", "m2"))
    (nginx.root / "m1/another/.well-known/acme-challenge" / OTHER).unlink()
    spec = NginxTarget(name="web", config_directory=str(ours), test=nginx.test_argv, webroots=more)
    target = Nginx(spec, RENDERER, str(webroot))
    sites = [seat(spec, site, live=str(live)) for site in ("a", "b")]
    rendered = target.render(sites)
    install([one(rendered, "a"), one(rendered, "b"), *target.shared(sites)])
    blocks = (
        f"server {{ listen 127.0.0.1:{tls} ssl; server_name {site}.example; include {ours}/{site}.conf; return 204; }}"
        for site in ("a", "b")
    )
    nginx.configure(
        "\n".join(blocks)
        + f"server {{ listen 127.0.0.1:{plain}; autoindex on; include {ours}/http-01.conf; "
        + "location / { return 302 /x; } }"
    )
    tested = target.test(RealHands(), [])
    assert tested.ok, tested.output
    nginx.start()
    assert handshake(tls, "a.example").names == {"a.example"}
    assert handshake(tls, "b.example").names == {"b.example"}
    check_tokens(plain, another=True)
    assert get(plain, "/other")[0] == 302


def test_all_addresses_of_both_families_are_the_default(nginx: Server, live: Path) -> None:
    tls = free_port()
    spec = vhost(nginx.include, tls, test=nginx.test_argv)
    target = Nginx(spec, RENDERER)
    install([one(target.render([seat(spec, live=str(live))]))])
    assert target.test(RealHands(), []).ok
    nginx.start()
    assert handshake(tls, "a.example").names == {"a.example"}
    assert handshake(tls, "a.example", address="::1").names == {"a.example"}


def test_extra_is_the_users_own_file(nginx: Server, live: Path, tmp_path: Path) -> None:
    tls = free_port()
    extra = tmp_path / "own.inc"
    extra.write_text("location / { return 418; }")
    spec = vhost(nginx.include, tls, test=nginx.test_argv, values={"extra": str(extra)})
    target = Nginx(spec, RENDERER)
    artifact = one(target.render([seat(spec, live=str(live))]))
    install([artifact])
    assert target.test(RealHands(), [artifact.path]).ok
    extra.unlink()
    tested = target.test(RealHands(), [artifact.path])
    assert (tested.ok, tested.blamed) == (False, (artifact.path,))


def test_nginx_blames_the_file_with_the_error(nginx: Server, live: Path) -> None:
    spec = vhost(nginx.include, free_port(), test=nginx.test_argv)
    target = Nginx(spec, RENDERER)
    rendered = target.render([seat(spec, site, live=str(live)) for site in ("a", "b", "c")])
    paths = [one(rendered, site).path for site in ("a", "b", "c")]
    install([one(rendered, "a"), one(rendered, "b")])
    Path(paths[1]).write_text("server { nonsense on; }")
    assert target.test(RealHands(), paths).blamed == (paths[1],)
    install([one(rendered, "b"), one(rendered, "c")])
    assert target.test(RealHands(), paths).blamed == (paths[2],)  # it has no certificate
    Path(paths[2]).unlink()
    (live / "a" / "privkey.pem").write_bytes((live / "b" / "privkey.pem").read_bytes())
    tested = target.test(RealHands(), paths)
    assert (tested.ok, tested.blamed) == (False, (paths[0],)), tested.output
    (live / "a" / "fullchain.pem").write_text("garbage")
    assert target.test(RealHands(), paths).blamed == (paths[0],)


def test_a_users_own_error_blames_nobody(nginx: Server, live: Path) -> None:
    spec = vhost(nginx.include, free_port(), test=nginx.test_argv)
    target = Nginx(spec, RENDERER)
    artifact = one(target.render([seat(spec, live=str(live))]))
    install([artifact])
    nginx.configure("bogus;")
    tested = target.test(RealHands(), [artifact.path])
    assert (tested.ok, tested.blamed) == (False, ())
    assert "bogus" in tested.output


def test_the_pasted_lines_are_what_nginx_takes(nginx: Server, live: Path) -> None:
    from reconciler.targets.nginx import paste_lines

    spec = NginxTarget(name="web", layout="live", test=nginx.test_argv)
    lines = [line.replace("SITE", "a") for line in paste_lines(spec, str(live))]
    block = "\n".join([f"server {{ listen 127.0.0.1:{free_port()} ssl;", *lines, "}"])
    nginx.configure(block)
    target = Nginx(spec, RENDERER)
    assert not isinstance(target.render([seat(spec)])["a"], Refusal)
    assert target.test(RealHands(), []).ok
    (live / "a" / "fullchain.pem").unlink()
    assert target.test(RealHands(), []).blamed == (f"{live}/a/fullchain.pem",)


def test_a_long_name_is_told_by_nginx_and_mended_as_the_pasted_line_says(nginx: Server, live: Path) -> None:
    spec = vhost(nginx.include, free_port(), test=nginx.test_argv)
    target = Nginx(spec, RENDERER)
    long = ".".join(["x" * 60] * 3) + ".example"
    rendered = target.render([seat(spec, "a", long, live=str(live)), seat(spec, "b", live=str(live))])
    install([one(rendered, "a"), one(rendered, "b")])  # with one server alone nginx builds no hash of names
    assert "server_names_hash_bucket_size" in target.test(RealHands(), []).output
    nginx.configure("server_names_hash_bucket_size 256;")
    assert target.test(RealHands(), []).ok
