"""A real store, real files, and a hand that installs them as the executor does."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from reconciler.doors import x509
from reconciler.doors.files import api as files
from reconciler.execute.secrets import read_secret
from reconciler.issuers.imported import look
from reconciler.model.desired import (
    AcmeIssuer,
    DesiredSite,
    FileRule,
    FilesTarget,
    ImportSpec,
    NginxTarget,
    SelfSignedIssuer,
    TargetUse,
)
from reconciler.model.names import Hostname, Part, Trust
from reconciler.model.observed import Brought, InstalledFile, Inventory, RevisionMeta, TargetRecord
from reconciler.model.ports import Bundle, Declared, Refusal, Scope
from reconciler.observe.world import Observer
from reconciler.store.files import FileStore, open_store
from reconciler.targets.files import Files
from reconciler.targets.nginx import Nginx
from tests.builders import SteadyClock
from tests.targets.making import RENDERER

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from reconciler.model.desired import IssuerSpec, TargetSpec
    from reconciler.model.observed import FileFact, World
    from reconciler.model.ports import Artifact, Target

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def build(spec: TargetSpec) -> Target:
    """Build a target as wiring does."""
    if isinstance(spec, NginxTarget):
        return Nginx(spec, RENDERER)
    assert isinstance(spec, FilesTarget)
    return Files(spec)


def brought(spec: ImportSpec) -> Brought:
    """Read what a site brings as wiring does, but for its passphrase."""
    return look(spec, NOW, read_secret)


def meta(
    at: datetime = NOW, account: str | None = None, directory: str | None = None, account_name: str | None = None
) -> RevisionMeta:
    """Say how a revision was made."""
    made = RevisionMeta("self", Trust.TEST, directory, account, None, {}, "digest", "Missing", at)
    return replace(made, account_name=account_name)


@dataclass
class Ground:
    """A store under `root/state`, installed files under `root/installed`."""

    root: Path
    issuers: dict[str, IssuerSpec] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.installed = self.root / "installed"
        self.installed.mkdir()
        self.store: FileStore = open_store(str(self.root / "state"), SteadyClock(), "1", write=True)
        self.cache = self.store.cache()
        self.observer = self.new_observer()

    def new_observer(self) -> Observer:
        """Give an observer as a new process has it."""
        return Observer(self.store, build, self.store.live_path, self.store.cache(), SteadyClock(), brought)

    def nginx(self, **changes: object) -> NginxTarget:
        """Give a target with configuration files."""
        spec = NginxTarget(name="web", config_directory=str(self.installed))
        return replace(spec, **changes)  # type: ignore[arg-type]

    def copies(self, *parts: Part, **changes: object) -> FilesTarget:
        """Give a target with copies of these parts."""
        rules = tuple(
            FileRule(part, f"{self.installed}/{{site}}.{part.value}", 0o600 if part.is_secret else 0o644)
            for part in parts or (Part.KEY, Part.FULLCHAIN)
        )
        return replace(FilesTarget(name="copies", files=rules), **changes)  # type: ignore[arg-type]

    def site(self, name: str, *specs: TargetSpec, **changes: object) -> DesiredSite:
        """Give a site that uses these targets."""
        uses = tuple(TargetUse(spec) for spec in specs)
        issuer = SelfSignedIssuer("self", Trust.TEST)
        site = DesiredSite(name, (Hostname(f"{name}.example"),), (issuer,), {}, uses, digest=f"digest of {name}")
        return replace(site, **changes)  # type: ignore[arg-type]

    def issue(self, name: str, at: datetime = NOW, **changes: object) -> str:
        """Store a certificate and make it live."""
        key = x509.new_key("ecdsa-p256")
        leaf = x509.self_signed(key, [f"{name}.example"], timedelta(days=90), at, marker=False)
        with self.store.claim(f"site/{name}", "test", 5) as lease:
            made = self.store.put_revision(lease, name, Bundle(key, leaf, b""), meta(at, **changes))  # type: ignore[arg-type]
            live = self.store.live([name])[name]
            self.store.activate(lease, name, made, None if live.type == "none" else live.id)
        return made

    def install(self, site: DesiredSite, spec: TargetSpec) -> None:
        """Write a site's files and the inventory."""
        from reconciler.model.ports import SiteOnTarget

        target = build(spec)
        seat = SiteOnTarget.of(site, TargetUse(spec), self.store.live_path(site.name))
        artifacts = target.render([seat])[site.name]
        assert not isinstance(artifacts, Refusal), artifacts.message
        entry = Inventory(site.name, self._written(site.name, artifacts))
        shared = Inventory("", self._written("", target.shared([seat])))
        with self.store.claim(f"target/{spec.name}", "test", 5) as lease:
            self.store.put_inventory(lease, spec.name, {site.name: entry})
            self.store.put_target(lease, TargetRecord(spec, shared=shared))

    def forget(self, site: str, target: str) -> None:
        """Lose the record of a site's files."""
        with self.store.claim(f"target/{target}", "test", 5) as lease:
            self.store.put_inventory(lease, target, {site: None})

    def _written(self, site: str, artifacts: Iterable[Artifact]) -> tuple[InstalledFile, ...]:
        live = self.store.live([site]).get(site) if site else None
        revision = live.id if live is not None and live.type == "revision" else None
        return tuple(self._write(site, artifact, revision) for artifact in artifacts)

    def _write(self, site: str, artifact: Artifact, revision: str | None) -> InstalledFile:
        if artifact.text is not None:
            content = artifact.text.encode()
        else:
            assert revision is not None
            bundle = self.store.bundle(site, revision)
            content = {
                Part.KEY: bundle.key.reveal(),
                Part.CERTIFICATE: bundle.certificate,
                Part.CHAIN: bundle.chain,
                Part.FULLCHAIN: bundle.fullchain,
                Part.COMBINED: bundle.key.reveal() + bundle.fullchain,
            }[artifact.part]
        facts = files.write_file(artifact.path, content, mode=artifact.mode)
        return InstalledFile(
            artifact.path,
            artifact.part,
            hashlib.sha256(content).hexdigest(),
            facts.mode,
            os.geteuid(),
            os.getegid(),
            facts.signature,
            revision if artifact.text is None else None,
        )

    def declared(self, *sites: DesiredSite, names: Iterable[str] = ()) -> Declared:
        """Declare these sites, and names of others that were not resolved."""
        specs = {use.spec.name: use.spec for site in sites for use in site.targets}
        return Declared(
            frozenset({site.name for site in sites} | set(names)),
            {site.name: site for site in sites},
            specs,
            self.issuers,
        )

    def world(self, *sites: DesiredSite, names: Iterable[str] = (), full: bool = True) -> World:
        """Observe these sites."""
        return self.observer.observe(self.declared(*sites, names=names), Scope(full=full))

    def facts(self, site: DesiredSite, target: str, *others: DesiredSite) -> tuple[FileFact, ...]:
        """Observe a site's files in a target."""
        return self.world(site, *others).sites[site.name].on[target].files

    def acme(self, name: str, account: str = "default") -> AcmeIssuer:
        """Declare an ACME issuer."""
        issuer = AcmeIssuer(name, Trust.TEST, "https://ca.example/dir", account=account)
        self.issuers[name] = issuer
        return issuer
