"""One site as a JSON item: what `get sites -o json` prints and the store keeps, so that reading it needs no model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reconciler.model.changes import Reason
from reconciler.model.observed import ObservedSite, Revision
from reconciler.model.outcomes import Condition
from reconciler.model.plain import to_plain
from reconciler.report.conditions import conditions, is_installed, missing_hostnames
from reconciler.report.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from reconciler.model.changes import Hold
    from reconciler.model.desired import DesiredSite
    from reconciler.model.observed import Failures, RenewalChoice

Json = dict[str, Any]
API_VERSION = "certwright/v1"


def site_item(  # noqa: PLR0913  what one pass knows of a site
    desired: DesiredSite,
    observed: ObservedSite,
    now: datetime,
    holds: Sequence[Hold] = (),
    previous: Mapping[str, object] | None = None,
    renewal: RenewalChoice | None = None,
    *,
    broken: Mapping[str, Failures] | None = None,
) -> Json:
    """Give the item. `holds` may be those of all sites; `previous` is the item before, for `lastTransitionTime`.

    `broken`: the failures of targets as wholes, by name.
    """
    own = tuple(hold for hold in holds if hold.site == desired.name)
    found = conditions(desired, observed, now, own)
    return {
        "apiVersion": API_VERSION,
        "kind": "Site",
        "metadata": {
            "name": desired.name,
            "labels": dict(desired.labels),
            "annotations": dict(desired.annotations),
        },
        "spec": _spec(desired),
        "status": {
            "specDigest": desired.digest,
            "observedSpecDigest": _observed_digest(observed),
            "conditions": [_condition(one, now, previous) for one in found],
            **_facts(desired, observed, own, renewal),
            "failures": _failures(_of_spec(desired, observed), _of_targets(desired, broken or {})),
        },
    }


def bug_item(desired: DesiredSite, bug: Exception, now: datetime, previous: Mapping[str, Any] | None) -> Json:
    """Give the item of a site that cannot be described: what was known of it before, and that it is not Ready."""
    item = previous or site_item(desired, ObservedSite(desired.name), now)
    text = f"{type(bug).__name__} while describing; this is a bug of certwright"
    ready = _condition(Condition("Ready", "False", Reason.BUG, text), now, previous)
    others = [one for one in item["status"]["conditions"] if one["type"] != "Ready"]
    return {**item, "status": {**item["status"], "conditions": [ready, *others]}}


def _spec(desired: DesiredSite) -> Json:
    """Give the resolved spec, references by name; nothing in it is a secret."""
    return {
        "hostnames": list(desired.names),
        "server": desired.server,
        "issuers": [issuer.name for issuer in desired.issuers],
        "challenges": {name: [method.name for method in ways] for name, ways in sorted(desired.methods.items())},
        "targets": [use.spec.name for use in desired.targets],
        "privateKey": to_plain(desired.key),
        "profile": desired.profile,
        "preferredChain": desired.preferred_chain,
        "suspend": desired.suspend,
    }


def _observed_digest(observed: ObservedSite) -> str | None:
    return observed.live.meta.spec_digest if isinstance(observed.live, Revision) else None


def _condition(one: Condition, now: datetime, previous: Mapping[str, object] | None) -> Json:
    return {
        "type": one.type,
        "status": one.status,
        "reason": str(one.reason),
        "message": one.message,
        "lastTransitionTime": _since(one, previous) or rfc3339(now),
    }


def _since(one: Condition, previous: Mapping[str, object] | None) -> str | None:
    status = previous.get("status") if previous is not None else None
    former = status.get("conditions") if isinstance(status, dict) else None
    for before in former if isinstance(former, list) else ():
        if isinstance(before, dict) and before.get("type") == one.type and before.get("status") == one.status:
            at = before.get("lastTransitionTime")
            return at if isinstance(at, str) else None
    return None


def _facts(desired: DesiredSite, observed: ObservedSite, holds: Sequence[Hold], renewal: RenewalChoice | None) -> Json:
    chosen = renewal or observed.memory.renewal
    is_of_live = chosen is not None and isinstance(observed.live, Revision) and chosen.revision == observed.live.id
    return {
        "certificate": _certificate(observed),
        "renewal": {"at": rfc3339(chosen.at), "reason": chosen.reason} if chosen is not None and is_of_live else None,
        "targets": [_target(desired, observed, number) for number in range(len(desired.targets))],
        "holds": [
            {
                "target": hold.target,
                "reason": hold.reason.value,
                "until": rfc3339(hold.until),
                "endsWhen": hold.ends_when,
                "message": hold.message,
                "failed": hold.failed,
            }
            for hold in holds
        ],
        "missingHostnames": list(missing_hostnames(desired, observed)),
        "handled": {"renewAt": observed.memory.handled_renew_at, "retryAt": observed.memory.handled_retry_at},
    }


def _certificate(observed: ObservedSite) -> Json | None:
    live = observed.live
    if not isinstance(live, Revision):
        return None
    facts, meta = live.facts, live.meta
    return {
        "revision": live.id,
        "serial": facts.serial,
        "fingerprint": facts.fingerprint,
        "notBefore": rfc3339(facts.not_before),
        "notAfter": rfc3339(facts.not_after),
        "hostnames": list(facts.hostnames),
        "keyType": facts.key_type,
        "issuer": meta.issuer,
        "profile": meta.profile,
        "account": meta.account,
        "challenges": {name: {"method": one.method, "type": one.type} for name, one in sorted(meta.challenges.items())},
        "placeholder": meta.placeholder,
    }


def _target(desired: DesiredSite, observed: ObservedSite, number: int) -> Json:
    spec = desired.targets[number].spec
    served = observed.memory.served.get(spec.name)
    live = observed.live.id if isinstance(observed.live, Revision) else None
    ports = served.asked(spec.verify) if served is not None and served.revision == live else ()
    return {
        "name": spec.name,
        "installed": is_installed(spec, observed),
        "served": [{"port": port.port, "fingerprint": port.fingerprint} for port in ports],
    }


def _of_targets(desired: DesiredSite, broken: Mapping[str, Failures]) -> Mapping[str, Failures]:
    """Give those of the site's own targets, each told with its name."""
    found = ((name, broken[name]) for use in desired.targets if (name := use.spec.name) in broken)
    return {
        name: replace(one, last=replace(one.last, detail=f"target {name}: {one.last.detail}"))
        for name, one in found
        if one.last is not None
    }


def _of_spec(desired: DesiredSite, observed: ObservedSite) -> Mapping[str, Failures]:
    """Leave out what failed of another spec: nothing waits for it, and no pass may come to what forgets it."""
    failures = observed.memory.failures.items()
    return {name: one for name, one in failures if one.digest in ("", desired.digest)}


def _failures(own: Mapping[str, Failures], of_targets: Mapping[str, Failures]) -> Json:
    """Give the failures to issue; where there are none, those of the target that failed most."""
    known = {**of_targets, **own}
    rest = sorted(known.items(), key=lambda pair: (pair[0] != "issue", -pair[1].count, pair[0]))
    worst = next((failures for _, failures in rest if failures.count or failures.last is not None), None)
    if worst is None:
        return {"count": 0, "nextAttempt": None, "last": None}
    return {"count": worst.count, "nextAttempt": rfc3339(worst.next_attempt), "last": _last(worst)}


def _last(failures: Failures) -> Json | None:
    last = failures.last
    if last is None:
        return None
    return {
        "at": rfc3339(last.at),
        "reason": last.reason,
        "hostname": last.hostname,
        "method": last.method,
        "type": last.type,
        "detail": last.detail,
        "url": last.url,
    }
