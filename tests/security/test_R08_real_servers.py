"""R8, end to end: each hostile character in each field of the manifests, and what the real server then reads.

What the manifests refuse is held; what they let through is rendered, passes the server's own test beside all others,
and is read as the directives of a harmless one.
"""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.journeys.stage import SERVER, Stage, document, site
from tests.security.test_R08_dovecot_config import shape as dovecot_shape
from tests.servers.dovecot import dovecot
from tests.servers.ports import free_port
from tests.servers.postfix import postfix
from tests.targets.apache_lines import shape as apache_shape
from tests.targets.tokens import shape as nginx_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.servers.apache import Apache
    from tests.servers.haproxy import Haproxy
    from tests.servers.nginx import Nginx

CHARACTERS = [
    "'", '"', "`", ";", "{", "}", "(", ")", "[", "]", "<", ">", "\n", "\r", "\t", " ", "$", "${x}", "$1", "#", "\\",
    "\\\n", "%", "%{x}", "%{HTTP_HOST}", "\u00e9", "\uff58", "\u2028", "~", "^", "!", "|", "&", "=", ",", "?", "*",
    "@", ":", "+", "-", "_", "{{ 7 * 7 }}", "{% raw %}", "",
]  # fmt: skip
"""The last one is the harmless one."""
HARMLESS = CHARACTERS.index("")
FIELDS = ("value", "extra", "listen", "hostname")


@pytest.fixture(name="stage")
def _stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def sites(root: Path, *targets: str, port: int, fields: Sequence[str] = FIELDS) -> list[dict[str, object]]:
    """Make a site for each character in each field, named by both."""
    (root / "extra").mkdir(exist_ok=True)
    made = []
    for number, text in enumerate(CHARACTERS):
        (root / "extra" / f"x{text}y").write_text("# the user's own\n")
        values: dict[str, dict[str, object]] = {
            "value": {"v": f"x{text}y"},
            "extra": {"extra": [f"{root}/extra/x{text}y"]},
            "listen": {"listen": [f"127.0.0.1:{port}{text}"]},
            "hostname": {},
        }
        for field in fields:
            name = f"{field}-{number}"
            middle = text if field == "hostname" else ""
            uses = [{"name": target, "values": {"v": "xy", **values[field]}} for target in targets]
            made.append(site(name, f"x{middle}y.{name}.example.com", issuers=["self-signed"], targets=uses))
    return made


def target(name: str, kind: str, directory: Path, test: Sequence[str], **spec: object) -> dict[str, object]:
    directory.mkdir(exist_ok=True)
    common = {"configDirectory": str(directory), "test": list(test), "reload": {"command": ["/bin/true"]}}
    return document("Target", name, {"type": kind, **common, "verify": {"mode": "off"}, **spec})


def rendered(directory: Path, shape: Callable[[str], object]) -> dict[str, list[int]]:
    """See that all files in a directory are as the harmless one of their field; give what was let through."""
    found: dict[str, list[int]] = {}
    for path in sorted(directory.glob("*.conf")):
        field, _, number = path.stem.rpartition("-")
        if field in FIELDS:
            harmless = (directory / f"{field}-{HARMLESS}.conf").read_text()
            assert shape(path.read_text()) == shape(harmless), (field, CHARACTERS[int(number)])
            found.setdefault(field, []).append(int(number))
    return found


def let_through(found: dict[str, list[int]]) -> dict[str, str]:
    return {field: "".join(sorted(CHARACTERS[number] for number in numbers)) for field, numbers in found.items()}


WEB = {"extra": "+-@_", "hostname": "-\u00e9\uff58", "listen": ""}
"""What is let through where; other letters become A-labels. What a built-in template does not print is any text."""


def written(stage: Stage, kind: str, directory: Path, test: Sequence[str], own: str, fields: Sequence[str]) -> None:
    """Make all sites on two targets, one of them with a template of the user's, and apply."""
    layout = {"layout": "vhost"} if kind != "dovecot" else {}
    stage.write(
        "base.yaml",
        document("Server", "home", SERVER),
        target("web", kind, directory, test, **layout),
        target("own", kind, directory.parent / "own", test, **layout, template={"inline": own}),
    )
    stage.write("sites.yaml", *sites(stage.root, "web", "own", port=free_port(), fields=fields))
    stage.apply(lenient=True)
    assert stage.bugs == []


def check(directory: Path, shape: Callable[[str], object], through: dict[str, str]) -> None:
    found = let_through(rendered(directory, shape))
    value = found.pop("value")
    assert set(value) == set("".join(CHARACTERS)) - {"\r", "\u2028"}
    assert found == through
    assert let_through(rendered(directory.parent / "own", shape)) == {**through, "value": "*+-:@_"}


def test_nginx_reads_the_same_directives(stage: Stage, nginx: Nginx) -> None:
    own = "server {\n  listen 127.0.0.1:1;\n  server_name {{ hostnames[0] }};\n  return 200 {{ values.v }};\n}\n"
    nginx.configure(f"include {nginx.root}/own/*.conf;\nserver_names_hash_bucket_size 256;")
    written(stage, "nginx", nginx.include, nginx.test_argv, own, FIELDS)
    check(nginx.include, nginx_shape, WEB)
    dumped = subprocess.run([*nginx.argv, "-T"], capture_output=True, text=True, check=False)
    assert dumped.returncode == 0, dumped.stderr
    for path in nginx.include.glob("*-*.conf"):
        assert f"# configuration file {path}:\n{path.read_text()}" in dumped.stdout


