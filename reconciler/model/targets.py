"""Where a certificate is put to use, resolved. See `model.desired`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from reconciler.model.names import Part, Switch
from reconciler.model.references import Values


@dataclass(frozen=True, slots=True)
class Reload:
    """How a server takes up new files. `delay` is the least time between two reloads under the watch loop."""

    command: tuple[str, ...] | None = None
    delay: timedelta = timedelta(minutes=2)


StartTlsProtocol = Literal["imap", "pop3", "smtp"]


@dataclass(frozen=True, slots=True)
class StartTls:
    """A port where TLS begins after a command of a protocol: RFC 9051 (imap), RFC 2595 (pop3), RFC 3207 (smtp)."""

    port: int
    protocol: StartTlsProtocol


@dataclass(frozen=True, slots=True)
class Verify:
    """Where the served certificate is looked at; only `enforce` counts for Ready.

    `ports` are all of them; `starttls` tells which of them speak another protocol before TLS.
    """

    address: str = "127.0.0.1"
    ports: tuple[int, ...] = ()
    mode: Switch = Switch.ENFORCE
    starttls: tuple[StartTls, ...] = ()

    @property
    def way(self) -> str:
        """Give in one word where and how the ports are asked: `127.0.0.1 143=imap`."""
        return " ".join((self.address, *(f"{one.port}={one.protocol}" for one in self.starttls)))


@dataclass(frozen=True, slots=True)
class Template:
    """A configuration template, read when the manifests were. `name` is `builtin`, a path, or `inline`."""

    name: str = "builtin"
    text: str | None = None


@dataclass(frozen=True, slots=True)
class FileRule:
    """One file of a `files` target; `path` may hold `{site}`, `{hostname}`, `{server}`, `{values.KEY}`."""

    part: Part
    path: str
    mode: int
    owner: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetBase:
    """What all targets have."""

    name: str
    test: tuple[str, ...] | None = None
    reload: Reload = field(default_factory=Reload)
    verify: Verify = field(default_factory=Verify)
    existing: Literal["refuse", "adopt"] = "refuse"
    placeholder: bool = True
    values: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxTarget(TargetBase):
    """nginx: we own whole files in `config_directory`, which the user's configuration includes once.

    `webroots` are those of the tree's http-01 methods that `http-01.conf` serves beside the built-in one (snippet).
    """

    layout: Literal["snippet", "vhost", "live"] = "snippet"
    config_directory: str = "/etc/nginx/certwright.d"
    template: Template = field(default_factory=Template)
    default_site: str | None = None
    webroots: tuple[str, ...] = ()
    type: Literal["nginx"] = "nginx"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApacheTarget(TargetBase):
    """Apache httpd 2.4: as nginx, whole files in `config_directory`; the user has the `Listen` lines."""

    layout: Literal["snippet", "vhost", "live"] = "snippet"
    config_directory: str = "/etc/apache2/certwright.d"
    template: Template = field(default_factory=Template)
    default_site: str | None = None
    webroots: tuple[str, ...] = ()
    type: Literal["apache"] = "apache"


@dataclass(frozen=True, slots=True, kw_only=True)
class HaproxyTarget(TargetBase):
    """HAProxy 2.6 or later: `config_directory` holds `SITE.pem` and `crt-list.txt`; `socket` is of level admin."""

    config_directory: str = "/etc/haproxy/certwright.d"
    socket: str | None = None
    default_site: str | None = None
    type: Literal["haproxy"] = "haproxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class DovecotTarget(TargetBase):
    """Dovecot: whole files in `config_directory`, with `local_name` blocks that name what is live."""

    config_directory: str = "/etc/dovecot/certwright.d"
    template: Template = field(default_factory=Template)
    default_site: str | None = None
    type: Literal["dovecot"] = "dovecot"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostfixTarget(TargetBase):
    """Postfix: `SITE.pem` and the source of an SNI map in `config_directory`; `postmap` builds the map of it."""

    config_directory: str = "/etc/postfix/certwright.d"
    postmap: tuple[str, ...] = ("postmap", "-F", "hash:/etc/postfix/certwright.d/sni")
    default_site: str | None = None
    type: Literal["postfix"] = "postfix"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesTarget(TargetBase):
    """Plain files anywhere, and a command that makes their reader take them up."""

    files: tuple[FileRule, ...] = ()
    type: Literal["files"] = "files"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecTarget(TargetBase):
    """A command of the user's own, which gets JSON on its standard input for each site."""

    install: tuple[str, ...]
    type: Literal["exec"] = "exec"


TargetSpec = ApacheTarget | DovecotTarget | ExecTarget | HaproxyTarget | NginxTarget | PostfixTarget | FilesTarget


def has_outside(spec: TargetSpec, paths: Iterable[str]) -> bool:
    """Tell whether any of these files of ours stands elsewhere than in the one directory that a server includes."""
    directory = directory_of(spec)
    return bool(directory) and not all(path.startswith(f"{directory}/") for path in paths)


def directory_of(spec: TargetSpec) -> str:
    """Give the directory that a server includes, "" for a target that has none."""
    return "" if isinstance(spec, FilesTarget | ExecTarget) else spec.config_directory.rstrip("/")
