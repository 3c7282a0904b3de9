"""Taking back what was put into the world for a challenge, also where who put it there cannot be asked any more."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reconciler.errors import Failed, StoreError
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.model.desired import DnsProviderSpec, MethodSpec
    from reconciler.model.observed import Undo
    from reconciler.model.ports import Challenges, Store

# failures to present after which it is certain that nothing was put anywhere: nobody was asked to
NEVER_DONE: Final = frozenset(
    {"CommandMissing", "CommandRefused", "LexiconMissing", "LexiconOptions", "SecretMissing", "CredentialsUnfit"}
)


def undo(store: Store, challenges: Challenges, thing: Undo, methods: Iterable[MethodSpec] = ()) -> str | None:
    """Undo one thing and forget it; give the reason if it could not be undone (it stays written down then).

    What wrote a record may be gone, or its key: then the providers that `methods` declare now in its place are asked,
    and at last the name servers whether it stands there at all. Raises Waiting where the process stops; it stays
    written down then, too.
    """
    problem: str | None = None
    ways = list(methods)
    for one in (thing, *(replace(thing, provider=heir) for heir in _heirs(thing.provider, ways))):
        try:
            challenges.clean_up(one)
        except Failed as failure:
            problem = problem or str(failure)
            continue
        break
    else:
        if not challenges.is_gone(thing, ways):
            _note(store, replace(thing, problem=clean(problem or "")))
            return problem
    store.undone(thing)
    return None


def _note(store: Store, thing: Undo) -> None:
    """Keep why it could not be taken away, for who looks later; where nothing can be written, who tries is told.

    Not where a person has forgotten it by deleting the record meanwhile.
    """
    with suppress(StoreError):
        if any(one != thing for one in store.undo(thing.id)):
            store.put_undo(thing)


def _heirs(former: DnsProviderSpec | None, methods: Iterable[MethodSpec]) -> Iterator[DnsProviderSpec]:
    """Give the declared providers that write where this one wrote: to the same place with other words.

    None where it is declared itself: it may be well again, and a command of another zone would say so of anything.
    """
    declared = dict.fromkeys(getattr(method, "provider", None) for method in methods)
    if former is None or former in declared:
        return
    for one in declared:
        if one is not None and _place(one) == _place(former):
            yield one


def _place(provider: DnsProviderSpec) -> tuple[str, str]:
    """Tell where a provider writes, as far as its spec says: behind a command may be anything."""
    match provider.type:
        case "rfc2136":
            return provider.type, provider.server
        case "lexicon":
            return provider.type, provider.name
        case "acme-dns":
            return provider.type, provider.url
        case "exec" | "manual":
            return provider.type, ""
