"""Pure: ChallengeMethods by DNS become the specs that sites carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.model import desired
from reconciler.model.names import Switch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.manifests.kinds.parts import SecretRef

    Secret = Callable[[SecretRef], desired.SecretRef]
    Path = Callable[[str], str]

_KINDS: Final[Mapping[str, Callable[..., desired.DnsSpec]]] = {
    "dns-01": desired.Dns01,
    "dns-account-01": desired.DnsAccount01,
    "dns-persist-01": desired.DnsPersist01,
}

_TXT_ONLY: Final = frozenset({"acme-dns", "manual"})


def preflight(spec: Any) -> desired.Preflight:  # noqa: ANN401  the shape of the kinds
    """Translate what is looked at before a CA is asked."""
    return desired.Preflight(Switch(spec.points_here), Switch(spec.caa))


def dns_method(
    name: str,
    spec: Any,  # noqa: ANN401  one of three
    secret: Secret,
    path: Path,
    resolvers: tuple[str, ...] = (),
) -> desired.DnsSpec:
    """Translate a spec; `secret` and `path` make what it names absolute. `resolvers` are the Server's."""
    wait = spec.propagation
    common: dict[str, Any] = {
        "name": name,
        "ttl": spec.ttl,
        "follow_cname": spec.follow_cname,
        "cname_targets": spec.cname_targets or (),
        "resolvers": spec.resolvers or resolvers,
        "propagation": desired.Propagation(Switch(wait.mode), wait.timeout, wait.interval, wait.nameservers or ()),
        "preflight": preflight(spec.preflight),
        "provider": _provider(spec.provider, secret, path) if spec.provider is not None else None,
    }
    return _KINDS[spec.type](**common)


def address_method(method: desired.MethodSpec) -> desired.DnsSpec:
    """Give a method whose provider writes address records; ValueError for any other."""
    if isinstance(method, desired.Http01 | desired.TlsAlpn01) or method.provider is None:
        why = f"it is {method.type} without a provider"
    elif method.provider.type in _TXT_ONLY:
        why = f"its provider is {method.provider.type}"
    else:
        return method
    mend = "name a ChallengeMethod whose provider is rfc2136, lexicon or exec"
    raise ValueError(f"{method.name} writes no address records ({why}): {mend}")


def _provider(spec: Any, secret: Secret, path: Path) -> desired.DnsProviderSpec:  # noqa: ANN401
    match spec.type:
        case "rfc2136":
            tsig = desired.Tsig(spec.tsig.name, spec.tsig.algorithm, secret(spec.tsig.secret))
            return desired.Rfc2136(spec.server, tsig, spec.zone)
        case "exec":
            return desired.ExecProvider(spec.command, spec.timeout, spec.zone)
        case "acme-dns":
            bundle = path(spec.ca_bundle) if spec.ca_bundle is not None else None
            return desired.AcmeDns(spec.url, secret(spec.credentials), bundle)
        case "lexicon":
            options = tuple(
                desired.LexiconOption(name, text=item)
                if isinstance(item, str)
                else desired.LexiconOption(name, secret=secret(item))
                for name, item in sorted(spec.options.items())
            )
            return desired.Lexicon(spec.name, options, spec.zone)
        case _:
            return desired.ManualDns()
