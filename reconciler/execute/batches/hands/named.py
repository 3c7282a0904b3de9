"""Whether the certificates that configuration files name are usable: what a server's own test does not look at.

Good verdicts are cached by stat signature, of the configuration and of all files it names: ten thousand unchanged sites
cost stats. What changed within the clock's tick is checked again next time.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reconciler.doors import tls, x509
from reconciler.doors.files import api as files
from reconciler.errors import Failed
from reconciler.model.text import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reconciler.model.ports import Cache, Named

_NAMESPACE: Final = "named"
_LIMIT: Final = 1 << 20
_LISTED: Final = 16 << 20  # one file may list the pairs of all sites
_SLACK: Final = 20_000_000  # nanoseconds
_PATH: Final = re.compile(r"/[A-Za-z0-9._/@+-]+", re.ASCII)
_BLOCK: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----[^-]+-----END \1-----\r?\n?")


@dataclass(frozen=True, slots=True)
class NamedFiles:
    """Checks a directory's configuration. `cache` None: everything is read each time."""

    cache: Cache | None = None

    def unusable(self, directory: str, suffix: str, named: Callable[[str], Sequence[Named]]) -> Mapping[str, str]:
        """Give a sentence for each file (by path) that names what cannot be used."""
        rows = self.cache.rows(_NAMESPACE) if self.cache is not None else {}
        new: dict[str, tuple[str, str]] = {}
        bad: dict[str, str] = {}
        for path in _files(directory, suffix):
            if _is_known(path, rows.get(path)):
                continue
            wanted, why = _checked(path, named)
            if why is not None:
                bad[path] = why
            elif (signature := _signature((path, *_paths(wanted)))) is not None:
                new[path] = signature, json.dumps(_paths(wanted))
        if self.cache is not None:
            gone = [path for path in rows if path.startswith(f"{directory}/") and not os.path.lexists(path)]
            self.cache.put(_NAMESPACE, new, drop=[*gone, *(path for path in bad if path in rows)])
        return bad


def _files(directory: str, suffix: str) -> list[str]:
    """Give what a server includes by `DIRECTORY/*SUFFIX`: no name that starts with a dot."""
    if files.stat_file(directory) is None:
        return []
    names = files.list_directory(directory)
    return [f"{directory}/{name}" for name in names if name.endswith(suffix) and not name.startswith(".")]


def _is_known(path: str, row: tuple[str, str] | None) -> bool:
    if row is None:
        return False
    paths: Any = json.loads(row[1])
    return _signature((path, *paths)) == row[0]


def _signature(paths: Iterable[str]) -> str | None:
    """Give what changes with any of the files; None where one has gone or may still change within the clock's tick."""
    fields: list[int] = []
    newest = 0
    try:
        for path in paths:
            facts = os.stat(path)  # noqa: PTH116  for each file of ten thousand sites; pathlib takes as long as the stat
            fields += [facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_mode]
            newest = max(newest, facts.st_ctime_ns)
    except OSError:
        return None
    if newest > time.time_ns() - _SLACK:
        return None
    return ":".join(f"{field:x}" for field in fields)


def _paths(wanted: Iterable[Named]) -> list[str]:
    return [path for one in wanted for path in (one.certificate, one.key) if path is not None]


def _checked(path: str, named: Callable[[str], Sequence[Named]]) -> tuple[Sequence[Named], str | None]:
    try:
        wanted = named(files.read_file(path, _LISTED).decode("utf-8", "replace"))
    except Failed as failure:
        return (), str(failure)
    for one in wanted:
        why = why_unusable(one)
        if why is not None:
            return wanted, f"{path} names {one.certificate}: {why}"
    return wanted, None


def why_unusable(one: Named) -> str | None:
    """Say why a server could not load a certificate and its key; None if it can."""
    for path in _paths([one]):
        if not _PATH.fullmatch(path):
            return "only an absolute path can be checked before a reload"
    try:
        certificates = files.read_file(one.certificate, _LIMIT, follow=True)
        source = certificates if one.key is None else files.read_file(one.key, _LIMIT, follow=True)
        return _wrong(_only(certificates, b"CERTIFICATE"), _only(source, b"PRIVATE KEY"), alone=one.alone)
    except Failed as failure:
        return str(failure)


def _wrong(certificates: bytes, key: bytes, *, alone: bool) -> str | None:
    if alone:
        x509.read_chain(certificates, blame="local")
        return None
    secret = Secret(key)
    x509.check_pair(certificates, secret)
    return tls.unloadable(certificates, secret)


def _only(pem: bytes, label: bytes) -> bytes:
    return b"".join(match[0] for match in _BLOCK.finditer(pem) if match[1].endswith(label))
