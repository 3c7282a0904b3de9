# ruff: noqa: ANN401  builders pass any field on
"""A small world in memory: sites, certificates, targets, and what the changes of a plan do to them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from reconciler.model.changes import Change, Plan, Verb
from reconciler.model.desired import (
    AcmeIssuer,
    CaIssuer,
    DesiredSite,
    FilesTarget,
    Http01,
    ImportedIssuer,
    NginxTarget,
    Reload,
    TargetUse,
    Verify,
    Webroot,
)
from reconciler.model.names import Hostname, Part, Trust
from reconciler.model.observed import (
    Abandoned,
    AccountRecord,
    CertificateFacts,
    FileChange,
    FileFact,
    InstalledFile,
    Inventory,
    Memory,
    NoRevision,
    ObservedSite,
    ObservedTarget,
    OnTarget,
    PortSeen,
    Revision,
    RevisionMeta,
    Served,
    TargetRecord,
    World,
)
from reconciler.model.ports import Declared, Limits, Scope
from reconciler.plan.assemble import make_plan
from reconciler.plan.issuing.renewal import choose_renewal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.model.desired import IssuerSpec, TargetSpec

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LE = AcmeIssuer("le", Trust.PUBLIC, "https://ca.example/directory", email="a@example.com", agree_to_terms=True)
ZERO = AcmeIssuer("zero", Trust.PUBLIC, "https://zero.example/directory", email="a@example.com", agree_to_terms=True)
CA = CaIssuer("ca", Trust.PRIVATE)
BOUGHT = ImportedIssuer("imported", Trust.PUBLIC)
HTTP = Http01("http", Webroot("/run/webroot"))
COPY = FilesTarget(name="copy", reload=Reload(("true",)))
PLAIN = FilesTarget(name="plain")
WEB = NginxTarget(
    name="web", test=("nginx", "-t"), reload=Reload(("nginx", "-s", "reload")), verify=Verify(ports=(443,))
)
FULL = Scope(full=True)


def site(
    name: str = "a", *hostnames: str, issuers: tuple[IssuerSpec, ...] = (CA,), targets: Any = (), **more: Any
) -> DesiredSite:
    """Give a site whose digest follows from its values."""
    names = hostnames or (f"{name}.example.com",)
    made = DesiredSite(
        name=name,
        hostnames=tuple(Hostname(text, "example.com") for text in names),
        issuers=issuers,
        methods=dict.fromkeys(names, (HTTP,)),
        targets=tuple(TargetUse(target) for target in targets),
        **more,
    )
    bare = (names, [one.name for one in issuers], [one.name for one in targets], more.get("key"), more.get("profile"))
    return replace(made, digest=repr(bare))


def facts(*hostnames: str, start: datetime = NOW, life: timedelta = 90 * DAY, serial: str = "01") -> CertificateFacts:
    """Give what a certificate says."""
    return CertificateFacts(
        serial, f"fp-{serial}", start, start + life, hostnames, "ecdsa-p256", f"spki-{serial}", "CN=ca"
    )


def revision(  # noqa: PLR0913
    desired: DesiredSite,
    number: int = 1,
    *,
    start: datetime = NOW,
    life: timedelta = 90 * DAY,
    placeholder: bool = False,
    issuer: IssuerSpec | None = None,
    at: datetime | None = None,
    hostnames: tuple[str, ...] | None = None,
) -> Revision:
    """Give a revision that a site's issuer made."""
    made_by = issuer or desired.issuers[0]
    meta = RevisionMeta(
        issuer=made_by.name,
        trust=made_by.trust,
        directory=getattr(made_by, "directory", None),
        account=None,
        profile=None,
        challenges={},
        spec_digest=desired.digest,
        reason="Missing",
        at=at or start,
        placeholder=placeholder,
    )
    names = desired.names if hostnames is None else hostnames
    return Revision(f"r{number}", facts(*names, start=start, life=life, serial=f"{number:02x}"), meta)


