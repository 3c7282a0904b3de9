"""Every example does what it says: the manifests fit the schemas, the first diff is the one beside it, a server serves.

The manifests are taken as they are. For the diff only their paths are moved below a directory of the test. For the run
some fields are overridden as well: the CA that we have instead of Let's Encrypt, free ports, the commands of an nginx
with a configuration of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from reconciler.manifests.resolving import builtins
from tests import bought
from tests.journeys.stage import Stage
from tests.servers.dovecot import dovecot
from tests.servers.handshake import handshake
from tests.servers.identity import make_identity
from tests.servers.ports import free_port
from tests.servers.postfix import postfix
from tests.servers.processes import listens, until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.servers.apache import Apache
    from tests.servers.challtestsrv import Challtestsrv
    from tests.servers.haproxy import Haproxy
    from tests.servers.nginx import Nginx
    from tests.servers.pebble import Pebble
    from tests.servers.postfix import Postfix

CHECKOUT = Path(__file__).resolve().parent.parent
EXAMPLES = CHECKOUT / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
MANIFESTS = sorted(EXAMPLES.rglob("*.yaml"))
HEADER = "# yaml-language-server: $schema="
# What an example's absolute paths begin with, and the directories that are there before its first step.
_MOVED = ("/etc/", "/home/", "/srv/", "/var/lib/certwright")
_THERE = {
    "bought": ("/etc/nginx", "/etc/ssl/bought"),
    "hosting-panel": (
        *(
            f"/home/virtual/{site}/fst/etc/httpd/conf/{kind}"
            for site in ("site1", "site2")
            for kind in ("ssl.key", "ssl.crt")
        ),
        "/etc/haproxy/ssl.d",
    ),
    "mail": ("/etc/dovecot", "/etc/postfix"),
    "quickstart": ("/srv/quickstart/tls",),
}

Overrides = dict[tuple[str, str], dict[str, Any]]


def _made(example: str) -> list[str]:
    """Give the directories that a person makes who follows the steps."""
    steps = (EXAMPLES / example / "README.md").read_text()
    return [path for command in re.findall("`mkdir ([^`]+)`", steps) for path in command.split()]


class Machine:
    """A machine below `root`: `/etc/nginx` of an example is `root/etc/nginx` here."""

    def __init__(self, root: Path, example: str) -> None:
        self.root, self.example = root, example
        self.stage = Stage(root)
        for directory in ("/var/lib", *_THERE.get(example, ()), *_made(example)):
            self.path(directory).mkdir(parents=True, exist_ok=True)
        if example == "bought":
            bought.made("*.shop.example.com", "shop.example.com", above=bought.seller()).put(
                self.path("/etc/ssl/bought")
            )

    def path(self, path: str) -> Path:
        return Path(f"{self.root}{path}")

    def moved(self, text: str) -> str:
        return re.sub(
            "|".join(rf"(?<![\w.]){prefix}" for prefix in _MOVED), lambda found: f"{self.root}{found[0]}", text
        )

    def copy(self, overrides: Mapping[tuple[str, str], dict[str, Any]] | None = None) -> None:
        left = dict(overrides or {})
        source = EXAMPLES / self.example / "manifests"
        for path in source.rglob("*.yaml"):
            copy = self.stage.manifests / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            documents = list(yaml.safe_load_all(self.moved(path.read_text())))
            for document in documents:
                document["spec"].update(left.pop((document["kind"], document["metadata"]["name"]), {}))
            copy.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        for (kind, name), spec in left.items():  # what no manifest of the example names is added
            self.stage.write(f"added-{kind.lower()}-{name}.yaml", _document(kind, name, spec))

    def nginx_conf(self, replaced: Mapping[str, str]) -> str:
        text = self.moved((EXAMPLES / self.example / "nginx.conf").read_text())
        for old, new in replaced.items():
            assert old in text, old
            text = text.replace(old, new)
        return text.replace(f"{self.root}/var/lib/certwright", str(self.stage.state))


def _document(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "certwright/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


@pytest.fixture(name="machine")
def _machine(tmp_path: Path) -> Callable[[str], Machine]:
    return lambda example: Machine(tmp_path, example)


@pytest.fixture(name="webroot")
def _webroot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The built-in http-01 method's directory, moved away from /run."""
    webroot = tmp_path / "run" / "certwright" / "http-01"
    webroot.mkdir(parents=True)
    objects = json.loads(json.dumps(builtins._OBJECTS).replace(builtins.BUILTIN_WEBROOT, str(webroot)))
    monkeypatch.setattr(builtins, "_OBJECTS", tuple(map(tuple, objects)))
    monkeypatch.setattr(builtins, "BUILTIN_WEBROOT", str(webroot))
    return webroot


