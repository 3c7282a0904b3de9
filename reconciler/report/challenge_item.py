"""One challenge of an order, as JSON; and what a person published for one and may take away again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import NamesFailed
from reconciler.report.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.errors import CertwrightError
    from reconciler.model.stages import Offer, OfferedChallenge, OfferedName

Json = dict[str, Any]
_ENDS: Final = frozenset({"OrderGone", "ChallengeFailed", "BadToken", "OrderInvalid", "CaRefused"})


def in_order(name: OfferedName) -> list[OfferedChallenge]:
    """Order the challenges, which a CA may give in another order each time: declared ways first."""
    return sorted(name.challenges, key=lambda one: (one.method is None, one.type))


def item(name: OfferedName, one: OfferedChallenge) -> Json:
    """Give a challenge with all that its answer is made of."""
    record = one.record
    dns = None
    if record is not None:
        dns = {"name": record.name, "type": "TXT", "value": record.value, "ttl": record.ttl}
    return {
        "hostname": name.hostname,
        "status": one.status,
        "type": one.type,
        "method": one.method,
        "url": one.url,
        "token": one.token or None,
        "payload": one.payload or None,
        "expires": rfc3339(name.expires),
        "dns": dns,
        "http": {"url": url(name.hostname, one), "body": one.payload} if one.type == "http-01" else None,
    }


def url(hostname: str, one: OfferedChallenge) -> str:
    """Give where the CA looks for the answer by http-01 (RFC 8555 section 8.3)."""
    place = f"[{hostname}]" if ":" in hostname else hostname
    return f"http://{place}/.well-known/acme-challenge/{one.token}"


def removable(offer: Offer, *, over: bool = False) -> list[Json]:
    """Give what a person was asked for and nobody looks for any more: of proven names, of all once it is `over`."""
    names = [name for name in offer.names if over or name.status == "valid"]
    return [_published(name, one) for name in names for one in (*in_order(name), *name.gone) if one.by_person]


def removable_after(offer: Offer | None, failure: CertwrightError) -> list[Json]:
    """Give the same after a failure; `offer` is how the order stood before, with the ways that were gone."""
    return removable(offer, over=is_over(failure)) if offer is not None else []


def removable_text(things: Sequence[Json]) -> str:
    """Say what may be taken away, each with its place and text; "" for nothing."""
    lines = [f"  {_place(one)}" for one in things]
    return "\n".join(["no longer needed, to be taken away by whoever published it:", *lines]) if lines else ""


def _place(one: Json) -> str:
    if one["dns"] is not None:
        return f'{one["dns"]["name"]} IN TXT "{one["dns"]["value"]}"'
    return str(one["http"]["url"]) if one["http"] is not None else f"the answer by {one['type']} for {one['hostname']}"


def is_over(failure: CertwrightError) -> bool:
    """Tell whether a failure ended the order."""
    parts = failure.failures if isinstance(failure, NamesFailed) else (failure,)
    return any(getattr(one, "reason", "") in _ENDS for one in parts)


def _published(name: OfferedName, one: OfferedChallenge) -> Json:
    all_ = item(name, one)
    return {key: all_[key] for key in ("hostname", "type", "dns", "http")}
