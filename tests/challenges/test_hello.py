from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.challenges.hello import Hello, NotHello, read_hello


def _hello(name: str | None, *protocols: str) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if protocols:
        context.set_alpn_protocols(list(protocols))
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


WHOLE = _hello("a.example.com", "acme-tls/1")


def test_reads_what_openssl_sends() -> None:
    assert read_hello(WHOLE) == Hello("a.example.com", (b"acme-tls/1",))
    assert read_hello(_hello("A.Example.com", "h2", "acme-tls/1")) == Hello("a.example.com", (b"h2", b"acme-tls/1"))
    assert read_hello(_hello(None)) == Hello(None, ())


@given(st.integers(0, len(WHOLE) - 1))
def test_a_part_of_it_is_waited_for(length: int) -> None:
    assert read_hello(WHOLE[:length]) is None


@given(st.binary(max_size=600))
def test_any_bytes_are_judged_without_a_crash(junk: bytes) -> None:
    try:
        found = read_hello(junk)
    except NotHello:
        return
    assert found is None or isinstance(found, Hello)


@given(st.integers(5, len(WHOLE) - 1), st.binary(min_size=1, max_size=8))
def test_a_damaged_hello_is_judged_without_a_crash(at: int, put: bytes) -> None:
    try:
        read_hello(WHOLE[:at] + put + WHOLE[at + len(put) :])
    except NotHello:
        return
