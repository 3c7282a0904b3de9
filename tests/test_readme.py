"""What the README shows is what happens: each command in a `sh` or `console` block is run, and its output compared.

A line `...` of the README stands for any lines. What is not on the machine of the test is put in its place: Pebble for
Let's Encrypt, paths below a directory of the test, free ports.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import yaml

from reconciler.cli.group import VERBS
from reconciler.manifests.kinds.registry import KINDS
from tests.servers.handshake import handshake
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from tests.servers.challtestsrv import Challtestsrv
    from tests.servers.nginx import Nginx
    from tests.servers.pebble import Pebble

CHECKOUT: Final = Path(__file__).resolve().parent.parent
TEXT: Final = (CHECKOUT / "README.md").read_text()
BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LETSENCRYPT: Final = "https://acme-v02.api.letsencrypt.org/directory"
# `make` would run these tests again: it only says what it would do. The tour itself is run by test_examples.py.
_INSTEAD: Final = {"make quickstart": "make -n quickstart", "make test": "make -n test"}
# What changes from run to run, and how the README writes it.
_VARIES: Final = {
    r"\b[0-9a-f]{15}…": "FINGERPRINT…",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ": "TIME",
    r"\bin \d+ d\b": "in DAYS",
}
# The program, with the built-in webroot moved away from /run.
_PROGRAM: Final = """
import json, sys
from reconciler.manifests.resolving import builtins
from reconciler.targets.nginx import Nginx
webroot = sys.argv.pop(1)
objects = json.loads(json.dumps(builtins._OBJECTS).replace(builtins.BUILTIN_WEBROOT, webroot))
builtins._OBJECTS = tuple(map(tuple, objects))
builtins.BUILTIN_WEBROOT = webroot
Nginx.__init__.__defaults__ = (webroot,)
sys.argv[0] = "certwright"
from reconciler.cli import main
sys.exit(main())
"""


def blocks(*languages: str) -> list[str]:
    return [body for language, body in BLOCK.findall(TEXT) if language in languages]


class Machine:
    """Where the commands of the README are typed: the directory `home` below `root`."""

    def __init__(self, root: Path, pebble: Pebble, nginx: Nginx, dns: Challtestsrv) -> None:
        self.root, self.pebble, self.nginx, self.tls = root, pebble, nginx, free_port()
        self.home, self.webroot = root / "home", root / "run" / "certwright" / "http-01"
        for directory in (self.home, self.webroot, root / "var" / "lib", root / "etc" / "nginx" / "certwright.d"):
            directory.mkdir(parents=True)
        (root / "added.yaml").write_text(yaml.safe_dump_all(self._added()))
        (tree,) = blocks("yaml")
        assert "agreeToTerms: true" in tree
        resolvers = f'agreeToTerms: true, resolvers: ["{dns.dns}"]'
        (self.home / "site.yaml").write_text(tree.replace("agreeToTerms: true", resolvers))
        nginx.start()
        (http,) = blocks("nginx")
        http = http.replace("/etc/nginx", f"{root}/etc/nginx").replace("listen 443", f"listen 127.0.0.1:{self.tls}")
        nginx.configure(http.replace("listen 80;", f"listen 127.0.0.1:{pebble.http_port};"))

    def _added(self) -> list[dict[str, object]]:
        issuer = {"type": "acme", "directory": self.pebble.directory, "caBundle": str(self.pebble.bundle)}
        target = {
            "type": "nginx",
            "configDirectory": f"{self.root}/etc/nginx/certwright.d",
            "test": list(self.nginx.test_argv),
            "reload": {"command": list(self.nginx.reload_argv)},
            "verify": {"ports": [self.tls]},
        }
        named = (("Issuer", "letsencrypt", issuer), ("Target", "nginx", target))
        return [
            {"apiVersion": "certwright/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
            for kind, name, spec in named
        ]

    def run(self, command: str) -> tuple[int, str]:
        """Run a command of the README; give its exit code and what it printed, as the README would write it."""
        done = subprocess.run(
            ["bash", "-c", self._meant(command)],
            cwd=self.home,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), "COLUMNS": "160"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        said = done.stdout.replace(str(self.root), "").replace(self.pebble.directory, LETSENCRYPT)
        return done.returncode, varying(said.replace(f"127.0.0.1:{self.tls}", "127.0.0.1:443"))

    def _meant(self, command: str) -> str:
        shim = self.root / "certwright.py"
        shim.write_text(_PROGRAM)
        program = (
            f"{sys.executable} {shim} {self.webroot} -f {self.root}/added.yaml --state {self.root}/var/lib/certwright"
        )
        return re.sub(r"^certwright ", f"{program} ", command)


def varying(text: str) -> str:
    """Write what varies, and the width of columns, the same way."""
    for pattern, written in _VARIES.items():
        text = re.sub(pattern, written, text)
    return re.sub(r"(?<=\S) {2,}(?=\S)", "  ", text)


def sessions() -> list[tuple[str, str]]:
    """Give (command, output) of all `console` blocks, in their order."""
    found = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def matches(shown: str, said: str) -> bool:
    """Tell whether what was said is what is shown, where a line `...` is any number of lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line) + "\n" for line in varying(shown).splitlines()
    )
    return re.fullmatch(pattern, said.rstrip("\n") + "\n" if said.strip() else "") is not None


