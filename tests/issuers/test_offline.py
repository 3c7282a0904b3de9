from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.doors import x509
from reconciler.errors import Failed
from reconciler.issuers.local_ca import CaIssuer
from reconciler.issuers.means import Means
from reconciler.issuers.self_signed import SelfSignedIssuer, placeholder
from reconciler.model.desired import CaIssuer as CaSpec
from reconciler.model.desired import DesiredSite, SecretRef
from reconciler.model.desired import SelfSignedIssuer as SelfSignedSpec
from reconciler.model.names import Hostname, KeyType, Trust
from reconciler.model.text import Secret
from tests.builders import MemoryDesk, MemoryStore, SteadyClock, request_for

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("a.test", "*.b.test", "192.0.2.1", "2001:db8::1")


def _means(store: MemoryStore, secret: Secret | None = None) -> Means:
    return Means(store, SteadyClock(), lambda _ref, _field: secret or Secret(b""))


def test_the_ca_is_made_once_and_signs_what_is_asked_for() -> None:
    store = MemoryStore()
    issuer = CaIssuer(CaSpec("ca", Trust.PRIVATE, common_name="Ours"), _means(store))
    desk = MemoryDesk()

    first = issuer.obtain(request_for(*NAMES, methods=()), desk)
    made = store.cas["ca"]
    second = issuer.obtain(request_for("c.test", methods=()), MemoryDesk())

    assert store.cas["ca"] == made
    assert set(first.facts.hostnames) == set(NAMES)
    assert first.facts.issuer_name == second.facts.issuer_name == "CN=Ours"
    assert first.chain == b"", "the root need not be sent"
    assert x509.check_issued(first.certificate, desk.key(), NAMES, SteadyClock().now(), made[1]) == first.facts
    assert (first.account, first.directory, dict(first.challenges)) == (None, None, {})
    issuer.register()
    assert store.records == {}


def test_the_lifetime_and_the_algorithm_are_the_declared_ones() -> None:
    store = MemoryStore()
    spec = CaSpec("ca", Trust.PRIVATE, lifetime=timedelta(days=7), algorithm=KeyType.ECDSA_P384)

    issued = CaIssuer(spec, _means(store)).obtain(request_for("a.test", methods=()), MemoryDesk())

    assert timedelta(days=7) <= issued.facts.not_after - issued.facts.not_before < timedelta(days=7, hours=2)
    assert x509.facts(store.cas["ca"][1]).key_type == "ecdsa-p384"


def test_a_brought_ca_is_sent_along(tmp_path: Path) -> None:
    key, root = x509.new_ca("Brought", "ecdsa-p256", timedelta(days=90), SteadyClock().now())
    path = tmp_path / "ca.pem"
    path.write_bytes(b"some text\n" + root)
    spec = CaSpec("mine", Trust.PRIVATE, certificate=str(path), key=SecretRef(file="key"))
    store = MemoryStore()

    issued = CaIssuer(spec, _means(store, key)).obtain(request_for("a.test", methods=()), MemoryDesk())

    assert issued.facts.issuer_name == "CN=Brought"
    assert issued.chain == root
    assert store.cas == {}


def test_a_brought_key_that_does_not_fit(tmp_path: Path) -> None:
    _, root = x509.new_ca("Brought", "ecdsa-p256", timedelta(days=90), SteadyClock().now())
    (tmp_path / "ca.pem").write_bytes(root)
    spec = CaSpec("mine", Trust.PRIVATE, certificate=str(tmp_path / "ca.pem"), key=SecretRef(file="key"))
    issuer = CaIssuer(spec, _means(MemoryStore(), x509.new_key("ecdsa-p256")))

    with pytest.raises(Failed) as caught:
        issuer.obtain(request_for("a.test", methods=()), MemoryDesk())

    assert caught.value.reason == "KeyMismatch"


def test_a_ca_that_is_over(tmp_path: Path) -> None:
    key, root = x509.new_ca("Old", "ecdsa-p256", timedelta(days=1), SteadyClock().now() - timedelta(days=9))
    (tmp_path / "ca.pem").write_bytes(root)
    spec = CaSpec("old", Trust.PRIVATE, certificate=str(tmp_path / "ca.pem"), key=SecretRef(file="key"))

    with pytest.raises(Failed) as caught:
        CaIssuer(spec, _means(MemoryStore(), key)).obtain(request_for("a.test", methods=()), MemoryDesk())

    assert caught.value.reason == "CaExpired"


def test_what_is_damaged_of_a_ca_is_told_with_its_place(tmp_path: Path) -> None:
    store = MemoryStore()
    made, ask = CaIssuer(CaSpec("house", Trust.PRIVATE), _means(store)), request_for("a.test", methods=())
    made.obtain(ask, MemoryDesk())
    good = store.cas["house"]
    (tmp_path / "ca.pem").write_text("garbage")
    spec = CaSpec("mine", Trust.PRIVATE, certificate=str(tmp_path / "ca.pem"), key=SecretRef(file="key"))
    brought = CaIssuer(spec, _means(store, good[0]))
    for issuer, pair, place in (
        (made, (good[0], b"garbage"), "the CA of issuer house (ca/house in the state directory)"),
        (made, (Secret(b"garbage"), good[1]), "the CA of issuer house (ca/house in the state directory)"),
        (brought, good, f"the CA of issuer mine ({tmp_path}/ca.pem)"),
    ):
        store.cas["house"] = pair
        with pytest.raises(Failed) as caught:
            issuer.obtain(ask, MemoryDesk())
        assert str(caught.value).startswith(f"{place}: ")
        assert "garbage" not in str(caught.value)


def test_self_signed() -> None:
    spec = SelfSignedSpec("self-signed", Trust.TEST, timedelta(days=5))

    issued = SelfSignedIssuer(spec, _means(MemoryStore())).obtain(request_for(*NAMES, methods=()), MemoryDesk())

    assert set(issued.facts.hostnames) == set(NAMES)
    assert x509.PLACEHOLDER not in issued.facts.issuer_name


def test_a_placeholder_is_marked() -> None:
    site = DesiredSite("site", (Hostname("a.test"),), (), {})
    key = x509.new_key("ecdsa-p256")

    issued = placeholder(site, key, SteadyClock().now())

    assert x509.PLACEHOLDER in issued.facts.issuer_name
    assert issued.facts.hostnames == ("a.test",)
    assert x509.check_pair(issued.certificate, key) == issued.facts
