"""A CA that does not say which authorization is the wildcard's (RFC 8555 section 7.1.4 wants it said)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.challenges.dns.names import challenge_name, challenge_value
from reconciler.model.desired import Dns01, ManualDns
from reconciler.model.observed import Undo
from tests.servers import faults

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from reconciler.model.desired import MethodSpec
    from reconciler.model.ports import Asked, Solver
    from tests.builders import Ways
    from tests.rig import Rig
    from tests.servers.challtestsrv import Challtestsrv
    from tests.servers.front import Front

NAMES = ("plain.test", "*.plain.test")
BY_DNS = Dns01(name="dns", provider=ManualDns())


@dataclass
class OwnZone:
    """Publishes by the test's own name server."""

    dns: Challtestsrv

    def prepare(self, site: str, hostname: str, token: str, asked: Asked) -> Undo:
        value = challenge_value(asked.key_authorization)
        return Undo(token, site, "txt", "", challenge_name(hostname), value=value)

    def present(self, thing: Undo, key_authorization: str) -> Undo:  # noqa: ARG002
        self.dns.set_txt(thing.name, thing.value)
        return thing

    def settle(self, things: Sequence[Undo], since: datetime, say: Callable[[str], None]) -> None:
        pass


@dataclass
class WithZone:
    """The ways of a desk, with names proven by DNS in the test's own zone."""

    zone: OwnZone
    others: Ways

    def solver(self, method: MethodSpec) -> Solver:
        return self.zone if method == BY_DNS else self.others.solver(method)

    def clean_up(self, thing: Undo) -> None:
        if thing.kind == "txt":
            self.zone.dns.clear_txt(thing.name)
        else:
            self.others.clean_up(thing)


def _silent(value: Any) -> Any:  # noqa: ANN401  JSON may be anything
    return {name: field for name, field in value.items() if name != "wildcard"}


def _turned(value: Any) -> Any:  # noqa: ANN401  JSON may be anything
    return {**value, "authorizations": value["authorizations"][::-1]} if "authorizations" in value else value


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("plain", ["http", "dns"])
@pytest.mark.parametrize("hostnames", [NAMES, NAMES[:1], NAMES[1:]], ids=["both", "plain", "wildcard"])
def test_each_name_is_proven(
    fronted: tuple[Rig, Front], dns: Challtestsrv, hostnames: tuple[str, ...], plain: str, *, turned: bool
) -> None:
    machine, front = fronted
    front.inject(faults.edit_json(_silent), "/authZ/", times=None)
    if turned:
        front.inject(faults.edit_json(_turned), "/order-plz|/my-order/", times=None)
    desk = machine.desk()
    assert desk.solvers is not None
    desk.solvers = WithZone(OwnZone(dns), desk.solvers)
    methods = {NAMES[0]: (machine.method if plain == "http" else BY_DNS,), NAMES[1]: (BY_DNS,)}
    request = machine.request(*hostnames)
    request = replace(request, methods={name: methods[name] for name in hostnames})

    issued = machine.registered().obtain(request, desk)

    assert set(issued.facts.hostnames) == set(hostnames)
    assert {name: how.method for name, how in issued.challenges.items()} == {
        name: methods[name][0].name for name in hostnames
    }
