"""Every layout in a real Apache: it passes the server's test, answers by name, and serves tokens and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.execute.batches.hands.local import LocalHands
from reconciler.model.desired import ApacheTarget, Verify
from reconciler.model.ports import Refusal
from reconciler.targets.apache import Apache, names, paste_lines
from tests.servers.handshake import handshake
from tests.servers.identity import make_identity
from tests.servers.ports import free_port
from tests.targets.http01 import OTHER, check_tokens, get, make_another, make_webroot
from tests.targets.making import RENDERER, install, one, put_live, seat

if TYPE_CHECKING:
    from tests.servers.apache import Apache as Server

HANDS = LocalHands()


@pytest.fixture(name="live")
def _live(tmp_path: Path) -> Path:
    live = tmp_path / "live"
    for site in ("a", "b"):
        put_live(live, site, make_identity(tmp_path / "made" / site, f"{site}.example"))
    return live


@pytest.fixture(name="webroot")
def _webroot(tmp_path: Path) -> Path:
    made = make_webroot(tmp_path)
    # the children drop to another user, who must reach the token
    for path in (*made.parents, made, *made.rglob("*")):
        if path.is_relative_to("/tmp") and path != Path("/tmp"):
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))
    return made


def spec_of(server: Server, *ports: int, **changes: object) -> ApacheTarget:
    values: dict[str, object] = {
        "layout": "vhost",
        "config_directory": str(server.include),
        "verify": Verify(ports=ports),
        "test": server.test_argv,
        **changes,
    }
    return ApacheTarget(name="web", **values)  # type: ignore[arg-type]


def test_whole_virtual_hosts_answer_by_name(apache: Server, live: Path, webroot: Path) -> None:
    tls, plain = free_port(), free_port()
    values = {"listen": (f"127.0.0.1:{tls}",), "httpListen": (f"127.0.0.1:{plain}",)}
    spec = spec_of(apache, tls, default_site="b", values=values)
    target = Apache(spec, RENDERER)
    sites = [
        seat(spec, "a", "a.example", "*.a.example", live=str(live), webroot=str(webroot)),
        seat(spec, "b", live=str(live), webroot=str(webroot)),
    ]
    rendered = target.render(sites)
    install([one(rendered, "a"), one(rendered, "b")])
    # the pasted lines put the default site first; a second time it is harmless
    apache.configure(
        "\n".join([f"Listen 127.0.0.1:{tls}", f"Listen 127.0.0.1:{plain}", *paste_lines(spec)]), include=False
    )
    tested = target.test(HANDS, [])
    assert tested.ok, tested.output
    apache.start()
    assert handshake(tls, "a.example").names == {"a.example"}
    assert handshake(tls, "x.a.example").names == {"a.example"}
    assert handshake(tls, "b.example").names == {"b.example"}
    assert handshake(tls, "unknown.example").names == {"b.example"}
    check_tokens(plain)
    assert get(plain, "/x?y=1")[3] == f"https://a.example:{tls}/x?y=1"


def test_a_snippet_serves_inside_the_users_own_virtual_host(apache: Server, live: Path, webroot: Path) -> None:
    tls, plain = free_port(), free_port()
    more = tuple(str(make_another(webroot.parent / name)) for name in ("m1", "m2"))
    (webroot.parent / "m1/another/.well-known/acme-challenge" / OTHER).unlink()
    spec = spec_of(apache, tls, layout="snippet", webroots=more)
    target = Apache(spec, RENDERER, str(webroot))
    sites = [seat(spec, site, live=str(live)) for site in ("a", "b")]
    rendered = target.render(sites)
    install([one(rendered, "a"), one(rendered, "b"), *target.shared(sites)])
    blocks = [
        f"<VirtualHost *:{tls}>\nServerName {site}.example\nSSLEngine on\n"
        f"Include {apache.include}/{site}.conf\n</VirtualHost>"
        for site in ("a", "b")
    ]
    http = f"<VirtualHost *:{plain}>\nInclude {apache.include}/http-01.conf\n</VirtualHost>"
    apache.configure("\n".join([f"Listen 127.0.0.1:{tls}\nListen 127.0.0.1:{plain}", *blocks, http]), include=False)
    tested = target.test(HANDS, [])
    assert tested.ok, tested.output
    apache.start()
    assert handshake(tls, "a.example").names == {"a.example"}
    assert handshake(tls, "b.example").names == {"b.example"}
    check_tokens(plain, another=True)


def test_live_names_the_stores_own_files(apache: Server, live: Path) -> None:
    tls = free_port()
    spec = spec_of(apache, tls, layout="live")
    target = Apache(spec, RENDERER)
    lines = [line.replace("SITE", "a") for line in paste_lines(spec, str(live))]
    apache.configure(
        "\n".join([f"Listen 127.0.0.1:{tls}", f"<VirtualHost *:{tls}>", "SSLEngine on", *lines, "</VirtualHost>"])
    )
    assert not isinstance(target.render([seat(spec)])["a"], Refusal)
    assert target.test(HANDS, []).ok
    apache.start()
    assert handshake(tls, "a.example").names == {"a.example"}


def test_apache_blames_the_file_with_the_error(apache: Server, live: Path) -> None:
    spec = spec_of(apache, free_port())
    target = Apache(spec, RENDERER)
    rendered = target.render([seat(spec, site, live=str(live)) for site in ("a", "b", "c")])
    paths = [one(rendered, site).path for site in ("a", "b", "c")]
    apache.configure("")
    install([one(rendered, "a"), one(rendered, "b")])
    Path(paths[1]).write_text("Nonsense on\n")
    tested = target.test(HANDS, paths)
    assert (tested.ok, tested.blamed, tested.unusable) == (False, (paths[1],), ())
    install([one(rendered, "b"), one(rendered, "c")])
    tested = target.test(HANDS, paths)  # c has no certificate
    assert (tested.blamed, tested.unusable) == ((paths[2],), (paths[2],))
    Path(paths[2]).unlink()
    assert target.test(HANDS, paths).ok
    key = (live / "a" / "privkey.pem").read_bytes()
    for file, content in {
        "privkey.pem": (live / "b" / "privkey.pem").read_bytes(),
        "fullchain.pem": b"garbage",
    }.items():
        former = (live / "a" / file).read_bytes()
        (live / "a" / file).write_bytes(content)
        assert apache.test().returncode == 0, "Apache's own test is blind"
        assert target.test(HANDS, []).blamed == (paths[0],)
        assert not target.activate(HANDS, []).ok, "what went bad after the test stops the reload"
        (live / "a" / file).write_bytes(former)
    assert (live / "a" / "privkey.pem").read_bytes() == key
    apache.configure("Bogus")
    tested = target.test(HANDS, paths)
    assert (tested.ok, tested.blamed) == (False, ())
    assert "Bogus" in tested.output


def test_what_a_configuration_names() -> None:
    found = names(
        "SSLCertificateFile /top.pem\n"
        '<VirtualHost *:443>\n  sslcertificatefile "/a.pem"\n  SSLCertificateFile \\\n   /b.pem\n'
        "  SSLCertificateKeyFile '/a.key'\n  SSLCertificateChainFile /c.pem\n</VirtualHost>\n"
        "# SSLCertificateFile /comment.pem\nSSLCertificateKeyFile /d.key\n"
    )
    assert [(one.certificate, one.key, one.alone) for one in found] == [
        ("/top.pem", None, False),
        ("/a.pem", "/a.key", False),
        ("/b.pem", None, False),
        ("/c.pem", None, True),
    ]
