"""What is built in stands for what nobody declared; never for what a broken file may declare."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from reconciler.manifests.lastgood.broken import Broken
    from reconciler.model.desired import DesiredSite

Key = tuple[str, str]
BUILT_IN: Final = ("Target", "Issuer", "ChallengeMethod")
"""The kinds of which some objects are built in."""


def fell_back(site: DesiredSite, before: DesiredSite, declared: Collection[Key], broken: Broken) -> str | None:
    """Give a problem that may hide what a site had under a name that now means the built-in one; None if none does.

    `before` is the site's last good meaning, `declared` the objects of the tree that are valid.
    """
    had = dict(_uses(before))
    for key, spec in _uses(site):
        text = broken.may_be(key[0])
        if text is not None and key not in declared and key in had and had[key] != spec:
            return text
    return None


def _uses(site: DesiredSite) -> Iterator[tuple[Key, Any]]:
    for use in site.targets:
        yield ("Target", use.spec.name), use.spec
    for issuer in site.issuers:
        yield ("Issuer", issuer.name), issuer
    for methods in site.methods.values():
        for method in methods:
            yield (
                ("ChallengeMethod", method.name),
                replace(method, preflight=type(method.preflight)()),
            )  # the site's own
