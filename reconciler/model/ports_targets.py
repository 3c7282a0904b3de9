"""What a server type promises, and what it may have done on the machine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from reconciler.model.desired import (
    DesiredSite,
    StartTlsProtocol,
    TargetSpec,
    TargetUse,
)
from reconciler.model.names import Part


@dataclass(frozen=True, slots=True)
class SiteOnTarget:
    """A site as a target sees it. `live` is the directory by which servers read its key and chain."""

    site: str
    hostnames: tuple[str, ...]
    use: TargetUse
    live: str
    server: str = ""
    http01_webroot: str | None = None

    @classmethod
    def of(cls, site: DesiredSite, use: TargetUse, live: str) -> SiteOnTarget:
        """Make it of a site and one of its uses; the webroot is the built-in http-01 method's if a name uses that."""
        ways = (method.way for tried in site.methods.values() for method in tried if method.type == "http-01")
        webroot = next((way.directory for way in ways if way.type == "webroot" and way.builtin), None)
        return cls(site.name, site.names, use, live, site.server, webroot)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that should stand in a target. `text` is set for configuration only; material comes from the revision.

    `fragment`: `text` is the site's block in a file that the target's sites share (`model.fragments`). `own_directory`:
    it stands in the target's own directory, which is made where it is missing; true of all configuration.
    """

    path: str
    part: Part
    mode: int
    owner: str | None = None
    group: str | None = None
    text: str | None = None
    fragment: bool = False
    own_directory: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """A file that a batch has just changed."""

    path: str
    part: Part
    how: Literal["create", "replace", "remove"]


@dataclass(frozen=True, slots=True)
class Activated:
    """How a server took up what is installed. `how` is for a person: `reloaded`, `replaced by the runtime socket`."""

    ok: bool
    output: str
    how: str = "reloaded"


@dataclass(frozen=True, slots=True)
class Named:
    """A certificate and its key that a configuration names.

    `key` None: it stands in the certificate's file. `alone`: certificates without a key, such as a chain.
    """

    certificate: str
    key: str | None = None
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one site cannot be rendered: a documented reason and a sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Tested:
    """The server's own test. `blamed` are files of ours that its message names.

    `unusable` are those of them that name a certificate or key with which the server can never be reloaded. `checked`:
    a check of ours failed, of what the server's own test does not read.
    """

    ok: bool
    output: str
    blamed: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()
    checked: bool = False


@dataclass(frozen=True, slots=True)
class Probe:
    """A handshake that should show the site's certificate."""

    address: str
    port: int
    sni: str
    starttls: StartTlsProtocol | None = None


class Hands(Protocol):
    """What a target may have done on the machine: its own declared commands, looks at its own directory and socket."""

    def run(self, what: Literal["test", "reload"], argv: Sequence[str]) -> tuple[int, str]:
        """Run a declared command; exit code and cleaned output.

        The code is below 0 where it was not started or was killed; the output begins with a sentence that says so.
        """
        ...

    def build(self, argv: Sequence[str], source: str, poor: str) -> tuple[int, str]:
        """Run a declared command, whose last word ends with the path `source`, to make `SOURCE.*` of it; as `run`.

        It works on a copy, and what it makes is renamed into place: a failure leaves what stands there as it is, and so
        does a success that says `poor`.
        """
        ...

    def give(self, argv: Sequence[str], task: str) -> tuple[int, str]:
        """Run a declared command with a task (JSON) on its standard input; as `run`."""
        ...

    def unusable(self, directory: str, suffix: str, named: Callable[[str], Sequence[Named]]) -> Mapping[str, str]:
        """Check every certificate and key that the files of a target's directory name: readable, parsed, a pair.

        `named` reads them out of a file's text. Gives a sentence for each file (by path) that names a bad one.
        """
        ...

    def ask(self, socket: str, command: str, payload: str | None = None) -> tuple[bool, str]:
        """Say one command to a runtime socket; `payload` is the path of a PEM file of ours that goes along.

        Gives whether there was an answer, and the answer or why there was none, cleaned.
        """
        ...


class Target(Protocol):
    """A server type. `copies` tells that key and certificate are copied out of the store."""

    copies: bool

    @property
    def built(self) -> Mapping[str, str]:
        """Give the files that `activate` has made of ours, each with what it is.

        Where one is changed, gone or something else by now, it is called again.
        """
        ...

    @property
    def spec(self) -> TargetSpec:
        """Give the resolved target."""
        ...

    def render(self, sites: Sequence[SiteOnTarget]) -> Mapping[str, tuple[Artifact, ...] | Refusal]:
        """Give each site's files."""
        ...

    def shared(self, sites: Sequence[SiteOnTarget]) -> tuple[Artifact, ...]:
        """Give the files that belong to the target and to no site."""
        ...

    def test(self, hands: Hands, paths: Collection[str]) -> Tested:
        """Ask the server whether its configuration as it stands is good; `paths` are the files of ours in question."""
        ...

    def replaces(self, changed: Collection[Changed]) -> bool:
        """Tell whether the server can take up these files without a reload, and so without a test of the whole.

        Where `activate` then fails, it is tested after all, and `activate` is called without them.
        """
        ...

    def activate(self, hands: Hands, changed: Collection[Changed]) -> Activated:
        """Make the server take up what is installed; `changed` is what this batch did. A good answer proves nothing."""
        ...

    def probes(self, site: SiteOnTarget) -> tuple[Probe, ...]:
        """Give the handshakes that prove a site."""
        ...
