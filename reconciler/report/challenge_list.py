"""What `challenges`, `solve` and `request` tell of an order: as JSON for another system, as text for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.errors import Failed, NamesFailed, Stalled
from reconciler.report.challenge_item import in_order, item, removable, removable_after, removable_text, url
from reconciler.report.challenge_next import command_after, next_command, next_words
from reconciler.report.times import both, rfc3339

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from reconciler.errors import CertwrightError
    from reconciler.model.stages import Offer, OfferedName

Json = dict[str, Any]


def challenge_list(site: str, offer: Offer, asked: Collection[str] = ()) -> Json:
    """Give every challenge of every name, declared or not; `ok` tells whether all names of `asked` are proven."""
    names = [_name(one.hostname, one.status, _words(one.problem)) for one in offer.names]
    ok = not set(asked) & set(offer.missing)
    outcome = {"ok": ok, "names": names, "error": None, "next": next_command(site, offer)}
    return _list(site, offer, outcome, removable(offer))


def failed_list(verb: str, site: str, hostnames: Sequence[str], offer: Offer | None, failure: CertwrightError) -> Json:
    """Give the same after a failure of a verb: what each name came to, in the CA's words.

    `offer` is how the order stood before, `error` a failure that is no single name's.
    """
    errors = _of_names(failure)
    known = {one.hostname: one.status for one in offer.names} if offer is not None else {}
    status = {
        name: "invalid" if one["reason"] == "ChallengeFailed" else known.get(name) for name, one in errors.items()
    }
    all_ = dict.fromkeys((*(known or hostnames), *errors))
    names = [_name(name, status.get(name, known.get(name)), errors.get(name)) for name in all_]
    error = None if errors else _error(failure)
    outcome = {"ok": False, "names": names, "error": error, "next": command_after(verb, site, failure)}
    now = offer.now({name: word for name, word in status.items() if word is not None}) if offer is not None else None
    return _list(site, now, outcome, removable_after(offer, failure))


def _list(site: str, offer: Offer | None, outcome: Json, things: list[Json]) -> Json:
    items = [item(name, one) for name in offer.names for one in in_order(name)] if offer is not None else []
    expires = rfc3339(offer.expires) if offer is not None else None
    order = {"site": site, "order": offer.order if offer is not None else None, "expires": expires}
    return {
        "apiVersion": "certwright/v1",
        "kind": "ChallengeList",
        **order,
        **outcome,
        "items": items,
        "removable": [*things],
    }


def _name(hostname: str, status: str | None, error: Json | None) -> Json:
    return {"hostname": hostname, "status": status, "error": error}


def _of_names(failure: CertwrightError) -> dict[str, Json]:
    parts = failure.failures if isinstance(failure, NamesFailed) else (failure,)
    return {one.hostname: _error(one) for one in parts if isinstance(one, Failed | Stalled) and one.hostname}


def _error(failure: CertwrightError) -> Json:
    more = {name: getattr(failure, name, None) for name in ("method", "type", "url")}
    return {"reason": getattr(failure, "reason", type(failure).__name__), "message": str(failure), **more}


def _words(problem: str) -> Json | None:
    return _error(Failed("ChallengeFailed", problem)) if problem else None


def offer_text(site: str, offer: Offer, now: datetime) -> str:
    """Say how an order stands: what is proven, what can be published for the rest, and what comes next."""
    lines = [f"site/{site}: order {offer.order} ({offer.status})"]
    ends = min(filter(None, (offer.expires, *(name.expires for name in offer.names))), default=None)
    if ends is not None:
        lines.append(f"  expires {both(ends, now)}")
    for name in offer.names:
        lines += ["", *_name_lines(name)]
    gone = removable_text(removable(offer))
    return "\n".join([*lines, *(["", gone] if gone else []), "", f"next: {next_words(site, offer)}"])


def _name_lines(name: OfferedName) -> Iterator[str]:
    yield f"{name.hostname}: {name.status}" + (f" ({name.problem})" if name.problem else "")
    if name.status == "valid":
        return
    for one in in_order(name):
        by = f"method {one.method}" if one.method is not None else "no method declared"
        yield f"  {one.type}, {by}"
        if one.record is not None:
            yield f'    {one.record.name} {one.record.ttl} IN TXT "{one.record.value}"'
        elif one.type == "http-01":
            yield f"    {url(name.hostname, one)}"
            yield f"    {one.payload}"
        elif one.payload:
            yield f"    {one.payload}"
