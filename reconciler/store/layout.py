"""All paths of the store. A name from outside becomes a part of a path by `segment` and by nothing else."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from reconciler.errors import UsageError
from reconciler.model.text import clean
from reconciler.model.tokens import is_published_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FORMAT: Final = 1
DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600

_SEGMENT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}", re.ASCII)
_REVISION: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}(-[1-9][0-9]{0,5})?", re.ASCII)
_NOT_HOST: Final = re.compile(r"[^a-z0-9.-]", re.ASCII)
_LONGEST_HOST: Final = 100
_NAMES_IN_SCOPE: Final = {"run": 0, "account": 2}

IMPORT_FILES: Final = ("privkey.pem", "fullchain.pem")
REVISION_FILES: Final = ("privkey.pem", "cert.pem", "chain.pem", "fullchain.pem", "meta.json")


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of path: a pattern under the root; `mode` None for a symbolic link."""

    pattern: str
    mode: int | None


def _directories(*patterns: str) -> tuple[Row, ...]:
    return tuple(Row(pattern + "/", DIRECTORY_MODE) for pattern in patterns)


def _files(*patterns: str) -> tuple[Row, ...]:
    return tuple(Row(pattern, FILE_MODE) for pattern in patterns)


# made when the store is opened for writing; all others when they are first needed
FIXED: Final = (
    *("accounts", "archive", "ca", "certificates", "desired", "imports", "inventory", "live", "orders", "status"),
    *("tmp", "tokens", "undo"),
    *("locks", "locks/account", "locks/listener", "locks/site", "locks/status", "locks/target"),
)

# every kind of path there may be; state/README.md has the same table, and a test compares the two
ROWS: Final = (
    *_files("VERSION", "source", "ledger.sqlite", "ledger.sqlite.broken", "index.sqlite"),
    *_directories(*FIXED),
    *_directories("accounts/<directory>", "accounts/<directory>/<account>"),
    *_files("accounts/<directory>/<account>/key.pem", "accounts/<directory>/<account>/registration.json"),
    *_directories("ca/<name>"),
    *_files("ca/<name>/key.pem", "ca/<name>/certificate.pem"),
    *_directories("certificates/<site>", "certificates/<site>/<revision>"),
    *_files(*(f"certificates/<site>/<revision>/{name}" for name in REVISION_FILES)),
    Row("live/<site>", None),
    *_directories("imports/<site>", "imports/<site>/<revision>"),
    *_files(*(f"imports/<site>/<revision>/{name}" for name in IMPORT_FILES)),
    *_directories("orders/<site>"),
    *_files("orders/<site>/order.json", "orders/<site>/order.broken", "orders/<site>/pending.key"),
    *_files("tokens/<token>", "undo/<id>.json", "desired/<site>.json", "status/<site>.json"),
    *_directories("inventory/<target>", "inventory/<target>/sites"),
    *_files("inventory/<target>/sites/<site>.json", "inventory/<target>/target.json", "inventory/<target>/switch.json"),
    *_directories("archive/<site>", "archive/<site>/<revision>"),
    *_files(*(f"archive/<site>/<revision>/{name}" for name in REVISION_FILES)),
    *_files("locks/run", "locks/site/<site>", "locks/target/<target>", "locks/status/<shard>"),
    *_files("locks/listener/<port>", "locks/listener/<port>.<address>.<type>.holder"),
    *_directories("locks/account/<directory>"),
    *_files("locks/account/<directory>/<account>"),
    *_directories("tmp/<process>"),
)


def segment(name: str) -> str:
    """Give a name back if it can be one part of a path, else raise UsageError. Idempotent; no name maps to another one.

    1 to 200 of `A-Z a-z 0-9 . _ -`, the first one no dot and no dash: so no `..`, no option, no hidden file.
    """
    if _SEGMENT.fullmatch(name) is None:
        rule = "1 to 200 of A-Z a-z 0-9 . _ -, not starting with . or -"
        raise UsageError(f"'{clean(name, 80)}' is no name that the store can keep: {rule}")
    return name


def directory_segment(url: str) -> str:
    """Give the folder of a CA's directory URL: its host for people, ten hex digits of sha256(URL) to be unique."""
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:
        name = ""
    host = _NOT_HOST.sub("_", name.lower())[:_LONGEST_HOST].lstrip(".-")
    digest = hashlib.sha256(url.encode(errors="surrogatepass")).hexdigest()
    return segment(f"{host or 'ca'}-{digest[:10]}")


