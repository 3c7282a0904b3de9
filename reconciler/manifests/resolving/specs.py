"""Pure: Issuers, ChallengeMethods and Targets become the specs that sites carry; each is translated once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from reconciler.manifests.kinds.challenge_method import split_endpoint
from reconciler.manifests.kinds.urls import DIRECTORIES
from reconciler.manifests.resolving import builtins
from reconciler.manifests.resolving.dns_specs import dns_method, preflight
from reconciler.model import desired
from reconciler.model.names import KeyType, Part, Switch, Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reconciler.errors import Problem
    from reconciler.manifests.kinds.parts import Import, SecretRef
    from reconciler.manifests.kinds.server import ServerSpec
    from reconciler.manifests.kinds.validate import Resource

_SECRET_MODE = 0o600
_OPEN_MODE = 0o644


@dataclass(slots=True)
class ObjectResolver:
    """Translates objects. `read_template` gives a template's text, or None where it must not be opened.

    A problem of an object is told once; `lost` counts how often such an object was wanted. `methods` are all
    ChallengeMethods of the tree: whatever the sites use, what a server includes serves their webroots.
    """

    server: ServerSpec | None
    read_template: Callable[[str], str | None]
    problems: list[Problem]
    methods: Iterable[Resource] = ()
    lost: int = 0
    _known: dict[tuple[str, str], Any] = field(default_factory=dict)
    _faulty: set[tuple[str, str]] = field(default_factory=set)

    def issuer(self, resource: Resource) -> desired.IssuerSpec:
        """Give an Issuer's spec; contact and agreement come from the Server unless it has its own."""
        return self._once(resource, self._issuer)  # type: ignore[no-any-return]

    def method(self, resource: Resource) -> desired.MethodSpec:
        """Give a ChallengeMethod's spec."""
        return self._once(resource, self._method)  # type: ignore[no-any-return]

    def target(self, resource: Resource) -> desired.TargetSpec:
        """Give a Target's spec with its type's defaults."""
        return self._once(resource, self._target)  # type: ignore[no-any-return]

    def _once(self, resource: Resource, make: Callable[[Resource], Any]) -> Any:  # noqa: ANN401
        key = (resource.kind, resource.name)
        if key not in self._known:
            before = len(self.problems)
            self._known[key] = make(resource)
            if len(self.problems) > before:
                self._faulty.add(key)
        self.lost += key in self._faulty
        return self._known[key]

    def _issuer(self, resource: Resource) -> desired.IssuerSpec:
        spec: Any = resource.spec
        trust = Trust(spec.effective_trust())
        if spec.type == "acme":
            return self._acme(resource, spec, trust)
        if spec.type == "ca":
            certificate = beside(resource, spec.certificate) if spec.certificate else None
            return desired.CaIssuer(
                resource.name,
                trust,
                spec.common_name,
                spec.lifetime,
                KeyType(spec.algorithm),
                certificate,
                _secret(resource, spec.key) if spec.key else None,
            )
        if spec.type == "imported":
            return desired.ImportedIssuer(resource.name, trust)
        return desired.SelfSignedIssuer(resource.name, trust, spec.lifetime)

    def _acme(self, resource: Resource, spec: Any, trust: Trust) -> desired.AcmeIssuer:  # noqa: ANN401
        eab = desired.ExternalAccount(spec.eab.kid, _secret(resource, spec.eab.hmac_key)) if spec.eab else None
        server = self.server
        agreed = spec.agree_to_terms if spec.agree_to_terms is not None else bool(server and server.agree_to_terms)
        return desired.AcmeIssuer(
            name=resource.name,
            trust=trust,
            directory=DIRECTORIES.get(spec.directory, spec.directory),
            email=spec.email or (server.email if server else None),
            agree_to_terms=agreed,
            account=spec.account,
            eab=eab,
            profile=spec.profile,
            profile_required=spec.profile_required,
            preferred_chain=spec.preferred_chain,
            ca_bundle=beside(resource, spec.ca_bundle) if spec.ca_bundle else None,
            allow_insecure=spec.allow_insecure,
        )

    def _method(self, resource: Resource) -> desired.MethodSpec:
        spec: Any = resource.spec
        if spec.type in {"dns-01", "dns-account-01", "dns-persist-01"}:
            resolvers = tuple(self.server.resolvers or ()) if self.server else ()
            return dns_method(
                resource.name, spec, lambda ref: _secret(resource, ref), lambda text: beside(resource, text), resolvers
            )
        if spec.type == "tls-alpn-01":
            return desired.TlsAlpn01(
                resource.name, _listener(spec.listener), Switch(spec.self_test), preflight(spec.preflight)
            )
        if spec.webroot is not None:
            directory = beside(resource, spec.webroot.directory)
            builtin = directory == builtins.BUILTIN_WEBROOT
            way: Any = desired.Webroot(directory, spec.webroot.mode, spec.webroot.owner, builtin)
        else:
            way = _listener(spec.listener)
        return desired.Http01(resource.name, way, Switch(spec.self_test), preflight(spec.preflight))

    def _target(self, resource: Resource) -> desired.TargetSpec:
        spec: Any = resource.spec
        common = self._common(resource, spec)
        if spec.type == "files":
            rules = tuple(_file_rules(resource, spec))
            return desired.FilesTarget(**common, files=rules)
        if spec.type == "exec":
            return desired.ExecTarget(**common, install=tuple(spec.install))
        common |= {"config_directory": beside(resource, spec.config_directory), "default_site": spec.default_site}
        if spec.type == "haproxy":
            socket = beside(resource, spec.socket) if spec.socket else None
            return desired.HaproxyTarget(**common, socket=socket)
        if spec.type == "postfix":
            postmap = spec.postmap or ("postmap", "-F", f"hash:{common['config_directory']}/sni")
            return desired.PostfixTarget(**common, postmap=tuple(postmap))
        if spec.type == "dovecot":
            return desired.DovecotTarget(**common, template=self._template(resource, spec))
        web = desired.ApacheTarget if spec.type == "apache" else desired.NginxTarget
        webroots = self._webroots() if spec.layout == "snippet" else ()
        return web(**common, layout=spec.layout, template=self._template(resource, spec), webroots=webroots)

    def _webroots(self) -> tuple[str, ...]:
        """Give the declared directories, but for the built-in one and those that depend on the name."""
        ways = [self.method(one).way for one in self.methods if one.spec.type == "http-01"]  # type: ignore[union-attr]
        found = {way.directory for way in ways if isinstance(way, desired.Webroot) and not way.builtin}
        return tuple(sorted(directory for directory in found if "{" not in directory))

    @staticmethod
    def _common(resource: Resource, spec: Any) -> dict[str, Any]:  # noqa: ANN401
        kind = spec.type
        base = desired.Reload()
        reload_ = spec.reload
        command = reload_.command if reload_ and reload_.command else builtins.RELOADS.get(kind)
        return {
            "name": resource.name,
            "test": spec.test or builtins.TESTS.get(kind),
            "reload": desired.Reload(command, reload_.delay if reload_ else base.delay),
            "verify": _verify(kind, spec.verify),
            "existing": spec.existing,
            "placeholder": spec.placeholder,
            "values": {key: tuple(item) if isinstance(item, list) else item for key, item in spec.values.items()},
        }

    def _template(self, resource: Resource, spec: Any) -> desired.Template:  # noqa: ANN401
        if spec.template is None:
            return desired.Template()
        if spec.template.inline is not None:
            return desired.Template("inline", spec.template.inline)
        path = beside(resource, spec.template.file)
        try:
            return desired.Template(path, self.read_template(path))
        except ValueError as error:
            self.problems.append(resource.problem(("spec", "template", "file"), str(error)))
            return desired.Template(path)