def test_apache_reads_the_same_directives(stage: Stage, apache: Apache) -> None:
    own = "<VirtualHost *:1>\nServerName {{ hostnames[0] }}\nServerAdmin {{ values.v }}\n</VirtualHost>\n"
    apache.configure(f"IncludeOptional {apache.root}/own/*.conf")
    written(stage, "apache", apache.include, apache.test_argv, own, FIELDS)
    check(apache.include, apache_shape, WEB)
    argv = [*apache.argv, "-t", "-D", "DUMP_CONFIG"]
    dumped = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert dumped.returncode == 0, dumped.stderr
    parts = dict(part.split("\n", 1) for part in dumped.stdout.split("# In file: ")[1:])
    for path in (*apache.include.glob("*-*.conf"), *(apache.root / "own").glob("*-*.conf")):
        if path.stem.rpartition("-")[0] in FIELDS:
            left = [line for line in apache_shape(path.read_text()) if line != "include/1"]
            assert [line for line in apache_shape(parts[str(path)]) if line != "include/1"] == left


def test_dovecot_reads_the_same_settings(stage: Stage, tmp_path: Path) -> None:
    own = (
        "local_name {{ hostnames[0] }} {\n  ssl_cert = <{{ fullchain }}\n  ssl_key = <{{ key }}\n"
        "  ssl_cipher_list = {{ values.v }}\n}\n"
    )
    with dovecot(tmp_path / "dovecot", start=False) as server:
        fields = ("value", "hostname")
        written(stage, "dovecot", server.include, server.test_argv, own, fields)
        check(server.include, dovecot_shape, {"hostname": WEB["hostname"]})
        for directory in (server.include, server.include.parent / "own"):
            files = sorted(directory.glob("*-*.conf"))
            config = tmp_path / "alone.conf"
            config.write_text("ssl = required\n" + "".join(f"!include {path}\n" for path in files))
            argv = [server.test_argv[0], "-c", str(config), "-n", "-P"]
            dumped = subprocess.run(argv, capture_output=True, text=True, check=False)
            assert dumped.returncode == 0, dumped.stderr
            names = re.findall(r"^local_name (\S+) \{$", dumped.stdout, re.MULTILINE)
            assert len(names) == len(files)
            assert dumped.stdout.count("ssl_cert = <") == len(files)


def test_haproxy_reads_the_same_lines_also_in_odd_directories(stage: Stage, haproxy: Haproxy) -> None:
    directories = {f"d{number}": haproxy.root / f"x{text}y" for number, text in enumerate(CHARACTERS)}
    common = {"type": "haproxy", "test": ["/bin/true"], "reload": {"command": ["/bin/true"]}, "verify": {"mode": "off"}}
    for name, directory in directories.items():
        stage.write(f"{name}.yaml", document("Target", name, {**common, "configDirectory": str(directory)}))
        stage.write(f"s{name}.yaml", site(f"in-{name}", issuers=["self-signed"], targets=[name]))
    argv = list(haproxy.test_argv)
    stage.write(
        "base.yaml", document("Server", "home", SERVER), target("web", "haproxy", haproxy.include, argv),
        *sites(stage.root, "web", port=1, fields=["hostname"]),
    )  # fmt: skip
    stage.apply(lenient=True)
    listed = (haproxy.include / "crt-list.txt").read_text().splitlines()
    lines = [line.split(" ") for line in listed if not line.startswith("#")]
    numbers = [int(pair.rpartition("-")[2].removesuffix(".pem")) for pair, _ in lines]
    assert let_through({"hostname": numbers}) == {"hostname": WEB["hostname"]}
    made = {name: directory for name, directory in directories.items() if (directory / "crt-list.txt").exists()}
    assert let_through({"place": [int(name[1:]) for name in made]}) == {"place": "+-@_"}
    for path in (haproxy.include, *made.values()):
        text = haproxy.config.read_text().replace(f"{haproxy.include}/crt-list.txt", f"{path}/crt-list.txt")
        config = haproxy.root / "one.cfg"
        config.write_text(text)
        tested = subprocess.run([argv[0], "-c", "-f", str(config)], capture_output=True, text=True, check=False)
        assert tested.returncode == 0, tested.stdout + tested.stderr


def test_postfix_reads_the_same_lines(stage: Stage) -> None:
    with postfix() as server:
        words = list(server.postmap_argv)
        stage.write(
            "base.yaml",
            document("Server", "home", SERVER),
            target("web", "postfix", server.include, server.test_argv, postmap=words),
            *sites(stage.root, "web", port=1, fields=["hostname"]),
        )
        stage.apply(lenient=True)
        source = (server.include / "sni").read_text().splitlines()
        keys = sorted(line.split(" ")[0] for line in source if not line.startswith("#"))
        dumped = subprocess.run([words[0], "-s", words[-1]], capture_output=True, text=True, check=True).stdout
        assert sorted(line.split()[0] for line in dumped.splitlines()) == keys
        assert len(keys) == len(WEB["hostname"]) + 1