def is_segment(name: str) -> bool:
    """Tell whether `segment` would take it: what is read back from a directory is not trusted either."""
    return _SEGMENT.fullmatch(name) is not None


def segments(found: Iterable[str]) -> Iterator[str]:
    """Give those of the names that `segment` would take, without a call for each: there are tens of thousands."""
    return filter(_SEGMENT.fullmatch, found)


def is_revision(name: str) -> bool:
    """Tell whether this is an id of a revision, `20261123T101500Z-ab12cd34`, perhaps with `-2`."""
    return _REVISION.fullmatch(name) is not None


def revision(name: str) -> str:
    """Give a revision's id back, or raise UsageError."""
    if not is_revision(name):
        raise UsageError(f"'{clean(name, 80)}' is no id of a revision; such an id looks like 20261123T101500Z-ab12cd34")
    return name


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand under `root` (absolute, without a final slash)."""

    root: str

    def fixed(self, name: str) -> str:
        """Give a path whose name is fixed: `VERSION`, `live`, `locks/site`."""
        return f"{self.root}/{name}"

    def account(self, directory: str, name: str) -> str:
        """Give the folder of an account; `directory` is the CA's directory URL."""
        return f"{self.root}/accounts/{directory_segment(directory)}/{segment(name)}"

    def ca(self, name: str) -> str:
        """Give the folder of an embedded CA."""
        return f"{self.root}/ca/{segment(name)}"

    def certificates(self, site: str) -> str:
        """Give the folder of a site's revisions."""
        return f"{self.root}/certificates/{segment(site)}"

    def revision(self, site: str, name: str) -> str:
        """Give the folder of one revision."""
        return f"{self.root}/certificates/{segment(site)}/{revision(name)}"

    def imports(self, site: str) -> str:
        """Give the folder of copies of what was brought for a site."""
        return f"{self.root}/imports/{segment(site)}"

    def imported(self, site: str, name: str) -> str:
        """Give the folder of one of these copies."""
        return f"{self.root}/imports/{segment(site)}/{revision(name)}"

    def live(self, site: str) -> str:
        """Give the live pointer of a site."""
        return f"{self.root}/live/{segment(site)}"

    def orders(self, site: str) -> str:
        """Give the folder of a site's order in flight."""
        return f"{self.root}/orders/{segment(site)}"

    def token(self, token: str) -> str:
        """Give the file of an http-01 answer, or raise UsageError."""
        if not is_published_name(token):
            raise UsageError(f"'{clean(token, 80)}' is no challenge token: 1 to 200 of A-Z a-z 0-9 _ -")
        return f"{self.root}/tokens/{token}"

    def undo(self, name: str) -> str:
        """Give the file of a thing to undo."""
        return f"{self.root}/undo/{segment(name)}.json"

    def desired(self, site: str) -> str:
        """Give the file of a site's last valid meaning."""
        return f"{self.root}/desired/{segment(site)}.json"

    def status(self, site: str) -> str:
        """Give the file of a site's memory."""
        return f"{self.root}/status/{segment(site)}.json"

    def inventory(self, target: str) -> str:
        """Give the folder of a target."""
        return f"{self.root}/inventory/{segment(target)}"

    def inventory_of(self, target: str, site: str) -> str:
        """Give the file of what is ours of one site in a target."""
        return f"{self.root}/inventory/{segment(target)}/sites/{segment(site)}.json"

    def archive(self, site: str) -> str:
        """Give the folder of a site's archived revisions."""
        return f"{self.root}/archive/{segment(site)}"

    def archived(self, site: str, name: str) -> str:
        """Give the folder of one archived revision."""
        return f"{self.archive(site)}/{revision(name)}"

    def lock(self, scope: str) -> str:
        """Give the lock file of a scope.

        Scopes: `run`, `site/NAME`, `target/NAME`, `account/HOST/NAME`, `listener/PORT`; `status/SHARD` is our own.
        """
        kind, *names = scope.split("/")
        if _NAMES_IN_SCOPE.get(kind, 1) != len(names):
            raise UsageError(f"'{clean(scope, 80)}' is nothing that can be locked")
        if kind == "account":
            # an IPv6 address has colons
            names[0] = _NOT_HOST.sub("_", names[0].lower()).lstrip(".-")
        return "/".join((f"{self.root}/locks", segment(kind), *(segment(name) for name in names)))
