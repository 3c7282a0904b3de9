"""What comes after a stage of an order: the command alone for another system, with what goes before it for a person."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from reconciler.report.challenge_item import is_over
from reconciler.report.reasons import next_step

if TYPE_CHECKING:
    from reconciler.errors import CertwrightError
    from reconciler.model.stages import Offer, OfferedName

_SHOWN: Final = 3


def next_command(site: str, offer: Offer) -> str:
    """Give the exact next command."""
    if offer.status == "invalid":
        return f"certwright challenges {site}"
    if not offer.missing:
        return f"certwright request {site}"
    return " ".join([f"certwright solve {site}", *_ways(offer)])


def next_words(site: str, offer: Offer) -> str:
    """Give the same with what a person does before it, or what it does."""
    command = next_command(site, offer)
    if offer.status == "invalid":
        return _anew(command)
    before = "publish what is shown" if _ways(offer) else _publish(offer)
    return f"{before}, then: {command}" if before else command


def command_after(verb: str, site: str, failure: CertwrightError) -> str:
    """Give the command for the stage that is due after a failure of a verb."""
    if is_over(failure):
        return f"certwright challenges {site}"
    due = "solve" if getattr(failure, "reason", "") == "WaitingForSolve" else verb
    return f"certwright {due} {site}"


def words_after(verb: str, site: str, failure: CertwrightError) -> str:
    """Give the same with what mends the failure, or what the command does."""
    command = command_after(verb, site, failure)
    if is_over(failure):
        return _anew(command)
    if verb == "solve" and getattr(failure, "reason", "") == "WaitingForSolve":
        return f"publish what is named, then: {command}"
    mends = (next_step(getattr(failure, "reason", ""), site) or "").removesuffix(f", then: certwright retry {site}")
    return command if not mends or "certwright" in mends else f"{mends}, then: {command}"


def _publish(offer: Offer) -> str:
    """Say what a person publishes before the command; two values at one name do not replace each other."""
    places = Counter(name.to_publish.name for name in offer.names if name.to_publish is not None)
    values = [_values(place, count) for place, count in places.items()]
    more = f" and at {len(values) - _SHOWN} more names" if len(values) > _SHOWN else ""
    return f"publish {', '.join(values[:_SHOWN])}{more}" if values else ""


def _values(place: str, count: int) -> str:
    return f"the TXT value at {place}" if count == 1 else f"both TXT values at {place} together (two records)"


def _anew(command: str) -> str:
    return f"{command}   (makes a new order)"


def _ways(offer: Offer) -> list[str]:
    """Name a way for each name that is not proven, where the first of them has no declared one."""
    first = next((name for name in offer.names if name.status != "valid"), None)
    if first is None or any(one.method is not None for one in first.challenges):
        return []
    kind = _kind(first)
    return [f"'{name}={kind}'" if "*" in name else f"{name}={kind}" for name in offer.missing]


def _kind(name: OfferedName) -> str:
    return next((one.type for one in name.challenges), "dns-01")
