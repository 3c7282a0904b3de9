"""Sites as targets see them, a renderer for all tests, and hands that run commands for real."""

from __future__ import annotations

import atexit
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from reconciler.doors.processes.api import run
from reconciler.doors.templates.api import Renderer
from reconciler.execute.batches.hands import beside
from reconciler.execute.batches.hands.local import LocalHands
from reconciler.manifests.resolving.builtins import RELOADS, TESTS
from reconciler.model.desired import NginxTarget, Reload, TargetUse, Template, Values, Verify
from reconciler.model.ports import Artifact, Refusal, SiteOnTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from reconciler.model.desired import TargetSpec
    from reconciler.model.ports import Named
    from tests.servers.identity import Identity

RENDERER = Renderer()
atexit.register(RENDERER.close)


@dataclass
class RealHands:
    """Runs declared commands for real and keeps what was asked for."""

    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def run(self, what: Literal["test", "reload"], argv: Sequence[str]) -> tuple[int, str]:
        self.asked.append((what, tuple(argv)))
        finished = run(argv)
        return finished.returncode, finished.output.decode()

    def build(self, argv: Sequence[str], source: str, poor: str) -> tuple[int, str]:
        return beside.build(lambda words: self.run("reload", words), argv, source, poor)

    def give(self, argv: Sequence[str], task: str) -> tuple[int, str]:
        finished = run(argv, stdin=task.encode())
        return finished.returncode, finished.output.decode()

    def unusable(self, directory: str, suffix: str, named: Callable[[str], Sequence[Named]]) -> Mapping[str, str]:
        return LocalHands().unusable(directory, suffix, named)

    def ask(self, socket: str, command: str, payload: str | None = None) -> tuple[bool, str]:
        return LocalHands().ask(socket, command, payload)


@dataclass
class ScriptedHands:
    """Answers with what a server once printed."""

    code: int = 0
    output: str = ""
    bad: Mapping[str, str] = field(default_factory=dict)
    answers: list[tuple[bool, str]] = field(default_factory=list)
    copied: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def run(self, what: Literal["test", "reload"], argv: Sequence[str]) -> tuple[int, str]:
        self.asked.append((what, tuple(argv)))
        return self.code, self.output

    def build(self, argv: Sequence[str], source: str, poor: str) -> tuple[int, str]:  # noqa: ARG002
        self.copied.append((source, tuple(argv)))
        return self.run("reload", argv)

    def give(self, argv: Sequence[str], task: str) -> tuple[int, str]:  # noqa: ARG002
        return self.run("reload", argv)

    def unusable(self, directory: str, suffix: str, named: Callable[[str], Sequence[Named]]) -> Mapping[str, str]:
        self.asked.append(("unusable", (directory, suffix, named.__name__)))
        return self.bad

    def ask(self, socket: str, command: str, payload: str | None = None) -> tuple[bool, str]:
        self.asked.append(("ask", (socket, command, payload or "")))
        return self.answers.pop(0) if self.answers else (False, "nobody")


def seat(
    spec: TargetSpec,
    site: str = "a",
    *hostnames: str,
    live: str = "/state/live",
    values: Values | None = None,
    webroot: str | None = None,
) -> SiteOnTarget:
    """Give a site; its name is a hostname of `example` by default."""
    return SiteOnTarget(
        site, hostnames or (f"{site}.example",), TargetUse(spec, values or {}), f"{live}/{site}", "svr", webroot
    )


def vhost(directory: Path | str, *ports: int, **changes: object) -> NginxTarget:
    """Give a target with whole server blocks on loopback ports."""
    spec = NginxTarget(
        name="web",
        layout="vhost",
        config_directory=str(directory),
        verify=Verify(ports=ports or (443,)),
        test=TESTS["nginx"],
        reload=Reload(RELOADS["nginx"]),
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def templated(text: str, directory: str = "/etc/nginx/certwright.d") -> NginxTarget:
    """Give a target with a template of the user's."""
    return vhost(directory, template=Template("inline", text))


def one(rendered: Mapping[str, tuple[Artifact, ...] | Refusal], site: str = "a") -> Artifact:
    """Give the one file of a site that was rendered."""
    artifacts = rendered[site]
    assert not isinstance(artifacts, Refusal), artifacts.message
    (artifact,) = artifacts
    return artifact


def refusal(rendered: Mapping[str, tuple[Artifact, ...] | Refusal], site: str = "a") -> Refusal:
    """Give why a site was refused."""
    found = rendered[site]
    assert isinstance(found, Refusal), found
    return found


def put_live(live: Path, site: str, identity: Identity) -> None:
    """Make a site's live directory, as the store does."""
    directory = live / site
    directory.mkdir(parents=True)
    chain = identity.certificate.read_bytes()
    (directory / "fullchain.pem").write_bytes(chain)
    (directory / "cert.pem").write_bytes(chain)
    (directory / "chain.pem").write_bytes(b"")
    (directory / "privkey.pem").write_bytes(identity.key.read_bytes())


def install(artifacts: Sequence[Artifact]) -> None:
    """Write configuration files in place."""
    from pathlib import Path

    for artifact in artifacts:
        assert artifact.text is not None
        Path(artifact.path).write_text(artifact.text)
