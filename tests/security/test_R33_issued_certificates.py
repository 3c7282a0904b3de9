"""R33: a certificate for another key or name, text or a key block around the PEM."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import pytest
from cryptography import x509 as c
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from reconciler.doors import x509
from reconciler.errors import Failed

if TYPE_CHECKING:
    from reconciler.model.text import Secret

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = ("a.example", "www.a.example")


@dataclass(frozen=True)
class Site:
    ca_key: Secret
    root: bytes
    key: Secret

    def leaf(self, names: tuple[str, ...] = NAMES, start: datetime = NOW) -> bytes:
        csr = x509.make_csr(self.key, names)
        return x509.sign(self.ca_key, self.root, csr, names, not_before=start, not_after=start + 30 * DAY)


@cache
def site() -> Site:
    return Site(*x509.new_ca("root", "ecdsa-p256", 90 * DAY, NOW - 60 * DAY), x509.new_key("ecdsa-p256"))


def reason_for(
    pem: bytes, names: tuple[str, ...] = NAMES, roots: bytes | None = None, key: Secret | None = None
) -> str:
    with pytest.raises(Failed) as caught:
        x509.check_issued(pem, key or site().key, names, NOW, roots)
    assert caught.value.blame == "ca"
    return caught.value.reason


def test_a_certificate_for_another_key_is_refused() -> None:
    assert reason_for(site().leaf() + site().root, key=x509.new_key("ecdsa-p256")) == "KeyMismatch"
    assert reason_for(site().leaf() + site().root, key=x509.new_key("rsa-2048")) == "KeyMismatch"


@pytest.mark.parametrize("names", [NAMES[:1], (*NAMES, "b.example"), ("*.a.example",), ("192.0.2.1",)])
def test_a_certificate_for_other_names_is_refused(names: tuple[str, ...]) -> None:
    assert reason_for(site().leaf() + site().root, names) == "WrongNames"


def test_a_certificate_out_of_its_time_is_refused() -> None:
    assert reason_for(site().leaf(start=NOW - 31 * DAY) + site().root) == "Expired"
    assert reason_for(site().leaf(start=NOW + DAY) + site().root) == "NotYetValid"


def test_a_clock_that_is_a_minute_late_refuses_nothing() -> None:
    x509.check_issued(site().leaf(start=NOW + timedelta(minutes=1)), site().key, NAMES, NOW)


def test_a_chain_whose_parts_do_not_sign_each_other_is_refused() -> None:
    _, other_root = x509.new_ca("root", "ecdsa-p256", 90 * DAY, NOW)
    assert reason_for(site().leaf() + other_root) == "BadChain"
    assert reason_for(site().leaf(), roots=other_root) == "BadChain"
    assert reason_for(site().leaf() + site().root, roots=other_root) == "BadChain"


def test_a_chain_whose_upper_part_is_no_ca_is_refused() -> None:
    signer = x509.self_signed(site().key, NAMES, 30 * DAY, NOW, marker=False)
    upper = c.load_pem_x509_certificate(signer)
    key = load_pem_private_key(site().key.reveal(), None)
    builder = c.CertificateBuilder(upper.subject, c.Name([]), upper.public_key(), 5, NOW, NOW + DAY)
    builder = builder.add_extension(c.SubjectAlternativeName([c.DNSName(name) for name in NAMES]), critical=True)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    forged = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    assert reason_for(forged + signer) == "BadChain"


def test_a_chain_with_an_expired_ca_is_refused() -> None:
    name = c.Name([c.NameAttribute(c.NameOID.COMMON_NAME, "root")])
    expired = c.load_pem_x509_certificate(site().root)
    key = load_pem_private_key(site().ca_key.reveal(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    builder = c.CertificateBuilder(name, name, expired.public_key(), 7, NOW - 9 * DAY, NOW - DAY)
    builder = builder.add_extension(c.BasicConstraints(ca=True, path_length=None), critical=True)
    upper = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    assert reason_for(site().leaf() + upper) == "BadChain"


def test_a_planted_key_block_is_refused_wherever_it_stands() -> None:
    planted = x509.new_key("ecdsa-p256").reveal()
    for pem in (planted + site().leaf(), site().leaf() + planted, site().leaf() + planted + site().root):
        with pytest.raises(Failed, match="something other than certificates"):
            x509.read_chain(pem)


@pytest.mark.parametrize("label", [b"X509 CRL", b"TRUSTED CERTIFICATE", b"EC PARAMETERS", b"", b"CERTIFICATE REQUEST"])
def test_any_other_block_is_refused(label: bytes) -> None:
    block = b"-----BEGIN " + label + b"-----\nAAAA\n-----END " + label + b"-----\n"
    with pytest.raises(Failed, match="something other than certificates"):
        x509.read_chain(site().leaf() + block)


def test_text_around_the_blocks_never_leaves() -> None:
    chain = x509.read_chain(
        b"ssl_certificate_key /etc/shadow;\r\n" + site().leaf() + b"\x00\x1b[2J; rm\n" + site().root
    )
    assert chain.fullchain_pem == site_again(chain.certificate_pem) + chain.chain_pem[0]
    assert b"shadow" not in chain.fullchain_pem
    assert b"\x1b" not in chain.fullchain_pem
    assert chain.chain_pem == (site().root,)


def site_again(pem: bytes) -> bytes:
    return c.load_pem_x509_certificate(pem).public_bytes(Encoding.PEM)


def test_the_senders_own_line_breaks_and_width_never_leave() -> None:
    pem = site().leaf()
    lines = pem.replace(b"\n", b"\r\n").replace(
        b"-----BEGIN CERTIFICATE-----\r\n", b"-----BEGIN CERTIFICATE-----\r\n\r\n"
    )
    assert x509.read_chain(lines).fullchain_pem == pem


def test_too_many_and_too_much_are_refused() -> None:
    assert len(x509.read_chain(site().leaf() * 10).chain_pem) == 9
    for pem in (site().leaf() * 11, site().leaf() + b" " * (1 << 20), b"", b"text"):
        with pytest.raises(Failed) as caught:
            x509.read_chain(pem)
        assert caught.value.reason == "UnreadableCertificate"


def test_a_block_without_an_end_is_refused() -> None:
    with pytest.raises(Failed) as caught:
        x509.read_chain(site().leaf() + b"-----BEGIN CERTIFICATE-----\nAAAA\n")
    assert caught.value.reason == "UnreadableCertificate"


def test_what_a_certificate_says_is_cleaned_before_it_is_shown() -> None:
    key = x509.new_key("ecdsa-p256")
    loaded = load_pem_private_key(key.reveal(), None)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)
    name = c.Name([c.NameAttribute(c.NameOID.COMMON_NAME, "\x1b[2J\u202eevil")])
    builder = c.CertificateBuilder(name, name, loaded.public_key(), 5, NOW, NOW + DAY)
    builder = builder.add_extension(c.SubjectAlternativeName([c.DNSName("\x1b]0;x\x07")]), critical=False)
    facts = x509.facts(builder.sign(loaded, hashes.SHA256()).public_bytes(Encoding.PEM))
    assert facts.issuer_name.isprintable()
    assert all(hostname.isprintable() for hostname in facts.hostnames)
