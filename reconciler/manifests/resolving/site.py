"""Pure: a Site and what it refers to become one DesiredSite, every default filled in. The only translator of specs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from reconciler.doors.hostnames import parse_hostname
from reconciler.manifests.resolving import builtins
from reconciler.manifests.resolving.dns_specs import address_method
from reconciler.manifests.resolving.proving import ascii_of, can_prove, selects, unprovable
from reconciler.manifests.resolving.specs import ObjectResolver, import_problems, import_spec
from reconciler.model import plain
from reconciler.model.desired import (
    AcmeIssuer,
    AddressRecords,
    DesiredSite,
    Failover,
    IssuerSpec,
    KeySpec,
    Machine,
    MethodSpec,
    Place,
    Renewal,
    TargetUse,
)
from reconciler.model.names import Hostname, KeyType, Switch, Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reconciler.errors import Problem
    from reconciler.manifests.kinds.parts import ChallengeEntry
    from reconciler.manifests.kinds.server import Defaults, ServerSpec
    from reconciler.manifests.kinds.site import SiteSpec
    from reconciler.manifests.kinds.validate import Resource
    from reconciler.manifests.resolving.objects import Objects
    from reconciler.manifests.resolving.proving import Names
    from reconciler.manifests.text.source import Path


@dataclass(slots=True)
class Resolver:
    """Resolves the sites of one Server. `server` is None where the tree declares none; `problems` collects."""

    objects: Objects
    server: Resource | None
    read_template: Callable[[str], str | None]
    problems: list[Problem] = field(default_factory=list)
    _made: ObjectResolver = field(init=False)
    _lost: int = 0

    def __post_init__(self) -> None:
        """Make the translator of what sites refer to; each object is translated once."""
        methods = self.objects.by_kind.get("ChallengeMethod", {}).values()
        self._made = ObjectResolver(self._server, self.read_template, self.problems, methods)

    @property
    def _server(self) -> ServerSpec | None:
        return self.server.spec if self.server else None  # type: ignore[return-value]  # the kind says so

    @property
    def _defaults(self) -> Defaults | None:
        return self._server.defaults if self._server else None

    def site(self, resource: Resource) -> DesiredSite | None:
        """Give the meaning of a Site; None if something is wrong with it, which is then in `problems`."""
        before = self._flaws
        spec: SiteSpec = resource.spec  # type: ignore[assignment]  # the kind says so
        issuers = tuple(self._issuers(resource, spec))
        public = any(issuer.trust is Trust.PUBLIC and issuer.type != "imported" for issuer in issuers)
        hostnames = self._hostnames(resource, spec, public=public)
        proven = any(isinstance(issuer, AcmeIssuer) for issuer in issuers)
        methods = self._methods(resource, spec, hostnames) if proven else {}
        targets = tuple(self._targets(resource, spec))
        records = self._address_records(resource, spec)
        self.problems += import_problems(resource, spec.brought, issuers)
        if self._flaws > before or not issuers or not hostnames:
            return None
        found = {"issuers": issuers, "hostnames": hostnames, "methods": methods, "targets": targets}
        return self._whole(resource, spec, **found, address_records=records)

    @property
    def _flaws(self) -> int:
        """Count what was found wrong; more than is told, since what many sites share is told once.

        A site that lost anything has no meaning: without one of its targets it would be taken out of that target.
        """
        return len(self.problems) + self.objects.lost + self._made.lost + self._lost

    def _whole(self, resource: Resource, spec: SiteSpec, **parts: Any) -> DesiredSite:  # noqa: ANN401
        line, column = resource.source.line, 1
        site = DesiredSite(
            name=resource.name,
            server=self.server.name if self.server else "",
            key=self._key(spec),
            renewal=self._renewal(spec),
            failover=self._failover(spec),
            profile=spec.profile,
            preferred_chain=spec.preferred_chain,
            suspend=spec.suspend,
            on_name_failure=self._on_name_failure(spec),
            stop_at=spec.stop_at,
            brought=import_spec(resource, spec.brought) if spec.brought else None,
            machine=self._machine,
            labels=dict(resource.metadata.labels),
            annotations=dict(resource.metadata.annotations),
            place=Place(resource.source.file, line, column),
            **parts,
        )
        return replace(site, digest=digest_of(site))

    @property
    def _machine(self) -> Machine:
        server = self._server
        return Machine(server.hostname or "", server.addresses, server.resolvers or ()) if server else Machine()

    # --- what a site refers to -------------------------------------------------------------------------------------

    def _issuers(self, resource: Resource, spec: SiteSpec) -> Iterable[IssuerSpec]:
        names, path, referrer = self._list(resource, spec, "issuers", builtins.ISSUERS)
        if spec.brought is not None and spec.issuers is None:  # the defaults are for those that bring nothing
            names, path, referrer = builtins.IMPORTED, ("spec", "import"), resource
        for number, name in enumerate(names):
            found = self.objects.find("Issuer", name, referrer, (*path, number))
            if found is not None:
                yield self._made.issuer(found)

    def _targets(self, resource: Resource, spec: SiteSpec) -> Iterable[TargetUse]:
        entries, path, referrer = self._list(resource, spec, "targets", ())
        for number, entry in enumerate(entries):
            found = self.objects.find("Target", entry.name, referrer, (*path, number))
            if found is not None:
                yield TargetUse(self._made.target(found), plain_values(entry.values))

    def _address_records(self, resource: Resource, spec: SiteSpec) -> AddressRecords | None:
        wanted, path = spec.address_records, ("spec", "addressRecords", "provider")
        found = self.objects.find("ChallengeMethod", wanted.provider, resource, path) if wanted else None
        if wanted is None or found is None:
            return None
        method = self._made.method(found)
        try:
            writer = address_method(method)
        except ValueError as error:
            self.problems.append(resource.problem(path, str(error)))
            return None
        return AddressRecords(writer, wanted.ttl)

    def _list(
        self, resource: Resource, spec: SiteSpec, field_: str, otherwise: Sequence[Any]
    ) -> tuple[Any, Path, Resource]:
        """Give a list that may come from the site, the Server's defaults, or ourselves; and where it stands."""
        own = getattr(spec, field_)
        if own is not None:
            return own, ("spec", field_), resource
        given = getattr(self._defaults, field_, None) if self._defaults else None
        if given is not None and self.server is not None:
            return given, ("spec", "defaults", field_), self.server
        return otherwise, ("spec",), resource

    # --- names and how they are proven -----------------------------------------------------------------------------

    def _hostnames(self, resource: Resource, spec: SiteSpec, *, public: bool) -> tuple[Hostname, ...]:
        found: dict[str, Hostname] = {}
        for number, text in enumerate(spec.hostnames or ()):
            self._hostname(found, text, resource, ("spec", "hostnames", number), public=public)
        for number, name in enumerate(spec.hostname_sets or ()):
            named = self.objects.find("HostnameSet", name, resource, ("spec", "hostnameSets", number))
            for place, text in enumerate(_set_names(named)):
                self._hostname(found, text, named or resource, ("spec", "hostnames", place), public=public)
        return tuple(found.values())

    def _hostname(self, found: dict[str, Hostname], text: str, resource: Resource, path: Path, *, public: bool) -> None:
        try:
            ascii_, registered = parse_hostname(text, public=public)
        except ValueError as error:
            self._lost += 1
            problem = resource.problem(path, str(error))
            if problem not in self.problems:
                self.problems.append(problem)
        else:
            found.setdefault(ascii_, Hostname(ascii_, registered))

    def _methods(
        self, resource: Resource, spec: SiteSpec, hostnames: Iterable[Hostname]
    ) -> dict[str, tuple[MethodSpec, ...]]:
        entries, path, referrer = self._list(resource, spec, "challenges", ())
        known = [self._entry(entry, referrer, (*path, number)) for number, entry in enumerate(entries)]
        if not entries:
            builtin = self.objects.find("ChallengeMethod", builtins.METHODS[0], resource, ("spec",))
            known = [(self._made.method(builtin) if builtin else None, None)]
        methods = {}
        for hostname in hostnames:
            fitting = tuple(method for method, names in known if method and selects(names, hostname))
            methods[hostname.text] = tuple(method for method in fitting if can_prove(method, hostname))
            if not methods[hostname.text] and all(method for method, _ in known):  # a missing one is told
                self._unprovable(resource, spec, hostname, fitting)
        return methods

    def _entry(self, entry: ChallengeEntry, referrer: Resource, path: Path) -> tuple[MethodSpec | None, Names | None]:
        found = self.objects.find("ChallengeMethod", entry.method, referrer, (*path, "method"))
        method = _looked_at(self._made.method(found), entry) if found else None
        if entry.hostnames is None and entry.domains is None and entry.hostname_sets is None:
            return method, None
        exact = {ascii_of(text) for text in entry.hostnames or ()}
        for number, name in enumerate(entry.hostname_sets or ()):
            named = self.objects.find("HostnameSet", name, referrer, (*path, "hostnameSets", number))
            exact.update(ascii_of(text) for text in _set_names(named))
        return method, (frozenset(exact), tuple(ascii_of(text) for text in entry.domains or ()))

    def _unprovable(
        self, resource: Resource, spec: SiteSpec, hostname: Hostname, fitting: Sequence[MethodSpec]
    ) -> None:
        names = [ascii_of(text) for text in spec.hostnames or ()]
        path: Path = ("spec", "hostnames", names.index(hostname.text)) if hostname.text in names else ("spec",)
        self.problems.append(resource.problem(path, unprovable(hostname, fitting)))

    # --- settings ----------------------------------------------------------------------------------------------------

    def _merged(self, spec: SiteSpec, field_: str, name: str, otherwise: Any) -> Any:  # noqa: ANN401
        for holder in (getattr(spec, field_), getattr(self._defaults, field_, None) if self._defaults else None):
            if holder is not None and name in holder.model_fields_set:
                return getattr(holder, name)
        return otherwise

    def _key(self, spec: SiteSpec) -> KeySpec:
        algorithm = self._merged(spec, "private_key", "algorithm", "ecdsa-p256")
        return KeySpec(KeyType(algorithm), self._merged(spec, "private_key", "rotation", "always"))

    def _renewal(self, spec: SiteSpec) -> Renewal:
        base = Renewal()
        lookahead = self._merged(spec, "renewal", "lookahead", base.lookahead)
        return Renewal(
            getattr(lookahead, "percent", lookahead),
            self._merged(spec, "renewal", "lookbehind", base.lookbehind),
            self._merged(spec, "renewal", "reissue_issued_before", None),
        )

    def _on_name_failure(self, spec: SiteSpec) -> Literal["dropLate", "fail", "drop"]:
        given = self._defaults.on_name_failure if self._defaults else None
        return spec.on_name_failure or given or "dropLate"

    def _failover(self, spec: SiteSpec) -> Failover:
        base = Failover()
        after = self._merged(spec, "failover", "after", base.after)
        return Failover(after, self._merged(spec, "failover", "back", base.back))


def digest_of(site: DesiredSite) -> str:
    """Digest all that changes what is done; labels, annotations and places do not."""
    bare = replace(site, labels={}, annotations={}, place=Place(), digest="")
    return plain.digest(bare)


def plain_values(values: dict[str, Any]) -> dict[str, Any]:
    """Give values with tuples for lists."""
    return {key: tuple(item) if isinstance(item, list) else item for key, item in values.items()}


def _looked_at(method: MethodSpec, entry: ChallengeEntry) -> MethodSpec:
    """Give a method with what a site's entry says of `preflight` over its own."""
    own = entry.preflight
    given = {name: Switch(getattr(own, name)) for name in own.model_fields_set} if own is not None else {}
    return replace(method, preflight=replace(method.preflight, **given)) if given else method


def _set_names(named: Resource | None) -> Sequence[str]:
    return (getattr(named.spec, "hostnames", None) or ()) if named else ()