def test_what_the_sessions_show_is_what_happens(
    tmp_path: Path, pebble: Pebble, nginx: Nginx, dns: Challtestsrv
) -> None:
    machine = Machine(tmp_path, pebble, nginx, dns)
    for command, shown in sessions():
        code, said = machine.run(command)
        assert matches(shown, said), f"$ {command}\n{said}"
        assert code == (1 if " diff" in command else 0), command
    assert handshake(machine.tls, "example.com").names == {"example.com", "shop.example.com", "www.example.com"}


@pytest.mark.parametrize("line", [line for block in blocks("sh") for line in block.splitlines() if line])
def test_each_plain_command_exists(line: str) -> None:
    command = line.partition("#")[0].strip()
    subprocess.run(["bash", "-c", _INSTEAD[command]], cwd=CHECKOUT, check=True, capture_output=True, timeout=60)


def test_what_exists_is_what_is_there() -> None:
    """The table names the types of the schema and the verbs of the program: all of them, and no other."""
    section = TEXT.partition("## What exists")[2].partition("Not yet")[0]
    rows = dict(re.findall(r"^\| ([a-z ]+) \| (.+) \|$", section, re.MULTILINE))
    known = {kind: set(types) for kind, types in KINDS.items() if isinstance(types, dict)}
    for row, kind in (("issuers", "Issuer"), ("challenges", "ChallengeMethod"), ("targets", "Target")):
        assert set(re.findall(r"`([a-z0-9-]+)`", rows[row])) == known[kind], f"README.md, row {row}"
    assert set(re.findall(r"`([a-z]+)`", rows["verbs"])) == set(VERBS)


def test_each_security_rule_is_listed_with_its_tests() -> None:
    rows = re.findall(r"^\| R(\d+) \| .+ \| (.+) \|$", (CHECKOUT / "SECURITY.md").read_text(), re.MULTILINE)
    listed = {int(number): set(re.findall("`([^`]+)`", tests)) for number, tests in rows}
    files = {path.name for path in (CHECKOUT / "tests" / "security").glob("test_*.py")}
    assert set().union(*listed.values()) == files
    for file in files:
        assert file in listed[int(file[6:8])]
    code = [path.read_text() for top in ("reconciler", "tests") for path in (CHECKOUT / top).rglob("*.py")]
    assert {int(number) for text in code for number in re.findall(r"\bR(\d{1,2})\b", text)} <= set(listed)


def test_every_link_leads_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "DESIGN.md", "CHANGELOG.md", "SECURITY.md"):
        for link in re.findall(r"\]\(([^)#:]+)\)", (CHECKOUT / name).read_text()):
            assert (CHECKOUT / link).exists(), f"{name}: {link}"


def test_the_unit_is_one_that_systemd_takes_and_its_command_runs_until_it_is_told_to_end(tmp_path: Path) -> None:
    (unit,) = blocks("ini")
    program = Path(sys.executable).with_name("certwright")
    assert "/opt/certwright/.venv/bin/certwright" in unit
    written = tmp_path / "certwright.service"
    written.write_text(unit.replace("/opt/certwright/.venv/bin/certwright", str(program)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(written)], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if written.name in line]) == (0, [])
    (tmp_path / "home.yaml").write_text(blocks("yaml")[0].partition("---")[0])
    (argv,) = re.findall(r"^ExecStart=(.+)$", written.read_text(), re.MULTILINE)
    settings = {"CERTWRIGHT_MANIFESTS": str(tmp_path / "home.yaml"), "CERTWRIGHT_STATE": str(tmp_path / "state")}
    # as the manager starts it: no home, no terminal, nothing to read
    with subprocess.Popen(
        argv.split(),
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **settings},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    ) as running:
        assert running.stderr is not None
        said = running.stderr.readline()
        running.terminate()
        assert (running.wait(60), said[:1] != "") == (0, True)