def declared(*sites: DesiredSite, names: Iterable[str] = (), **more: Any) -> Declared:
    """Give a tree of these sites, with their targets and issuers."""
    targets = {use.spec.name: use.spec for one in sites for use in one.targets}
    issuers = {issuer.name: issuer for one in sites for issuer in one.issuers}
    by_name = {one.name: one for one in sites}
    return Declared(frozenset(by_name) | frozenset(names), by_name, targets, issuers, **more)


@dataclass
class Small:
    """A world that changes: it plays observer and executor for a plan's changes."""

    tree: Declared
    now: datetime = NOW
    life: timedelta = 90 * DAY
    accounts: dict[str, AccountRecord | None] = field(default_factory=dict)
    live: dict[str, Revision] = field(default_factory=dict)
    memory: dict[str, Memory] = field(default_factory=dict)
    installed: dict[tuple[str, str], tuple[str, str | None, str | None]] = field(default_factory=dict)
    reloaded: dict[str, datetime] = field(default_factory=dict)
    archived: list[str] = field(default_factory=list)
    behind: tuple[str, ...] = ()
    done: list[tuple[datetime, Change]] = field(default_factory=list)
    count: int = 0

    def world(self) -> World:
        """Observe."""
        names = sorted(self.tree.sites)
        gone = sorted(set(self.live) - set(names) - set(self.archived))
        return World(
            sites={name: self._observed(name) for name in names},
            targets={name: self._target(name, spec) for name, spec in self.tree.targets.items()},
            accounts={name: self.accounts.get(name) for name in self.tree.issuers},
            abandoned=tuple(self._abandoned(name) for name in gone),
            known=len(self.live),
        )

    def _abandoned(self, name: str) -> Abandoned:
        entries = {target: self._inventory(name, target) for one, target in self.installed if one == name}
        return Abandoned(name, self.live[name].id, {target: entry for target, entry in entries.items() if entry})

    def _target(self, name: str, spec: TargetSpec) -> ObservedTarget:
        return ObservedTarget(name, TargetRecord(spec, last_reload=self.reloaded.get(name)), behind=self.behind)

    def _observed(self, name: str) -> ObservedSite:
        desired = self.tree.sites[name]
        wanted = {use.spec.name for use in desired.targets}
        on = {target: self._on(desired, target) for target in wanted | {t for s, t in self.installed if s == name}}
        return ObservedSite(name, self.live.get(name, NoRevision()), memory=self.memory.get(name, Memory()), on=on)

    def _on(self, desired: DesiredSite, target: str) -> OnTarget:
        entry = self._inventory(desired.name, target)
        copies = target in ("copy", "plain")
        path = f"/{target}/{desired.name}"
        if all(use.spec.name != target for use in desired.targets):
            return OnTarget(target, (FileFact(path, Part.CONFIG, FileChange.REMOVE),), copies, entry)
        live = self.live.get(desired.name)
        wanted = (live.id if live else "?") if copies else repr(desired.names)
        has = self.installed.get((desired.name, target))
        change = FileChange.CREATE if has is None else FileChange.NONE if has[0] == wanted else FileChange.UPDATE
        part = Part.FULLCHAIN if copies else Part.CONFIG
        return OnTarget(target, (FileFact(path, part, change),), copies, entry)

    def _inventory(self, name: str, target: str) -> Inventory | None:
        has = self.installed.get((name, target))
        if has is None:
            return None
        part = Part.FULLCHAIN if target != "web" else Part.CONFIG
        held = has[0] if target != "web" else None
        file = InstalledFile(f"/{target}/{name}", part, has[0], 0o644, 0, 0, "", held)
        return Inventory(name, (file,), loaded=has[1], loaded_digest=has[2])

    def plan(self, limits: Limits | None = None, scope: Scope = FULL) -> Plan:
        """Plan."""
        return make_plan(self.tree, self.world(), now=self.now, limits=limits or Limits(), scope=scope)

    def apply(self, plan: Plan) -> None:
        """Do every change of a plan, in its order, and check that the order respects `after`."""
        ended: set[str] = set()
        known = {change.id for change in plan.changes}
        for change in plan.changes:
            assert set(change.after) <= known, "after names a change of the plan"
            assert set(change.after) <= ended, "what comes first stands first"
            self._do(change)
            self.done.append((self.now, change))
            ended.add(change.id)

    def _do(self, change: Change) -> None:
        actions = {
            Verb.REGISTER: self._register,
            Verb.ISSUE: self._issue,
            Verb.ACTIVATE: self._activate,
            Verb.INSTALL: self._install,
            Verb.UNINSTALL: self._uninstall,
            Verb.RELOAD: self._reload,
            Verb.ARCHIVE: self._archive,
        }
        actions[change.verb](change)

    def _register(self, change: Change) -> None:
        issuer = self.tree.issuers[change.issuer or ""]
        for one in self.tree.issuers.values():
            if getattr(one, "directory", None) == getattr(issuer, "directory", ""):
                self.accounts[one.name] = AccountRecord("d", "default", "https://ca.example/account/1")

    def _issue(self, change: Change) -> None:
        desired = self.tree.sites[change.site or ""]
        issuer = self.tree.issuers[change.issuer or ""]
        self.count += 1
        backdated = self.now - min(timedelta(hours=1), self.life / 10)
        made = revision(desired, self.count, start=backdated, life=self.life, issuer=issuer, at=self.now)
        self.live[desired.name] = made
        memory = self.memory.get(desired.name, Memory())
        self.memory[desired.name] = replace(
            memory,
            failures={},
            renewal=choose_renewal(desired.name, made, desired.renewal, None),
            handled_renew_at=desired.annotations.get("certwright/renewAt"),
            renew_requested=None,
        )

    def _activate(self, change: Change) -> None:
        desired = self.tree.sites[change.site or ""]
        assert change.reason == "Placeholder"
        self.count += 1
        self.live[desired.name] = revision(desired, self.count, start=self.now, placeholder=True)

    def _install(self, change: Change) -> None:
        name, target = change.site or "", change.target or ""
        former = self.installed.get((name, target), ("", None, None))
        content = self.live[name].id if target != "web" else repr(self.tree.sites[name].names)
        self.installed[name, target] = (content, *former[1:])

    def _uninstall(self, change: Change) -> None:
        del self.installed[change.site or "", change.target or ""]

    def _reload(self, change: Change) -> None:
        target = change.target or ""
        self.reloaded[target] = self.now
        for (name, where), has in list(self.installed.items()):
            entry = self._inventory(name, target)
            if where == target and name in self.live and entry is not None:
                self.installed[name, target] = (has[0], self.live[name].id, entry.digest)
                self._serve(name, target)

    def _serve(self, name: str, target: str) -> None:
        live = self.live[name]
        served = Served(target, live.id, self.now, (PortSeen(443, live.facts.fingerprint, "Served"),), ok=True)
        memory = self.memory.get(name, Memory())
        self.memory[name] = replace(memory, served={**memory.served, target: served})

    def _archive(self, change: Change) -> None:
        self.archived.append(change.site or "")
        del self.live[change.site or ""]

    def verbs(self, plan: Plan) -> list[str]:
        """Give the plan in short words: `issue a`, `install a web`, `reload web`."""
        return [short(change) for change in plan.changes]


def short(change: Change) -> str:
    """Give a change in short words."""
    return " ".join(part for part in (change.verb.value, change.site or change.issuer, change.target) if part)


def one_plan(desired: DesiredSite, observed: ObservedSite, now: datetime = NOW, **world: Any) -> Plan:
    """Plan a single site among several declared ones."""
    tree = declared(desired)
    account: Mapping[str, Any] = {"le": AccountRecord("d", "default", "u"), "zero": AccountRecord("d", "default", "u")}
    seen = World(sites={desired.name: observed}, accounts=account, known=1, **world)
    return make_plan(tree, seen, now=now, limits=Limits(), scope=FULL)
