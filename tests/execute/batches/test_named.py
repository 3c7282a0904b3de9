"""What a configuration names is checked as the server would load it; what is unchanged is not opened again."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from reconciler.doors.files import api as files
from reconciler.execute.batches.hands.named import NamedFiles
from reconciler.targets.apache import names
from tests.servers.identity import make_identity

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from reconciler.model.ports import Rewrite


class MemoryCache:
    """The protocol `Cache` in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, str]] = {}

    def signatures(self, namespace: str) -> Mapping[str, str]:
        del namespace
        return {key: row[0] for key, row in self.kept.items()}

    def rows(self, namespace: str, keys: Collection[str] | None = None) -> Mapping[str, tuple[str, str]]:
        del namespace, keys
        return dict(self.kept)

    def put(self, namespace: str, rows: Mapping[str, tuple[str, str]], *, drop: Collection[str] = ()) -> bool:
        del namespace
        self.kept.update(rows)
        for key in drop:
            self.kept.pop(key, None)
        return True

    def put_all(self, writes: Mapping[str, Rewrite], row: tuple[str, str], seen: str | None) -> bool:
        raise NotImplementedError


def write(ground: Path, text: str = "") -> Path:
    path = ground / "conf" / "a.conf"
    path.write_text(text or f"SSLCertificateFile {ground}/a/server.pem\nSSLCertificateKeyFile {ground}/a/server.key\n")
    return path


def bad(ground: Path, checker: NamedFiles | None = None) -> dict[str, str]:
    return dict((checker or NamedFiles()).unusable(str(ground / "conf"), ".conf", names))


@pytest.fixture(name="ground")
def _ground(tmp_path: Path) -> Path:
    """A directory of configuration with one good site `a`; `b` is another pair."""
    (tmp_path / "conf").mkdir()
    for name in "ab":
        make_identity(tmp_path / name, f"{name}.example")
    write(tmp_path)
    return tmp_path


def test_a_good_pair_and_an_empty_directory_are_fine(ground: Path) -> None:
    assert bad(ground) == {}
    assert NamedFiles().unusable(str(ground / "none"), ".conf", names) == {}


@pytest.mark.parametrize("what", ["garbage", "empty", "missing", "mismatch", "directory", "link", "key first", "half"])
def test_what_cannot_be_loaded_is_told(ground: Path, what: str) -> None:
    certificate = ground / "a" / "server.pem"
    content = certificate.read_bytes()
    certificate.unlink()
    if what == "garbage":
        certificate.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    elif what == "empty":
        certificate.touch()
    elif what == "mismatch":
        shutil.copy(ground / "b" / "server.pem", certificate)
    elif what == "directory":
        certificate.mkdir()
    elif what == "link":
        certificate.symlink_to("/nowhere/at.all")
    elif what == "key first":
        certificate.write_bytes((ground / "a" / "server.key").read_bytes())
    elif what == "half":
        certificate.write_bytes(content[: len(content) // 2])
    found = bad(ground)
    assert list(found) == [str(ground / "conf" / "a.conf")]
    assert str(certificate) in found[str(ground / "conf" / "a.conf")]
    assert "PRIVATE" not in str(found)


def test_a_key_that_openssl_refuses_is_told(ground: Path) -> None:
    """It parses and it fits, and yet no server starts with it."""
    from datetime import timedelta

    from reconciler.doors import x509
    from reconciler.model.text import Secret
    from tests.builders import SteadyClock

    key = rsa.generate_private_key(65537, 1024)  # noqa: S505  that is the point
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificate = x509.self_signed(Secret(pem), ["a.example"], timedelta(days=9), SteadyClock().now(), marker=False)
    (ground / "a" / "server.pem").write_bytes(certificate)
    (ground / "a" / "server.key").write_bytes(pem)
    assert "key too small" in next(iter(bad(ground).values()))


def test_a_key_in_the_certificates_file_and_a_chain_alone(ground: Path) -> None:
    combined = ground / "combined.pem"
    combined.write_bytes((ground / "a" / "server.key").read_bytes() + (ground / "a" / "server.pem").read_bytes())
    write(ground, f"SSLCertificateFile {combined}\nSSLCertificateChainFile {ground}/a/ca.pem\n")
    assert bad(ground) == {}
    write(ground, f"SSLCertificateFile {ground}/a/server.pem\n")
    assert len(bad(ground)) == 1
    write(ground, f"SSLCertificateFile {combined}\nSSLCertificateChainFile {ground}/a/server.key\n")
    assert len(bad(ground)) == 1


@pytest.mark.parametrize("path", ["certs/a.pem", "${CERTS}/a.pem", "/a b.pem"])
def test_a_path_that_nobody_can_follow_is_told(ground: Path, path: str) -> None:
    write(ground, f'SSLCertificateFile "{path}"\n')
    assert "absolute path" in next(iter(bad(ground).values()))


def test_what_apache_does_not_include_is_not_looked_at(ground: Path) -> None:
    for name in (".staged.conf", "a.conf.bak"):
        (ground / "conf" / name).write_text("SSLCertificateFile /nowhere.pem\n")
    assert bad(ground) == {}


def test_unchanged_files_are_not_opened(ground: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checker = NamedFiles(MemoryCache())
    old = time.time() - 100
    for path in (ground / "conf" / "a.conf", ground / "a" / "server.pem", ground / "a" / "server.key"):
        os.utime(path, (old, old))
    time.sleep(0.03)
    assert bad(ground, checker) == {}
    opened: list[str] = []
    real = files.read_file

    def counted(path: str, *arguments: object, **named: object) -> bytes:
        opened.append(path)
        return real(path, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "read_file", counted)
    assert bad(ground, checker) == {}
    assert opened == []
    (ground / "a" / "server.key").write_bytes((ground / "b" / "server.key").read_bytes())
    assert len(bad(ground, checker)) == 1
    assert len(bad(ground, checker)) == 1, "a bad verdict is never taken from the cache"


def test_a_file_that_lists_the_pairs_of_ten_thousand_sites_is_read(ground: Path) -> None:
    lines = "".join(f"# host{number}.{'x' * 100}.example.com\n" for number in range(10_000))
    path = write(ground)
    write(ground, lines + path.read_text())
    assert path.stat().st_size > 1 << 20
    assert bad(ground) == {}
