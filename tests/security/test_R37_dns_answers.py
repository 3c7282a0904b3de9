"""R37: whatever a name server sends ends in one site's failure, in time, as one clean sentence."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.doors.dns_client import api
from reconciler.errors import Failed
from tests.servers.crooked import crooked, honest

if TYPE_CHECKING:
    from tests.servers.crooked import Crooked, Trick

NAME = "_acme-challenge.one.test"


def lying_id(query: dns.message.Message, _how: str) -> bytes:
    wire = bytearray(honest(query, f"{NAME} 30 TXT lie"))
    wire[0] ^= 0xFF
    return bytes(wire)


def other_question(query: dns.message.Message, _how: str) -> bytes:
    other = dns.message.make_query("other.test.", "TXT")
    other.id = query.id
    return honest(other, "other.test 30 TXT lie")


def other_name(query: dns.message.Message, _how: str) -> bytes:
    return honest(query, "other.test 30 TXT lie")


def cut_short(query: dns.message.Message, _how: str) -> bytes:
    return honest(query, f"{NAME} 30 TXT lie")[:-3]


def truncated_for_ever(query: dns.message.Message, _how: str) -> bytes:
    response = dns.message.make_response(query)
    response.flags |= dns.flags.TC
    return response.to_wire()


def truncated_without_tcp(query: dns.message.Message, how: str) -> bytes | None:
    return truncated_for_ever(query, how) if how == "udp" else None


def rubbish(_query: dns.message.Message, _how: str) -> bytes:
    return b"\xff" * 300


def nothing(_query: dns.message.Message, _how: str) -> bytes:
    return b""


def pointer_loop(query: dns.message.Message, _how: str) -> bytes:
    # a name in the answer that points at itself
    head = bytearray(honest(query))
    head[7] = 1
    return bytes(head) + b"\xc0" + bytes([len(head)]) + b"\x00\x10\x00\x01\x00\x00\x00\x1e\x00\x00"


def circle(query: dns.message.Message, _how: str) -> bytes:
    return honest(query, f"{NAME} 30 CNAME b.test.", f"b.test 30 CNAME {NAME}.")


def long_chain(query: dns.message.Message, _how: str) -> bytes:
    links = [f"{NAME} 30 CNAME h0.test.", *(f"h{n}.test 30 CNAME h{n + 1}.test." for n in range(40))]
    return honest(query, *links, "h40.test 30 TXT lie")


TRICKS: list[Trick] = [
    lying_id,
    other_question,
    cut_short,
    truncated_for_ever,
    truncated_without_tcp,
    rubbish,
    nothing,
    pointer_loop,
    circle,
    long_chain,
]


def asked(server: Crooked) -> api.Answer | Failed:
    """Ask; a failure is one clean sentence."""
    try:
        return api.ask(api.parse_endpoint(server.endpoint), NAME, "TXT")
    except Failed as error:
        sentence = str(error)
        told = sentence.isprintable() and len(sentence) < 400
        return error if told else pytest.fail(sentence)


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: trick.__name__)
def test_a_lie_is_a_failure_in_one_sentence(trick: Trick) -> None:
    with crooked(trick) as server:
        start = time.monotonic()
        answer = asked(server)
        assert isinstance(answer, Failed) or answer.records == ()
        assert time.monotonic() - start < 7


def test_a_record_of_another_name_is_no_answer() -> None:
    with crooked(other_name) as server:
        assert api.ask(api.parse_endpoint(server.endpoint), NAME, "TXT").records == ()


@pytest.mark.parametrize("rcode", ["SERVFAIL", "REFUSED", "NOTIMP"])
def test_a_refusing_resolver_is_told(rcode: str) -> None:
    with crooked(lambda query, _how: honest(query, rcode=rcode)) as server, pytest.raises(Failed, match=rcode):
        api.lookup([api.parse_endpoint(server.endpoint)], NAME, "TXT")


def test_an_soa_of_a_stranger_is_no_zone_of_ours() -> None:
    with crooked(lambda query, _how: honest(query, soa="evil.test")) as server, pytest.raises(Failed) as failure:
        api.zone_at(api.parse_endpoint(server.endpoint), NAME)
    assert failure.value.reason == "ZoneNotOurs"


def test_strange_bytes_in_a_value_stay_text() -> None:
    def odd(query: dns.message.Message, _how: str) -> bytes:
        response = dns.message.make_response(query)
        raw = rf'"{chr(92)}027[2J{chr(92)}255{chr(92)}000"'
        response.answer.append(dns.rrset.from_text(f"{NAME}.", 30, dns.rdataclass.IN, dns.rdatatype.TXT, raw))
        return response.to_wire()

    with crooked(odd) as server:
        assert api.ask(api.parse_endpoint(server.endpoint), NAME, "TXT").records == ("\x1b[2J\xff\x00",)


@settings(max_examples=30)
@given(st.binary(max_size=200))
def test_no_bytes_at_all_trip_the_reader(tail: bytes) -> None:
    def behind(query: dns.message.Message, _how: str) -> bytes:
        head = bytearray(honest(query))
        # pretend that records follow
        head[7] = head[9] = 3
        return bytes(head) + tail

    # by TCP at once: UDP would wait for a better answer
    with crooked(lambda query, how: truncated_for_ever(query, how) if how == "udp" else behind(query, how)) as server:
        asked(server)
