"""R50: over a whole journey, told as loudly as can be, no secret is anywhere but in the files made for it.

Keys that we make are their own markers; secrets of others carry one. Every file below the machine's directory is read,
and all that any command printed.
"""

from __future__ import annotations

import base64
import re
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.journeys.stage import document, site
from tests.program import Program
from tests.servers.bind import bind
from tests.servers.pebble import Options, pebble
from tests.servers.processes import until
from tests.servers.zones import ALGORITHM, KEY_NAME, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.pebble import Pebble
    from tests.servers.zones import NameServer

HMAC: Final = base64.urlsafe_b64encode(b"CANARY-hmac-key-of-an-account-at-the-CA").decode().rstrip("=")
WRONG: Final = base64.b64encode(b"CANARY-of-a-key-nobody-knows-at-all").decode()
KEYS: Final = re.compile(r"privkey\.pem|key\.pem|pending\.key|.*\.key|.*\.both", re.ASCII)
SHOWN: Final = (
    *(["validate"], ["diff"], ["diff", "-o", "json"], ["diff", "-o", "markdown"], ["get", "sites", "-o", "json"]),
    *(["get", "targets", "-o", "yaml"], ["describe", "site", "one"], ["describe", "issuer", "ca"], ["status"]),
    *(["describe", "target", "disk"], ["why", "one"], ["verify", "-o", "json"], ["explain", "Issuer"], ["version"]),
)


