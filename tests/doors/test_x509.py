from __future__ import annotations

import subprocess
import sys
import traceback
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509 as c
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from reconciler.doors import x509
from reconciler.errors import Failed
from reconciler.model.text import Secret

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAYS = timedelta(days=1)
NAMES = ("shop.example", "*.shop.example", "192.0.2.7", "2001:db8::1")


@cache
def authority(key_type: str = "ecdsa-p256") -> tuple[Secret, bytes]:
    return x509.new_ca("certwright test CA", key_type, 365 * DAYS, NOW)


@cache
def site_key(number: int = 0) -> Secret:
    del number
    return x509.new_key("ecdsa-p256")


def leaf(names: tuple[str, ...] = NAMES, *, start: datetime = NOW, days: int = 90, key: Secret | None = None) -> bytes:
    secret, pem = authority()
    csr = x509.make_csr(key or site_key(), names)
    return x509.sign(secret, pem, csr, names, not_before=start, not_after=start + days * DAYS)


def openssl_accepts(directory: Path, root: bytes, certificate: bytes) -> bool:
    (directory / "root.pem").write_bytes(root)
    (directory / "leaf.pem").write_bytes(certificate)
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-attime", str(int(NOW.timestamp()) + 60)]
    done = subprocess.run(
        [*command, "-CAfile", "root.pem", "leaf.pem"], cwd=directory, capture_output=True, text=True, check=False
    )
    return done.returncode == 0 or pytest.fail(done.stderr)


def refused(reason: str, call: object) -> Failed:
    assert callable(call)
    with pytest.raises(Failed) as caught:
        call()
    assert caught.value.reason == reason
    return caught.value


def test_importing_the_door_loads_no_cryptography() -> None:
    code = "import sys; from reconciler.doors import x509; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_face_gives_every_name_it_lists_and_no_other() -> None:
    assert all(getattr(x509, name) for name in x509.__all__)
    with pytest.raises(AttributeError):
        _ = x509.nothing  # type: ignore[attr-defined]


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072"])
def test_a_key_is_of_the_type_asked_for(key_type: str) -> None:
    key = x509.new_key(key_type)
    assert key.reveal().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert x509.facts(x509.self_signed(key, ["a.example"], DAYS, NOW, marker=False)).key_type == key_type
    load_pem_private_key(key.reveal(), None)  # with all of OpenSSL's checks


def test_an_unknown_key_type_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"dsa-1024.*ecdsa-p256"):
        x509.new_key("dsa-1024")


def test_a_request_has_its_names_in_the_alternative_name_alone() -> None:
    request = c.load_der_x509_csr(x509.make_csr(site_key(), [*NAMES, "shop.example"]))
    names = request.extensions.get_extension_for_class(c.SubjectAlternativeName).value
    assert request.is_signature_valid
    assert not list(request.subject)
    assert names.get_values_for_type(c.DNSName) == ["shop.example", "*.shop.example"]
    assert names.get_values_for_type(c.IPAddress) == [ip_address("192.0.2.7"), ip_address("2001:db8::1")]


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "rsa-2048"])
def test_openssl_accepts_what_the_local_ca_signs(tmp_path: Path, key_type: str) -> None:
    secret, root = authority(key_type)
    key = x509.new_key(key_type)
    signed = x509.sign(secret, root, x509.make_csr(key, NAMES), NAMES, not_before=NOW, not_after=NOW + DAYS)
    assert openssl_accepts(tmp_path, root, signed)


def test_openssl_accepts_a_self_signed_certificate_as_its_own_root(tmp_path: Path) -> None:
    made = x509.self_signed(site_key(), ["a.example"], 7 * DAYS, NOW, marker=True)
    assert openssl_accepts(tmp_path, made, made)


def test_a_placeholder_says_so_and_is_valid_from_an_hour_ago() -> None:
    marked = x509.facts(x509.self_signed(site_key(), NAMES, 7 * DAYS, NOW, marker=True))
    assert marked.issuer_name == f"O={x509.PLACEHOLDER}"
    assert (marked.not_before, marked.not_after) == (NOW - timedelta(hours=1), NOW + 7 * DAYS)
    assert marked.hostnames == NAMES
    plain = x509.facts(x509.self_signed(site_key(), NAMES, 7 * DAYS, NOW, marker=False))
    assert x509.PLACEHOLDER not in plain.issuer_name


def test_names_at_the_limits_of_dns_and_of_the_common_name_are_handled() -> None:
    longest = ".".join(["a" * 63] * 3 + ["b" * 61])
    assert x509.facts(x509.self_signed(site_key(), [longest], DAYS, NOW, marker=True)).hostnames == (longest,)
    _, pem = x509.new_ca("n" * 300, "ecdsa-p256", DAYS, NOW)
    assert x509.facts(pem).issuer_name == "CN=" + "n" * 64


def test_a_signed_leaf_never_outlives_its_ca() -> None:
    _, root = authority()
    assert x509.facts(leaf(days=9999)).not_after == x509.facts(root).not_after


def test_serial_numbers_are_random() -> None:
    assert len({x509.facts(leaf()).serial for _ in range(20)}) == 20


