"""What every issuer keeps to (`model.ports.Issuer`): one row a type; the one that speaks ACME does it with Pebble."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.doors import x509
from reconciler.issuers.imported import ImportedIssuer
from reconciler.issuers.local_ca import CaIssuer
from reconciler.issuers.self_signed import SelfSignedIssuer
from reconciler.model.desired import CaIssuer as CaSpec
from reconciler.model.desired import ImportedIssuer as ImportedSpec
from reconciler.model.desired import ImportSpec
from reconciler.model.desired import SelfSignedIssuer as SelfSignedSpec
from reconciler.model.names import Trust
from tests.bought import made, seller
from tests.rig import Rig, rig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.model.ports import Issuer, Request
    from tests.servers.pebble import Pebble

NAMES: Final = ("a.example.com", "b.example.com")
ISSUERS: Final[dict[str, Callable[[Rig], Issuer]]] = {
    "acme": lambda machine: machine.issuer(),
    "ca": lambda machine: CaIssuer(CaSpec("ca", Trust.PRIVATE), machine.means),
    "self-signed": lambda machine: SelfSignedIssuer(SelfSignedSpec("own", Trust.TEST), machine.means),
    "imported": lambda machine: ImportedIssuer(ImportedSpec("imported", Trust.PUBLIC), machine.means),
}


@pytest.fixture(name="machine")
def _machine(tmp_path: Path, pebble: Pebble) -> Iterator[Rig]:
    with rig(tmp_path, pebble.directory, pebble.bundle, pebble.http_port) as made:
        yield made


@pytest.fixture(name="request_")
def _request(machine: Rig, tmp_path: Path) -> Request:
    """Two names, by our listener; with a pair that the site brings, of which only one issuer takes notice."""
    files = made(*NAMES, above=seller()).put(tmp_path / "bought")
    spec = ImportSpec(str(files / "key.pem"), str(files / "cert.pem"), str(files / "chain.pem"))
    return replace(machine.request(*NAMES), brought=spec)


@pytest.mark.parametrize("type_", ISSUERS)
def test_an_account_is_made_once_and_kept(type_: str, machine: Rig) -> None:
    issuer = ISSUERS[type_](machine)
    first, second = issuer.register(), issuer.register()
    assert (first and first.url) == (second and second.url)
    assert len(machine.store.records) == (type_ == "acme")


@pytest.mark.parametrize("type_", ISSUERS)
def test_the_certificate_is_for_its_key_and_the_names(type_: str, machine: Rig, request_: Request) -> None:
    issuer, desk = ISSUERS[type_](machine), machine.desk()
    issuer.register()
    issued = issuer.obtain(request_, desk)
    assert set(issued.facts.hostnames) == set(NAMES)
    whole = issued.certificate + issued.chain
    assert (issued.key is not None) == (type_ == "imported")
    found = x509.check_issued(whole, issued.key or desk.key(), NAMES, machine.clock.now())
    assert found == issued.facts, "what is told is what the certificate says"
    assert b"PRIVATE" not in whole
    assert set(issued.challenges) in (set(), set(NAMES))
    assert not desk.undo, "nothing that was presented is left"
    assert not machine.store.published


@pytest.mark.parametrize("type_", ISSUERS)
def test_each_certificate_is_a_new_one(type_: str, machine: Rig, request_: Request) -> None:
    issuer = ISSUERS[type_](machine)
    issuer.register()
    first, second = (issuer.obtain(request_, machine.desk()).facts for _ in range(2))
    assert (first.serial != second.serial) == (type_ != "imported")
    assert first.issuer_name == second.issuer_name or type_ in {"self-signed", "acme"}