def lets_encrypt(pebble: Pebble, dns: Challtestsrv, server: str = "web1") -> Overrides:
    """The CA that stands for Let's Encrypt: a tree that declares a built-in name means its own object."""
    spec = {"type": "acme", "directory": pebble.directory, "caBundle": str(pebble.bundle)}
    return {("Issuer", "letsencrypt"): spec, ("Server", server): {"resolvers": [dns.dns]}}


def web(server: Nginx | Apache | Haproxy, tls: int, **values: str) -> dict[str, Any]:
    """What differs in the Target of a server that is not the machine's own."""
    return {
        "test": list(server.test_argv),
        "reload": {"command": list(server.reload_argv)},
        "verify": {"ports": [tls]},
        **({"values": values} if values else {}),
    }


def assert_serves(machine: Machine, tls: int, site: str, *hostnames: str) -> None:
    live = machine.stage.live(site)
    assert not live.meta.placeholder
    for hostname in hostnames:
        seen = handshake(tls, hostname)
        assert seen.fingerprint == live.facts.fingerprint, hostname
    machine.stage.assert_calm()


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_a_manifest_names_its_schema_and_fits_it(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    assert first.startswith(HEADER), "an editor finds the schema by the first line"
    schema = json.loads((path.parent / first.removeprefix(HEADER)).resolve().read_text())
    for document in yaml.safe_load_all(path.read_text()):
        jsonschema.validate(document, schema, jsonschema.Draft7Validator)
        kind = json.loads((CHECKOUT / "schemas" / "v1" / f"{document['kind'].lower()}.json").read_text())
        jsonschema.validate(document, kind, jsonschema.Draft7Validator)


def certwright(machine: Machine, *words: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "reconciler.cli",
        "-f",
        "manifests",
        "--state",
        str(machine.path("/var/lib/certwright")),
    ]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(
        [*command, *words], cwd=machine.root, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("example", NAMES)
def test_the_first_diff_is_the_one_beside_it(machine: Callable[[str], Machine], example: str) -> None:
    """If this fails with good reason: `CERTWRIGHT_UPDATE=1 pytest tests/test_examples.py`, and look at what changed."""
    here = machine(example)
    here.copy()
    assert certwright(here, "validate").returncode == 0
    done = certwright(here, "diff")
    assert (done.returncode, done.stderr) == (1, "")
    expected, said = EXAMPLES / example / "expected.diff", done.stdout.replace(str(here.root), "")
    if os.environ.get("CERTWRIGHT_UPDATE"):
        expected.write_text(said)
    assert said == expected.read_text()


def test_every_example_has_a_readme_of_ten_lines() -> None:
    for name in NAMES:
        lines = (EXAMPLES / name / "README.md").read_text().splitlines()
        assert lines[0].startswith("# ")
        assert len(lines) <= 12
        assert "expected.diff" in "".join(lines)


def test_letsencrypt_nginx(
    machine: Callable[[str], Machine], pebble: Pebble, dns: Challtestsrv, nginx: Nginx, webroot: Path
) -> None:
    here, tls = machine("letsencrypt-nginx"), free_port()
    listen = {"listen": f"127.0.0.1:{tls}", "httpListen": f"127.0.0.1:{pebble.http_port}"}
    here.copy({**lets_encrypt(pebble, dns), ("Target", "web"): web(nginx, tls, **listen)})
    here.path("/etc/nginx/sites/example.inc").write_text("location / { return 200 hello; }\n")
    nginx.configure(here.nginx_conf({}))
    nginx.start()
    here.stage.settle()
    assert_serves(here, tls, "example", "example.com", "www.example.com")
    assert_serves(here, tls, "shop", "shop.example.com")
    assert handshake(tls, "unknown.example.net").names == {"example.com", "www.example.com"}, "the default site"
    assert list(webroot.rglob("acme-challenge/*")) == []


def test_nginx_live(
    machine: Callable[[str], Machine], pebble: Pebble, dns: Challtestsrv, nginx: Nginx, webroot: Path
) -> None:
    here, tls = machine("nginx-live"), free_port()
    here.copy({**lets_encrypt(pebble, dns), ("Target", "web"): web(nginx, tls)})
    addresses = {"listen 80;": f"listen 127.0.0.1:{pebble.http_port};", "listen 443": f"listen 127.0.0.1:{tls}"}
    http = here.nginx_conf({**addresses, "/run/certwright/http-01": str(webroot)})
    nginx.start()
    nginx.configure(http)  # pasted and not reloaded, as the README says: what it names is not there yet
    assert nginx.test().returncode != 0
    here.stage.settle()
    assert_serves(here, tls, "example", "example.com", "www.example.com")


def test_private_ca(machine: Callable[[str], Machine], nginx: Nginx) -> None:
    here, tls = machine("private-ca"), free_port()
    here.copy({("Target", "web"): web(nginx, tls)})
    nginx.start()
    nginx.configure(here.nginx_conf({"listen 443": f"listen 127.0.0.1:{tls}"}))
    here.stage.settle()
    assert_serves(here, tls, "wiki", "wiki.example.internal", "a.wiki.example.internal")
    root = here.stage.state / "ca" / "house" / "certificate.pem"
    assert "10.0.0.7" in handshake(tls, "wiki.example.internal", roots=root).names


def test_bought(machine: Callable[[str], Machine], nginx: Nginx, webroot: Path) -> None:
    here, tls = machine("bought"), free_port()
    target = {"type": "nginx", "configDirectory": str(here.path("/etc/nginx/certwright.d")), **web(nginx, tls)}
    here.copy({("Target", "nginx"): target})
    nginx.start()
    nginx.configure(here.nginx_conf({"listen 443": f"listen 127.0.0.1:{tls}"}))
    here.stage.settle()
    assert_serves(here, tls, "shop", "shop.example.com", "www.shop.example.com")
    assert here.stage.live("shop").meta.issuer == "imported"
    assert not list(webroot.rglob("acme-challenge/*")), "no CA is asked"


def test_hosting_panel(
    machine: Callable[[str], Machine], pebble: Pebble, dns: Challtestsrv, nginx: Nginx, webroot: Path
) -> None:
    here, tls = machine("hosting-panel"), free_port()
    target = web(nginx, tls)
    here.copy({**lets_encrypt(pebble, dns, "panel1"), ("Target", "panel"): target})
    http = f"server {{ listen 127.0.0.1:{pebble.http_port}; location / {{ root {webroot}; }} }}\n"
    for site, hostname in (("site1", "one.example.com"), ("site2", "two.example.com")):
        http += _customer(here, site, hostname, tls)
    nginx.configure(http)
    nginx.start()
    former = handshake(tls, "one.example.com").fingerprint
    here.stage.settle()
    assert_serves(here, tls, "site1", "one.example.com")
    assert_serves(here, tls, "site2", "two.example.com")
    assert handshake(tls, "one.example.com").fingerprint != former
    combined = here.path("/etc/haproxy/ssl.d/site1")
    assert combined.stat().st_mode & 0o777 == 0o600
    assert combined.read_text().startswith("-----BEGIN PRIVATE KEY-----")


def test_apache(
    machine: Callable[[str], Machine], pebble: Pebble, dns: Challtestsrv, apache: Apache, webroot: Path
) -> None:
    here, tls = machine("apache"), free_port()
    listen = {"listen": f"127.0.0.1:{tls}", "httpListen": f"127.0.0.1:{pebble.http_port}"}
    here.copy({**lets_encrypt(pebble, dns), ("Target", "web"): web(apache, tls, **listen)})
    here.path("/etc/apache2/sites/example.inc").write_text("Redirect 204 /\n")
    own = f"Listen 127.0.0.1:{pebble.http_port}\nListen 127.0.0.1:{tls}\n"  # Debian's ports.conf has these
    apache.configure(own + here.moved((EXAMPLES / "apache" / "apache.conf").read_text()), include=False)
    _let_in(webroot)
    apache.start()
    here.stage.settle()
    assert_serves(here, tls, "example", "example.com", "www.example.com")
    assert list(webroot.rglob("acme-challenge/*")) == []


def _let_in(directory: Path) -> None:
    """Let Apache's children, who are somebody else where the tests run as root, reach a directory of a test."""
    for path in (directory, *directory.parents):
        if path.owner() == Path("/proc/self").owner() and path.is_relative_to("/tmp") and path != Path("/tmp"):
            path.chmod(path.stat().st_mode | 0o055)


def test_haproxy(machine: Callable[[str], Machine], pebble: Pebble, dns: Challtestsrv, haproxy: Haproxy) -> None:
    here, tls, behind = machine("haproxy"), free_port(), free_port()
    spec = web(haproxy, tls)
    listener = {"listener": {"address": f"127.0.0.1:{behind}"}}
    target = {**spec, "socket": str(haproxy.socket)}
    here.copy(
        {**lets_encrypt(pebble, dns, "edge1"), ("Target", "edge"): target, ("ChallengeMethod", "behind"): listener}
    )
    pasted = here.moved((EXAMPLES / "haproxy" / "haproxy.cfg").read_text())
    own = {
        "bind :80": f"bind 127.0.0.1:{pebble.http_port}",
        "bind :443": f"bind 127.0.0.1:{tls}",
        "127.0.0.1:8402": f"127.0.0.1:{behind}",
        "/run/haproxy/admin.sock": str(haproxy.socket),
    }
    for old, new in own.items():
        assert old in pasted
        pasted = pasted.replace(old, new)
    # it runs without TLS, as it did before the lines were pasted
    haproxy.health = pebble.http_port
    haproxy.config.write_text("".join(line for line in pasted.splitlines(keepends=True) if "crt-list" not in line))
    haproxy.start()
    haproxy.config.write_text(pasted)
    here.stage.settle()
    assert_serves(here, tls, "example", "example.com", "www.example.com")
    assert_serves(here, tls, "shop", "shop.example.com")
    assert handshake(tls, "unknown.example.net").names == {"example.com", "www.example.com"}, "the default site"
    reloads = haproxy.reloads
    site = here.stage.manifests / "sites" / "sites.yaml"
    site.write_text(site.read_text().replace("name: shop", "name: shop\n  annotations: {certwright/renewAt: now}"))
    here.stage.settle()
    assert_serves(here, tls, "shop", "shop.example.com")
    assert haproxy.reloads == reloads


def _as_shipped(smtp: Postfix) -> None:
    """Leave Postfix with a certificate of its own, no map and nobody at port 465, and take that up."""
    main, master = (smtp.run / "conf" / name for name in ("main.cf", "master.cf"))
    chain = f"smtpd_tls_chain_files = {smtp.own}\n"
    text = main.read_text()
    assert chain in text
    text = text.replace(chain, f"smtpd_tls_cert_file = {smtp.own}\nsmtpd_tls_key_file = {smtp.own}\n")
    main.write_text("".join(line for line in text.splitlines(keepends=True) if "sni" not in line))
    services = [line for line in master.read_text().splitlines(keepends=True) if str(smtp.smtps) not in line]
    master.write_text("".join(line for line in services if "wrappermode" not in line))
    subprocess.run(smtp.reload_argv, check=True, capture_output=True)
    until(lambda: not listens("127.0.0.1", smtp.smtps), "nobody listens at Postfix's port for TLS")


def test_mail(machine: Callable[[str], Machine], pebble: Pebble, dns: Challtestsrv, tmp_path: Path) -> None:
    here = machine("mail")
    with dovecot(tmp_path / "dovecot") as imap, postfix() as smtp:
        own = {
            "/etc/dovecot/certwright.d": str(imap.include),
            "/etc/postfix/certwright.d": str(smtp.include),
        }
        pasted = {
            path.name: path.read_text() for path in (EXAMPLES / "mail").iterdir() if path.suffix in {".cf", ".conf"}
        }
        for old, new in {**own, "submissions": f"127.0.0.1:{smtp.smtps}"}.items():
            assert any(old in text for text in pasted.values()), old
            pasted = {name: text.replace(old, new) for name, text in pasted.items()}
        assert pasted.pop("dovecot.conf") in imap.config.read_text(), "what is pasted is what the server has"
        _as_shipped(smtp)
        for server in (imap, smtp):
            server.include.rmdir()
        for name, text in pasted.items():
            with (smtp.run / "conf" / name).open("a") as file:
                file.write(text)
        ports = {"imap": [imap.imaps, {"port": imap.imap, "starttls": "imap"}]}
        ports |= {"smtp": [smtp.smtps, {"port": smtp.smtp, "starttls": "smtp"}]}
        overrides: Overrides = {
            ("Target", name): {
                "configDirectory": str(server.include),
                "test": list(server.test_argv),
                "reload": {"command": list(server.reload_argv)},
                "verify": {"ports": ports[name]},
            }
            for name, server in (("imap", imap), ("smtp", smtp))
        }
        overrides["Target", "smtp"]["postmap"] = list(smtp.postmap_argv)
        overrides["ChallengeMethod", "own"] = {"listener": {"address": f"127.0.0.1:{pebble.http_port}"}}
        here.copy({**lets_encrypt(pebble, dns, "mail1"), **overrides})
        assert certwright(here, "--state", str(here.stage.state), "apply").returncode == 0
        verify = ("verify", "--state", str(here.stage.state), "-o", "json")
        report = json.loads(certwright(here, *verify, "mail").stdout)
        fingerprint = here.stage.live("mail").facts.fingerprint
        assert report["ok"]
        assert {item["fingerprint"] for item in report["items"]} == {fingerprint}
        assert Counter(item["starttls"] for item in report["items"]) == {None: 6, "imap": 3, "smtp": 3}, "each name"
        place = f"127.0.0.1:{smtp.smtp}"
        nameless = json.loads(certwright(here, *verify, place, "--starttls", "smtp").stdout)
        assert (nameless["ok"], nameless["items"][0]["fingerprint"]) == (True, fingerprint)
        assert certwright(here, *verify, "mail", "--starttls", "smtp").returncode == 2


def _customer(here: Machine, site: str, hostname: str, tls: int) -> str:
    """What a panel has from the start: a certificate that it signed itself, where its web server looks for it."""
    conf = here.path(f"/home/virtual/{site}/fst/etc/httpd/conf")
    own = make_identity(here.root / "panel" / site, hostname)
    shutil.copy(own.key, conf / "ssl.key" / "server.key")
    shutil.copy(own.certificate, conf / "ssl.crt" / "server.crt")
    return (
        f"server {{ listen 127.0.0.1:{tls} ssl; server_name {hostname} www.{hostname}; "
        f"ssl_certificate {conf}/ssl.crt/server.crt; ssl_certificate_key {conf}/ssl.key/server.key; }}\n"
    )


def tour(checkout: Path) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, str(checkout / "examples" / "quickstart" / "run.py")]
    return subprocess.run(program, capture_output=True, text=True, check=False, timeout=120)


def test_quickstart(tmp_path: Path) -> None:
    """The tour itself, in a checkout of its own: twice, and then with a manifest that is wrong."""
    for name in ("examples/quickstart", "schemas"):
        shutil.copytree(CHECKOUT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "state").mkdir()
    for name in (".gitignore", "README.md", "VERSION"):
        shutil.copy(CHECKOUT / "state" / name, tmp_path / "state")
    for _ in range(2):
        done = tour(tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "certificate for shop.example.com, www.shop.example.com" in done.stdout
        assert not (tmp_path / "quickstart" / "server.pid").exists(), "the server is ended"
    (tmp_path / "quickstart" / "sites" / "wrong.yaml").write_text("kind: Sit\n")
    done = tour(tmp_path)
    assert done.returncode == 1
    assert "validate` ended with 2" in done.stderr
