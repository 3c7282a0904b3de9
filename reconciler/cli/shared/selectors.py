"""Selecting by labels: `tier=customer,env!=dev,canary,!old`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

_TERM: Final = re.compile(
    r"(?:(?P<key>[A-Za-z0-9][A-Za-z0-9._/-]*)\s*(?P<sign>==|=|!=)\s*(?P<value>[A-Za-z0-9._-]*)"
    r"|(?P<absent>!)?\s*(?P<bare>[A-Za-z0-9][A-Za-z0-9._/-]*))",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Term:
    """One demand: the label `key` has this value (None: any), or with `negated` has not."""

    key: str
    value: str | None
    negated: bool

    def holds(self, labels: Mapping[str, object]) -> bool:
        """Tell whether the labels meet it; `env!=dev` holds for what has no `env`, as kubectl has it."""
        found = self.key in labels if self.value is None else labels.get(self.key) == self.value
        return found is not self.negated


@dataclass(frozen=True, slots=True)
class Selector:
    """All of its terms must hold."""

    terms: tuple[Term, ...] = ()

    def matches(self, labels: object) -> bool:
        """Tell whether labels (a mapping; anything else has none) are selected."""
        known = labels if isinstance(labels, dict) else {}
        return all(term.holds(known) for term in self.terms)


def selector(text: str | None) -> Selector:
    """Read the value of -l; None selects everything."""
    return Selector() if text is None else Selector(tuple(_term(part.strip()) for part in text.split(",")))


def _term(text: str) -> Term:
    match = _TERM.fullmatch(text)
    if match is None:
        raise click.UsageError(
            f"-l: {text[:80]!r} is no selector; write tier=customer, env!=dev, canary or !old, with commas between"
        )
    if match["key"] is not None:
        return Term(match["key"], match["value"], match["sign"] == "!=")
    return Term(match["bare"], None, match["absent"] is not None)
