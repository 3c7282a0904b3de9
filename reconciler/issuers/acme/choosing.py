"""Which of the challenges that a CA offers for a name is answered (RFC 8555 section 7.5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.errors import Stalled
from reconciler.model.observed import ChosenChallenge
from reconciler.model.stages import Way

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.issuers.acme.resources import Authorization
    from reconciler.model.desired import MethodSpec

# RFC 8555 section 8.3, RFC 8737 section 3
HOSTS_ONLY: Final = frozenset({"http-01", "tls-alpn-01"})


def ways_of(methods: Sequence[MethodSpec]) -> list[Way]:
    """Give declared methods as ways."""
    return [Way(method.type, method) for method in methods]


def pick(name: str, one: Authorization, ways: Sequence[Way]) -> ChosenChallenge:
    """Pick the first way, as they are to be tried, that the CA offers. Raises Stalled(NoUsableChallenge)."""
    for way in ways:
        for challenge in one.challenges:
            if challenge.type == way.type and challenge.can_be_answered:
                method = way.method.name if way.method is not None else ""
                return ChosenChallenge(name, method, way.type, challenge.token or "", challenge.url, one.url)
    raise unusable(name, ways, [challenge.type for challenge in one.challenges])


def unusable(name: str, ways: Sequence[Way], offered: Sequence[str]) -> Stalled:
    """Say that none of the ways that are declared, or that a person named, can prove a name."""
    tried = ", ".join(f"{way.method.name} ({way.type})" if way.method is not None else way.type for way in ways)
    message = f"{name}: the CA offers {', '.join(offered) or 'nothing'}; to be proven by: {tried or 'no way'}"
    return Stalled("NoUsableChallenge", message, f"a way of an offered type is declared, or named, for {name}", name)
