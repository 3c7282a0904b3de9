"""Why a site of a tree is held, and the hold that tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from reconciler.model.changes import Hold, Reason

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_ENDS: Final = {
    Reason.INVALID_MANIFEST: "the manifest is mended",
    Reason.HOSTNAME_TAKEN: "one of the two sites gives the hostname up",
}

UNTOLD: Final = "something that it refers to is not valid"
"""Where what is wrong was told already for another site."""


class Why(NamedTuple):
    """A reason with its message."""

    reason: Reason
    text: str


def invalid(text: str) -> Why:
    """Say that a manifest is not valid, or one that it refers to."""
    return Why(Reason.INVALID_MANIFEST, text)


def untold_hold(texts: Sequence[str], held: Collection[Hold]) -> tuple[Hold, ...]:
    """Give one hold, of no site, for what is wrong with a tree and no site's hold tells; none if that is nothing."""
    left = [text for text in texts if not any(text in hold.message for hold in held)]
    return (tree_hold("; ".join(left)),) if left else ()


def tree_hold(text: str) -> Hold:
    """Make the hold of a tree that cannot be read completely."""
    ends = _ENDS[Reason.INVALID_MANIFEST]
    return Hold(Reason.INVALID_MANIFEST, text, site=None, ends_when=ends, failed=True)


def hold_of(site: str, why: Why, *, goes_on: bool) -> Hold:
    """Make the hold of a site; `goes_on`: there is a last good meaning, which is acted on."""
    kept = (
        "the last good meaning is kept" if goes_on else "nothing is done for the site, as it has no last good meaning"
    )
    text = (
        f"{why.text}; {kept}"
        if why.reason is Reason.HOSTNAME_TAKEN
        else f"the manifest is not valid; {kept}: {why.text}"
    )
    return Hold(why.reason, text, site=site, ends_when=_ENDS[why.reason], failed=True)
