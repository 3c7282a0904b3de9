"""A certificate that a person brings: whatever form it has, it comes out in order, or is refused with a sentence."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    load_pem_private_key,
    pkcs12,
)
from hypothesis import given
from hypothesis import strategies as st

from reconciler.doors import x509
from reconciler.errors import Failed
from reconciler.model.names import uncovered
from reconciler.model.text import Secret
from tests import bought
from tests.bought import DAY, Key, Party

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def made(name: str, above: Party | None = None, *, ca: bool = True, days: int = 90, key: Key | None = None) -> Party:
    return bought.made(name, above=above, ca=ca, days=days, born=200, now=NOW, key=key)


@cache
def street() -> tuple[Party, Party, Party]:
    """Leaf, intermediate, root."""
    root = made("root")
    middle = made("middle", root)
    return made("shop.example", middle, ca=False), middle, root


def refused(words: str, *arguments: object, of: object = x509.read_pair) -> None:
    assert callable(of)
    with pytest.raises(Failed, match=words) as failure:
        of(*arguments)
    assert failure.value.reason == "ImportInvalid"
    assert "BEGIN" not in str(failure.value)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_any_order_with_the_root_or_without(order: tuple[int, ...]) -> None:
    leaf, middle, _ = street()
    files = [street()[place].pem for place in order]
    for given_files in (
        files,
        [b"".join(files)],
        [file.replace(b"\n", b"\r\n") for file in files],
        [leaf.der, middle.der],
    ):
        found = x509.read_pair(leaf.key_pem(), given_files, NOW)
        assert (found.certificate, found.chain) == (leaf.pem, middle.pem)
        assert found.facts.hostnames == ("shop.example",)
        x509.check_pair(found.certificate, found.key)


def test_keys_in_every_form() -> None:
    leaf, middle, _ = street()
    files = [leaf.pem, middle.pem]
    word = Secret(b"open sesame")
    for key, passphrase in (
        (leaf.key_pem(encoding=Encoding.DER), None),
        (leaf.key_pem(b"open sesame"), word),
        (leaf.key_pem(b"open sesame", Encoding.DER), word),
        (Secret(leaf.key_pem().reveal().replace(b"\n", b"\r\n")), None),
    ):
        plain = x509.read_pair(key, files, NOW, passphrase).key
        assert load_pem_private_key(plain.reveal(), None) is not None
    together = Secret(
        b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" + leaf.key_pem().reveal()
    )
    assert x509.read_pair(Secret(leaf.pem + together.reveal()), files, NOW).facts.hostnames == ("shop.example",)
    refused("has a passphrase, and none was given", leaf.key_pem(b"open sesame"), files, NOW)
    refused("has no passphrase", leaf.key_pem(), files, NOW, word)
    refused("not its own", leaf.key_pem(b"other"), files, NOW, word)
    refused("cannot be read", Secret(b"rubbish"), files, NOW)


def test_pkcs12() -> None:
    leaf, middle, root = street()
    how = BestAvailableEncryption(b"word")
    bag = pkcs12.serialize_key_and_certificates(
        b"x", leaf.key, leaf.certificate, [root.certificate, middle.certificate], how
    )
    found = x509.read_pkcs12(Secret(bag), NOW, Secret(b"word"))
    assert (found.certificate, found.chain) == (leaf.pem, middle.pem)
    refused("passphrase", Secret(bag), NOW, Secret(b"no"), of=x509.read_pkcs12)
    refused("passphrase", Secret(bag), NOW, of=x509.read_pkcs12)
    refused("no PKCS#12", Secret(b"rubbish"), NOW, of=x509.read_pkcs12)
    keyless = pkcs12.serialize_key_and_certificates(b"x", None, None, [leaf.certificate], NoEncryption())
    refused("holds no key", Secret(keyless), NOW, of=x509.read_pkcs12)


def test_what_does_not_belong_together_is_refused() -> None:
    leaf, middle, root = street()
    refused("for none of the 2", root.key_pem(), [leaf.pem, middle.pem], NOW)
    refused("do not belong to the chain", leaf.key_pem(), [leaf.pem, made("stranger").pem], NOW)
    refused("do not belong to the chain", leaf.key_pem(), [leaf.pem, root.pem], NOW)  # a link is missing
    refused("20 certificates", leaf.key_pem(), [leaf.pem, *(made(f"x{n}").pem for n in range(19))], NOW)
    refused("no certificate in PEM or DER", leaf.key_pem(), [leaf.pem, b"rubbish"], NOW)
    refused("over", leaf.key_pem(), [b"x" * 2_000_000], NOW)


def test_expired_chains_and_weak_keys() -> None:
    leaf, _, root = street()
    old = made("old", root, days=1)
    under = made("shop.example", old, ca=False, days=50)
    refused("is not valid now", under.key_pem(), [under.pem, old.pem], NOW + 2 * DAY)
    small = made("shop.example", root, ca=False, key=rsa.generate_private_key(65537, 1024))  # noqa: S505
    refused("RSA of 2048 bits", small.key_pem(), [small.pem], NOW)
    nameless = made("root")
    refused("no subjectAltName", nameless.key_pem(), [nameless.pem], NOW)
    assert x509.read_pair(leaf.key_pem(), [leaf.pem], NOW).chain == b""


def by_sha1(leaf: Party, above: rsa.RSAPrivateKey) -> bytes:
    """The certificate, signed anew by way of SHA-1, which the library does not do: one byte of its name differs."""
    former = leaf.certificate.signature_algorithm_oid.dotted_string
    assert former == "1.2.840.113549.1.1.11"
    old, new = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    body = leaf.certificate.tbs_certificate_bytes.replace(old, new)
    signature = above.sign(body, PKCS1v15(), SHA1())  # noqa: S303
    whole = leaf.der.replace(leaf.certificate.tbs_certificate_bytes, body).replace(old, new)
    return whole.replace(leaf.certificate.signature, signature)


def test_sha1_is_refused() -> None:
    key = rsa.generate_private_key(65537, 2048)
    root = made("root", key=key)
    leaf = made("shop.example", root, ca=False)
    refused("MD5 or SHA-1", leaf.key_pem(), [by_sha1(leaf, key), root.pem], NOW)
    refused("MD5 or SHA-1", leaf.key_pem(), [by_sha1(leaf, key)], NOW)


@given(data=st.binary(max_size=300))
def test_rubbish_is_refused_and_never_quoted(data: bytes) -> None:
    refused("cannot be used", Secret(data), [data], NOW)
    refused("cannot be used", Secret(data), NOW, of=x509.read_pkcs12)


def test_a_wildcard_covers_one_label() -> None:
    has = ("example.com", "*.example.com")
    assert uncovered(("example.com", "a.example.com", "*.example.com"), has) == ()
    assert uncovered(("a.b.example.com", "example.org"), has) == ("a.b.example.com", "example.org")
