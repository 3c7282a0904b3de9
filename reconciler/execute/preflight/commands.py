"""The commands that manifests declare: of targets, of ways to prove a name, and those that print a secret."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

from reconciler.doors.processes import api as processes
from reconciler.errors import Failed
from reconciler.model.desired import ExecTarget, PostfixTarget, SecretRef
from reconciler.model.findings import Check, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.model.desired import DesiredSite, MethodSpec, TargetSpec

    Command = tuple[str, str]


def check_commands(sites: Sequence[DesiredSite]) -> Iterator[Finding]:
    """See that each declared command is there and may be run, each once; nothing is run."""
    wanted: dict[str, str] = {}
    for program, where in _declared(sites):
        wanted.setdefault(program, where)
    for program, where in sorted(wanted.items()):
        try:
            processes.resolve_program(program)
        except Failed as failure:
            mend = f"install it, or correct {where}"
            yield Finding(Check.COMMAND, Severity.ERROR, program, str(failure), f"{where} can be run", mend)


def _declared(sites: Sequence[DesiredSite]) -> Iterator[Command]:
    """Give each program with the field that names it; what several sites use comes first, by its name."""
    specs = {use.spec.name: use.spec for site in sites for use in site.targets}
    ways = {way.name: way for site in sites for way in _ways(site)}
    issuers = {one.name: one for site in sites for one in site.issuers}
    for name in sorted(specs):
        yield from _of_target(specs[name])
    for name in sorted(ways):
        yield from _of_method(ways[name])
    for name in sorted(issuers):
        yield from _of_secrets(issuers[name], "", f"of the Issuer {name}")
    for site in sites:
        if site.brought is not None:
            field = f"import.{'pkcs12' if site.brought.pkcs12 else 'key'}.passphrase"
            yield from _of_secrets(site.brought.passphrase, field, f"of the Site {site.name}")


def _ways(site: DesiredSite) -> Iterator[MethodSpec]:
    yield from (way for ways in site.methods.values() for way in ways)
    if site.address_records is not None:
        yield site.address_records.method


def _of_target(spec: TargetSpec) -> Iterator[Command]:
    commands = {"test": spec.test, "reload.command": spec.reload.command}
    if isinstance(spec, ExecTarget):
        commands["install"] = spec.install
    if isinstance(spec, PostfixTarget):
        commands["postmap"] = spec.postmap
    for field, argv in commands.items():
        if argv:
            yield argv[0], f"`{field}` of the Target {spec.name}"


def _of_method(method: MethodSpec) -> Iterator[Command]:
    provider, whose = getattr(method, "provider", None), f"of the ChallengeMethod {method.name}"
    if provider is not None and provider.type == "exec":
        yield provider.command[0], f"`provider.command` {whose}"
    yield from _of_secrets(provider, "provider", whose)


def _of_secrets(value: object, field: str, whose: str) -> Iterator[Command]:
    """Find the commands that print a secret, wherever in a spec they stand."""
    if isinstance(value, SecretRef):
        if value.exec:
            yield value.exec[0], f"`{field}` {whose}"
    elif isinstance(value, tuple):
        for part in value:
            yield from _of_secrets(part, field, whose)
    elif is_dataclass(value):
        for one in fields(value):
            inner = f"{field}.{_as_written(one.name)}".lstrip(".")
            yield from _of_secrets(getattr(value, one.name), inner, whose)


def _as_written(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
