"""Small plans, made of words."""

from __future__ import annotations

from reconciler.model.changes import Change, Plan, Reason, Verb
from reconciler.model.outcomes import Outcome, Status


def change(verb: Verb, subject: str, *after: Change, target: str | None = None, rank: int = 2) -> Change:
    site = subject.partition("/")[2] if subject.startswith("site/") else None
    ids = tuple(one.id for one in after)
    return Change(verb, subject, Reason.MISSING, "", after=ids, site=site, target=target, rank=rank)


def issue(name: str, *after: Change, rank: int = 2) -> Change:
    return change(Verb.ISSUE, f"site/{name}", *after, rank=rank)


def install(name: str, *after: Change, target: str = "web") -> Change:
    return change(Verb.INSTALL, f"site/{name}", *after, target=target)


def reload(*after: Change, target: str = "web") -> Change:
    return change(Verb.RELOAD, f"target/{target}", *after, target=target)


def chain(*names: str) -> Plan:
    """Each site: issue, install; then one reload."""
    issues = [issue(name) for name in names]
    installs = [install(name, one) for name, one in zip(names, issues, strict=True)]
    return Plan((*issues, *installs, reload(*installs)))


def done(one: Change) -> Outcome:
    return Outcome(one, Status.DONE)


def failed(one: Change) -> Outcome:
    return Outcome(one, Status.FAILED, "Failed", "it broke")