def _verify(kind: str, spec: Any) -> desired.Verify:  # noqa: ANN401
    ports, starttls = builtins.PORTS.get(kind, ()), builtins.STARTTLS.get(kind, ())
    if spec is None:
        return desired.Verify(ports=ports, starttls=starttls)
    if spec.ports:
        ports = tuple(entry.port for entry in spec.ports)
        starttls = tuple(desired.StartTls(entry.port, entry.starttls) for entry in spec.ports if entry.starttls)
    return desired.Verify(spec.address, ports, Switch(spec.mode), starttls)


def _listener(spec: Any) -> desired.Listener:  # noqa: ANN401
    if spec.address is not None:
        address, port = split_endpoint(spec.address)
        return desired.Listener(port, address)
    return desired.Listener(spec.port)


def beside(resource: Resource, path: str) -> str:
    """Give an absolute path; a relative one starts at the directory of the manifest that names it."""
    if path.startswith("/"):
        return path
    return str(PurePosixPath(resource.source.file).parent / path)


def _secret(resource: Resource, ref: SecretRef) -> desired.SecretRef:
    return desired.SecretRef(beside(resource, ref.file) if ref.file else None, ref.env, ref.exec)


def import_spec(resource: Resource, spec: Import) -> desired.ImportSpec:
    """Give where a brought certificate stands."""
    locked = spec.pkcs12 or spec.key
    secret = locked.passphrase if locked else None

    def path(text: str | None) -> str | None:
        return beside(resource, text) if text else None

    return desired.ImportSpec(
        key=path(spec.key.file if spec.key else None),
        certificate=path(spec.certificate),
        chain=path(spec.chain),
        pkcs12=path(spec.pkcs12.file if spec.pkcs12 else None),
        passphrase=_secret(resource, secret) if secret else None,
    )


def import_problems(
    resource: Resource, brought: Import | None, issuers: Sequence[desired.IssuerSpec]
) -> Iterator[Problem]:
    """Give what is wrong where only one of `import` and an imported issuer is there."""
    imported = next((issuer for issuer in issuers if issuer.type == "imported"), None)
    if brought is not None and issuers and imported is None:
        text = "nothing is done with `import` as long as `issuers` do not name `imported`: put it first"
        yield resource.problem(("spec", "import"), text, key=True)
    if brought is None and imported is not None:
        text = (
            f"issuer `{imported.name}` needs `import`: the certificate that the site brings, and its key; until it is "
            f"written, leave `issuers` out: certwright import {resource.name} --key FILE --certificate FILE"
        )
        yield resource.problem(("spec", "issuers"), text)


def _file_rules(resource: Resource, spec: Any) -> Any:  # noqa: ANN401
    for part in (Part.KEY, Part.CERTIFICATE, Part.CHAIN, Part.FULLCHAIN, Part.COMBINED):
        rule = getattr(spec, part.value)
        if rule is None:
            continue
        mode = rule.mode if rule.mode is not None else (_SECRET_MODE if part.is_secret else _OPEN_MODE)
        yield desired.FileRule(part, beside(resource, rule.path), mode, rule.owner, rule.group)