@dataclass
class Watched:
    """The machine, and all that was said on it."""

    program: Program
    ca: Pebble
    server: NameServer
    said: list[str] = field(default_factory=list)
    made: set[bytes] = field(default_factory=set)

    @property
    def root(self) -> Path:
        """The machine's directory."""
        return self.program.root

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a verb as loudly as can be; what there is of keys afterwards is remembered."""
        done = self.program(words[0], "-vv", *words[1:])
        self.said += [done.stdout, done.stderr]
        self.remember()
        return done

    def remember(self) -> None:
        """Learn the private numbers of every key that stands in the state directory now."""
        for path in self.program.state.rglob("*"):
            if path.is_file() and path.name in {"privkey.pem", "key.pem", "pending.key"}:
                key = load_pem_private_key(path.read_bytes(), None)
                assert isinstance(key, ec.EllipticCurvePrivateKey)
                self.made.add(key.private_numbers().private_value.to_bytes(32, "big"))

    def write(self, tsig: str = SECRET) -> None:
        """Write the tree and the secrets that it names."""
        (self.root / "tsig").write_text(tsig)
        (self.root / "hmac").write_text(HMAC)
        provider = {
            "type": "rfc2136",
            "server": self.server.endpoint,
            "tsig": {"name": KEY_NAME, "algorithm": ALGORITHM, "secret": {"file": str(self.root / "tsig")}},
        }
        issuer = {"type": "acme", "directory": self.ca.directory, "caBundle": str(self.ca.bundle), "trust": "test"}
        eab = {"kid": "kid-1", "hmacKey": {"exec": ["/bin/cat", str(self.root / "hmac")]}}
        dump = f"env >> {self.root}/environment; cat /proc/$PPID/cmdline >> {self.root}/arguments"
        target: dict[str, Any] = {
            "type": "files",
            "key": str(self.root / "out" / "{site}.key"),
            "combined": str(self.root / "out" / "{site}.both"),
            "fullchain": str(self.root / "out" / "{site}.pem"),
            "test": ["/bin/sh", "-c", f"{dump}; test ! -e {self.root}/broken"],
            "reload": {"command": ["/bin/sh", "-c", dump], "delay": "0s"},
        }
        documents = (
            document("Server", "home", {"email": "me@example.com", "agreeToTerms": True}),
            document("Issuer", "pebble", {**issuer, "eab": eab}),
            document("ChallengeMethod", "zone", {"type": "dns-01", "provider": provider}),
            document("Target", "disk", target),
            site(
                "one", "one.test", "*.one.test", issuers=["pebble"], challenges=[{"method": "zone"}], targets=["disk"]
            ),
            site("two", "two.example.com", issuers=["ca"], targets=["disk"]),
        )
        import yaml

        (self.program.manifests / "all.yaml").write_text(yaml.safe_dump_all(documents, sort_keys=False))

    def leaks(self) -> Iterator[str]:
        """Everything that holds a secret and was not made for it."""
        fixed = [SECRET.encode(), HMAC.encode(), WRONG.encode(), b"CANARY"]
        numbers = [form for number in self.made for form in (number, number.hex().encode())]
        inside = [_middle(number) for number in self.made]
        for path in self.root.rglob("*"):
            own = path.relative_to(self.root).parts[0]
            if path.is_symlink() or not path.is_file() or own in {"ns", "pebble", "tsig", "hmac"}:
                continue
            content = path.read_bytes()
            if any(marker in content for marker in (*fixed, *numbers)):
                yield str(path)
            packed = content.replace(b"\n", b"").replace(b"\\n", b"")
            if not KEYS.fullmatch(path.name) and any(form in packed for forms in inside for form in forms):
                yield str(path)
        for text in self.said:
            packed = text.replace("\n", "").replace("\\n", "").encode()
            if any(marker in packed for marker in (*fixed, *numbers, *(form for forms in inside for form in forms))):
                yield f"said: {text[:2000]}"
            if "PRIVATE KEY" in text:
                yield f"said: {text[:2000]}"


def _middle(number: bytes) -> tuple[bytes, ...]:
    """What of a number stands in base64 text wherever it begins: at each of three offsets."""
    return tuple(base64.b64encode(number[offset : offset + 24]) for offset in range(3))


@pytest.fixture(name="watched")
def _watched(tmp_path: Path) -> Iterator[Watched]:
    settings = {"externalAccountBindingRequired": True, "externalAccountMACKeys": {"kid-1": HMAC}}
    (tmp_path / "out").mkdir()
    (tmp_path / "manifests").mkdir()
    with (
        bind(tmp_path / "ns", {"one.test": ()}) as server,
        pebble(tmp_path / "pebble", server.endpoint, Options(settings=settings)) as ca,
    ):
        yield Watched(Program(tmp_path), ca, server)


def test_no_secret_leaves_its_place(watched: Watched) -> None:
    state, out = watched.program.state, watched.root / "out"
    watched.write(tsig=WRONG)
    watched("diff")
    failed = watched("apply")
    assert failed.returncode == 1, failed.stdout
    assert "TsigRefused" in "".join(watched.said) or "TSIG" in "".join(watched.said)
    watched.write()
    watched("retry", "one")
    assert watched("apply").returncode == 0, watched.said[-2:]
    for words in SHOWN:
        watched(*words)
    (out / "two.key").write_text("drifted")
    (out / "one.both").chmod(0o644)
    assert "drifted" not in watched("diff").stdout, "what stands in a key's file is never shown"
    (watched.root / "broken").touch()
    watched("renew", "two")
    (watched.root / "broken").unlink()
    watched("retry", "two")
    _run_a_while(watched)
    watched("status")
    assert watched("diff").returncode == 0, watched.said[-2:]
    assert len(watched.made) >= 4, "an account, a CA and two sites at least"
    assert list(state.rglob("switch.json")) == []
    assert list((state / "tmp").rglob("*.pem")) == []
    assert list(watched.leaks()) == []
    assert (watched.root / "environment").read_text()
    for path in (*state.rglob("*"), out / "one.key", out / "one.both"):
        if path.is_file() and not path.is_symlink():
            assert path.stat().st_mode & 0o077 == 0, path


def test_the_search_finds_what_it_looks_for(watched: Watched) -> None:
    """A canary that cannot sing proves nothing."""
    watched.write()
    watched("apply", "two")
    assert list(watched.leaks()) == []
    key = next(watched.program.state.glob("certificates/two/*/privkey.pem")).read_bytes()
    (watched.root / "log").write_bytes(b"x" + key)
    assert list(watched.leaks()) == [str(watched.root / "log")]
    (watched.root / "log").write_bytes(next(iter(watched.made)))
    assert list(watched.leaks()) == [str(watched.root / "log")]
    (watched.root / "log").write_text(f"eab {HMAC}")
    assert list(watched.leaks()) == [str(watched.root / "log")]


def _run_a_while(watched: Watched) -> None:
    with (watched.root / "run.log").open("w") as log:
        argv, env = watched.program.argv("run", "-vv"), watched.program.environment()
        process = subprocess.Popen(argv, stdout=log, stderr=log, env=env)
        try:
            until(lambda: "looked at" in (watched.root / "run.log").read_text(), "the first look is over", 30)
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()
    watched.remember()