def test_a_ca_signs_only_with_its_own_key_and_for_a_sound_request() -> None:
    _, root = authority()
    csr = x509.make_csr(site_key(), NAMES)
    refused("KeyMismatch", lambda: x509.sign(site_key(1), root, csr, NAMES, not_before=NOW, not_after=NOW + DAYS))
    secret, _ = authority()
    spoilt = csr[:-4] + bytes(4)
    refused("UnreadableRequest", lambda: x509.sign(secret, root, spoilt, NAMES, not_before=NOW, not_after=NOW + DAYS))


def test_facts_are_the_same_from_pem_and_from_der() -> None:
    pem = leaf()
    der = c.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    assert x509.facts(pem) == x509.facts(der)
    assert x509.facts(pem).fingerprint == c.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()


@given(st.binary(max_size=400))
def test_rubbish_is_unreadable_and_nothing_worse(rubbish: bytes) -> None:
    refused("UnreadableCertificate", lambda: x509.facts(rubbish))
    refused("UnreadableCertificate", lambda: x509.read_chain(rubbish))
    refused("UnreadableKey", lambda: x509.make_csr(Secret(rubbish), ["a.example"]))


@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_certificate_with_flipped_bytes_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    der = bytearray(c.load_pem_x509_certificate(leaf()).public_bytes(Encoding.DER))
    for place, byte in changes:
        der[place % len(der)] = byte
    try:
        facts = x509.facts(bytes(der))
    except Failed:
        return
    assert all(name.isprintable() for name in (*facts.hostnames, facts.issuer_name))


def test_what_was_asked_for_passes_in_any_order_of_names() -> None:
    _, root = authority()
    facts = x509.check_issued(leaf() + root, site_key(), NAMES[::-1], NOW, roots=root)
    assert set(facts.hostnames) == set(NAMES)


def test_a_pair_fits_or_is_a_mismatch() -> None:
    pem = leaf() + authority()[1]
    assert x509.check_pair(pem, site_key()) == x509.facts(pem)
    assert refused("KeyMismatch", lambda: x509.check_pair(pem, x509.new_key("rsa-2048"))).blame == "local"
    refused("UnreadableCertificate", lambda: x509.check_pair(b"", site_key()))
    refused("UnreadableKey", lambda: x509.check_pair(pem, Secret(b"-----BEGIN PRIVATE KEY-----\n")))


def test_checking_an_rsa_pair_does_not_test_primes() -> None:
    key = x509.new_key("rsa-2048")
    pem = x509.self_signed(key, ["a.example"], DAYS, NOW, marker=False)
    start = datetime.now(UTC)
    for number in range(100):
        x509.check_pair(pem, Secret(key.reveal() + b"\n" * number))  # another text, which is not loaded yet
    assert datetime.now(UTC) - start < timedelta(seconds=1)


def test_key_that_cannot_be_read_is_in_no_value_of_a_traceback() -> None:
    with pytest.raises(Failed) as caught:
        x509.make_csr(Secret(b"-----BEGIN PRIVATE KEY-----\n" + b64encode(b"hidden")), ["a.example"])
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    assert b64encode(b"hidden").decode() not in "".join(shown)


def test_a_key_of_a_kind_that_no_server_uses_is_refused() -> None:
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    refused("UnreadableKey", lambda: x509.make_csr(Secret(pem), ["a.example"]))
    odd = ec.generate_private_key(ec.SECP521R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    secret, root = authority()
    csr = x509.make_csr(Secret(odd), NAMES)
    refused("UnreadableRequest", lambda: x509.sign(secret, root, csr, NAMES, not_before=NOW, not_after=NOW + DAYS))


def _shown(names: c.ExtensionType) -> bytes:
    """Give a certificate as any listener may show it, with the serial number 1 and a proof."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = c.Name([c.NameAttribute(c.NameOID.COMMON_NAME, "x")])
    proof = c.UnrecognizedExtension(c.ObjectIdentifier("1.3.6.1.5.5.7.1.31"), b"\x04\x20" + bytes(32))
    builder = c.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + DAYS).add_extension(
        names, critical=False
    )
    return builder.add_extension(proof, critical=True).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def _bad() -> dict[str, bytes]:
    names = c.SubjectAlternativeName([c.DNSName("shop.example")])
    good, version = _shown(names), b"\xa0\x03\x02\x01\x02"
    assert x509.challenge_shown(good) == (("shop.example",), bytes(32))
    return {
        "a serial number of 0": good.replace(version + b"\x02\x01\x01", version + b"\x02\x01\x00", 1),
        "an X.400 address": _shown(c.UnrecognizedExtension(names.oid, b"\x30\x04\xa3\x02\x30\x00")),
        "a part": good[:-1],
        "nothing": b"",
    }


@pytest.mark.parametrize("what", ["a serial number of 0", "an X.400 address", "a part", "nothing"])
def test_what_a_listener_shows_and_cannot_be_read_has_no_names(what: str) -> None:
    assert x509.challenge_shown(_bad()[what]) == ((), None)
