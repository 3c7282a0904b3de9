"""R33, the CA's half: what stands around a certificate never leaves the room, and a wrong one is never given on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.errors import Failed
from tests.rig import rig

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.faults import Act, Forward, Reply, Request
    from tests.servers.front import Front
    from tests.servers.pebble import Pebble

PLANTED = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIPLANTED\n-----END PRIVATE KEY-----\n"
TEXT = b"\x1b[2J<script>alert(1)</script>\nssl_engine /tmp/evil.so;\n"


def _around(before: bytes, after: bytes) -> Act:
    def act(_request: Request, forward: Forward) -> Reply:
        reply = forward()
        return type(reply)(reply.status, reply.headers, before + reply.body + after)

    return act


def test_text_around_the_blocks_is_dropped(tmp_path: Path, pebble: Pebble, front: Front) -> None:
    front.inject(_around(TEXT, TEXT), "/certZ/", times=None)
    with rig(tmp_path, front.directory, front.bundle, pebble.http_port) as machine:
        issued = machine.obtain("text.test")

    assert b"script" not in issued.certificate + issued.chain
    assert issued.certificate.startswith(b"-----BEGIN CERTIFICATE-----")
    assert (issued.certificate + issued.chain).count(b"-----BEGIN") == 1 + issued.chain.count(b"-----BEGIN")


def test_a_planted_key_is_refused(tmp_path: Path, pebble: Pebble, front: Front) -> None:
    front.inject(_around(PLANTED, b""), "/certZ/", times=None)
    with rig(tmp_path, front.directory, front.bundle, pebble.http_port) as machine:
        desk = machine.desk()
        with pytest.raises(Failed) as caught:
            machine.registered().obtain(machine.request("planted.test"), desk)

    assert caught.value.reason == "UnreadableCertificate"
    assert desk.record is None


def test_a_chain_that_does_not_hold_is_refused(tmp_path: Path, pebble: Pebble, front: Front) -> None:
    with rig(tmp_path, front.directory, front.bundle, pebble.http_port) as machine:
        stranger = front.identity.certificate.read_bytes()

        def swap(_request: Request, forward: Forward) -> Reply:
            reply = forward()
            leaf, end, _ = reply.body.partition(b"-----END CERTIFICATE-----\n")
            return type(reply)(reply.status, reply.headers, leaf + end + stranger)

        front.inject(swap, "/certZ/", times=None)
        with pytest.raises(Failed) as caught:
            machine.registered().obtain(machine.request("chain.test"), machine.desk())

    assert (caught.value.reason, caught.value.blame) == ("BadChain", "ca")
