"""From specs to solvers and providers: the one table of the ways by DNS. Each is loaded on use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.desired import ExecProvider, Lexicon, Rfc2136

if TYPE_CHECKING:
    from reconciler.challenges.dns.means import Means
    from reconciler.model.desired import DnsProviderSpec, DnsSpec
    from reconciler.model.ports import AddressWriter, DnsProvider, Solver


def provider_of(spec: DnsProviderSpec, means: Means) -> DnsProvider:
    """Give who writes TXT records by a spec."""
    match spec.type:
        case "rfc2136":
            from reconciler.challenges.dns.rfc2136 import Rfc2136

            return Rfc2136(spec, means)
        case "exec":
            from reconciler.challenges.dns.command import Command

            return Command(spec, means)
        case "acme-dns":
            from reconciler.challenges.dns.acme_dns import AcmeDns

            return AcmeDns(spec, means)
        case "lexicon":
            from reconciler.challenges.dns.lexicon import Lexicon

            return Lexicon(spec, means)
        case "manual":
            from reconciler.challenges.dns.manual import Manual

            return Manual()


def address_writer(spec: DnsProviderSpec | None, means: Means) -> AddressWriter | None:
    """Give who writes address records by a spec; None for those that know TXT alone, or write nothing."""
    match spec:
        case Rfc2136() | ExecProvider() | Lexicon():
            return provider_of(spec, means)  # type: ignore[return-value]  # each of these is one
        case _:
            return None


def solver_of(spec: DnsSpec, means: Means) -> Solver:
    """Give the solver of a method."""
    if spec.type == "dns-persist-01":
        from reconciler.challenges.dns.persist import PersistSolver

        return PersistSolver(spec, means)
    from reconciler.challenges.dns.dns01 import DnsSolver

    return DnsSolver(spec, means, provider_of(spec.provider, means))
