"""`describe site NAME`: one item in full, made of the plain JSON item. Imports nothing of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.report.cells import NONE, at, listed, shown, table
from reconciler.report.reasons import next_step, sentence
from reconciler.report.times import both, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime


def describe_text(
    item: Mapping[str, Any],
    now: datetime,
    *,
    origins: Mapping[str, str] | None = None,
    events: Sequence[Mapping[str, Any]] = (),
    keys: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Give spec, conditions, certificate, renewal, targets, holds, failures, events.

    `origins` tells of a spec field where its value came from (a file and line, or a default); `keys` are the files with
    the private key that belong to another user.
    """
    name = shown(at(item, "metadata", "name"))
    sections = (
        (shown(item.get("kind")), _pairs({"name": name, **_labels(item)})),
        ("Spec", _spec(item, origins or {})),
        ("Conditions", _conditions(item, now)),
        ("Certificate", _certificate(item, now)),
        ("Renewal", _renewal(item, now)),
        ("Targets", _targets(item)),
        ("Keys", tuple(f"{shown(key['path'])} belongs to uid {key['uid']}, who can use and copy it" for key in keys)),
        ("Holds", _holds(item, name, now)),
        ("Failures", _failures(item, now)),
        ("Events", tuple(_event(event, now) for event in events)),
    )
    return "\n".join(_section(title, list(lines)) for title, lines in sections if lines)


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines)]) + "\n"


def _pairs(values: Mapping[str, object]) -> tuple[str, ...]:
    rows = [(key, _value(value)) for key, value in values.items()]
    return tuple(table((), rows).splitlines())


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_value(one) for one in value) or NONE
    if isinstance(value, dict):
        return ", ".join(f"{shown(key)}={_inner(one)}" for key, one in value.items()) or NONE
    return shown(str(value).lower() if isinstance(value, bool) else value)


def _inner(value: object) -> str:
    several = isinstance(value, dict) or (isinstance(value, list) and len(value) > 1)
    return f"({_value(value)})" if several else _value(value)


def _labels(item: Mapping[str, Any]) -> dict[str, object]:
    fields = ((key, at(item, "metadata", key)) for key in ("labels", "annotations"))
    return {key: value for key, value in fields if value}


def _spec(item: Mapping[str, Any], origins: Mapping[str, str]) -> tuple[str, ...]:
    spec = item.get("spec")
    rows = [(shown(key), _value(value), shown(origins.get(key, ""))) for key, value in (spec or {}).items()]
    return tuple(table((), [row if origins else row[:2] for row in rows]).splitlines())


def _conditions(item: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    found = (one for one in listed(at(item, "status", "conditions")) if isinstance(one, dict))
    return tuple(table((), [_condition(one, now) for one in found]).splitlines())


def _condition(one: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    words = (shown(one.get(key)) for key in ("type", "status", "reason"))
    return (*words, _time(one.get("lastTransitionTime"), now), shown(one.get("message")))


def _time(text: object, now: datetime) -> str:
    moment = parsed(text)
    return both(moment, now) if moment is not None else NONE


def _certificate(item: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    certificate = at(item, "status", "certificate")
    if not isinstance(certificate, dict):
        return ("none yet",)
    timed = {"notBefore", "notAfter"}
    return _pairs({key: _time(value, now) if key in timed else value for key, value in certificate.items()})


def _renewal(item: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    renewal = at(item, "status", "renewal")
    if not isinstance(renewal, dict):
        return ()
    return (f"at {_time(renewal.get('at'), now)}, because of {shown(renewal.get('reason'))}",)


def _targets(item: Mapping[str, Any]) -> tuple[str, ...]:
    rows = [
        (shown(one.get("name")), "installed" if one.get("installed") else "not installed", _served(one))
        for one in listed(at(item, "status", "targets"))
        if isinstance(one, dict)
    ]
    return tuple(table((), rows).splitlines())


def _served(target: Mapping[str, Any]) -> str:
    ports = (port for port in listed(target.get("served")) if isinstance(port, dict))
    return ", ".join(f"port {shown(port.get('port'))}: {shown(port.get('fingerprint'), 16)}" for port in ports) or NONE


def _holds(item: Mapping[str, Any], name: str, now: datetime) -> tuple[str, ...]:
    holds = (hold for hold in listed(at(item, "status", "holds")) if isinstance(hold, dict))
    return tuple(line for hold in holds for line in _hold(hold, name, now))


def _hold(hold: Mapping[str, Any], name: str, now: datetime) -> Iterator[str]:
    reason = shown(hold.get("reason"))
    yield f"{reason}: {shown(hold.get('message'))}"
    if hold.get("until"):
        yield f"  until {_time(hold.get('until'), now)}"
    if hold.get("endsWhen"):
        yield f"  ends when {shown(hold.get('endsWhen'))}"
    yield f"  {sentence(reason)} {('Next: ' + step) if (step := next_step(reason, name)) else ''}".rstrip()


def _failures(item: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    failures = at(item, "status", "failures")
    last = at(failures, "last")
    if not isinstance(last, dict):
        return ()
    facts = {key: _time(value, now) if key == "at" else value for key, value in last.items() if value}
    return _pairs({"count": failures.get("count"), "nextAttempt": _time(failures.get("nextAttempt"), now), **facts})


def _event(event: Mapping[str, Any], now: datetime) -> str:
    return f"{_time(event.get('at'), now)} {shown(event.get('reason'))}: {shown(event.get('message'))}"
