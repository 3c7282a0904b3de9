"""Words that a person types for a kind, and the nearest known word to one that is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

KINDS: Final = {
    "sites": "Site",
    "certificates": "Certificate",
    "issuers": "Issuer",
    "targets": "Target",
    "challengemethods": "ChallengeMethod",
    "hostnamesets": "HostnameSet",
    "servers": "Server",
    "accounts": "Account",
    "holds": "Hold",
    "events": "Event",
}
_SHORT: Final = {
    "cert": "certificates",
    "certs": "certificates",
    "methods": "challengemethods",
    "method": "challengemethods",
}


def kind_of(word: str) -> str:
    """Give the plural name of a kind: `site`, `Sites` and `certs` are known; UsageError for anything else."""
    lower = word.lower()
    for name in (lower, f"{lower}s", _SHORT.get(lower, "")):
        if name in KINDS:
            return name
    raise UsageError(f"there is no kind {word!r}: {hint(lower, KINDS)}")


def split(kind: str, names: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """Read `KIND NAME...` or `KIND/NAME`."""
    if "/" in kind:
        word, _, name = kind.partition("/")
        return kind_of(word), (name, *names)
    return kind_of(kind), tuple(names)


def hint(word: str, known: Collection[str]) -> str:
    """Say which known word was meant, or what there is."""
    import difflib

    near = difflib.get_close_matches(word, sorted(known)[:100_000], 1)
    if near:
        return f"did you mean `{near[0]}`?"
    some = ", ".join(sorted(known)[:10])
    return f"there are {some}{', ...' if len(known) > 10 else ''}" if known else "there are none"  # noqa: PLR2004


def check(wanted: Collection[str], known: Collection[str], what: str = "Site") -> None:
    """Refuse names that are not known, all at once."""
    missing = [name for name in dict.fromkeys(wanted) if name not in known]
    if missing:
        raise UsageError("; ".join(f"there is no {what} `{name}`: {hint(name, known)}" for name in missing[:10]))
