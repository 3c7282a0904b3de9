"""R32: huge, slow, compressed or deep answers end in one site's failure, in bounded time and memory."""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from reconciler.doors.tls import client_context
from reconciler.errors import CertwrightError, Failed, Transient
from reconciler.issuers.acme.origin import origin_of
from reconciler.issuers.acme.transport import Answer, Transport
from tests.builders import SteadyClock
from tests.rig import rig
from tests.servers import faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.faults import Act
    from tests.servers.front import Front

MEBIBYTE = 1 << 20


def _transport(front: Front, seconds: float = 30.0) -> Transport:
    origin = origin_of(front.directory, private=True, allow_insecure=False)
    return Transport(
        origin,
        lambda: client_context(front.bundle),
        SteadyClock(),
        connections=1,
        user_agent="certwright/0",
        seconds=seconds,
    )


@pytest.mark.parametrize(("make", "size"), [(faults.oversize, 64), (faults.gzip_bomb, 200)], ids=["big", "bomb"])
def test_a_huge_answer_costs_no_memory(tmp_path: Path, front: Front, make: Callable[[int], Act], size: int) -> None:
    fault = front.inject(make(size * MEBIBYTE), times=None)
    with rig(tmp_path, front.directory, front.bundle, 1) as machine:
        tracemalloc.start()
        try:
            with pytest.raises(CertwrightError) as caught:
                machine.issuer().register()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

    assert isinstance(caught.value, Failed)
    assert caught.value.reason == "CaMisbehaves"
    assert fault.met
    assert peak < 4 * MEBIBYTE


def test_a_dripping_server_ends_at_the_deadline(front: Front) -> None:
    front.inject(faults.drip(1, 0.05), times=None)
    transport = _transport(front, seconds=0.5)
    start = time.monotonic()

    with pytest.raises(Transient, match="within"):
        transport.send("GET", front.directory, None, "json")

    assert 0.4 < time.monotonic() - start < 10


def test_a_silent_server_ends_at_the_deadline(front: Front) -> None:
    front.inject(faults.delay(15), times=None)
    transport = _transport(front, seconds=0.3)
    start = time.monotonic()

    with pytest.raises(Transient):
        transport.send("GET", front.directory, None, "json")

    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("body", "good"),
    [
        (b'{"a":' * 16 + b"1" + b"}" * 16, True),
        (b'{"a":' * 17 + b"1" + b"}" * 17, False),
        (b'{"a":' + b"[" * 100_000, False),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", False),
        (b"[1]", False),
        (b"null", False),
        (b'{"a": 1', False),
        (b"\xff\xfe", False),
        (b'{"a": "[[[[[[[[[[[[[[[[[[[[[[[["}', True),
    ],
)
def test_json_is_an_object_of_sixteen_levels(body: bytes, good: bool) -> None:  # noqa: FBT001
    answer = Answer(200, {}, body, "https://ca.test/")
    if good:
        assert answer.json()
        return
    with pytest.raises(Failed) as caught:
        answer.json()
    assert caught.value.reason == "CaMisbehaves"


def test_nothing_compressed_is_asked_for(front: Front, tmp_path: Path) -> None:
    asked: list[dict[str, str]] = []

    def spy(request: faults.Request, forward: faults.Forward) -> faults.Reply:
        asked.append({name.lower(): value for name, value in request.headers})
        return forward()

    front.inject(spy, times=None)
    with rig(tmp_path, front.directory, front.bundle, 1) as machine:
        machine.issuer().register()

    assert {headers["accept-encoding"] for headers in asked} == {"identity"}
    assert all(headers["user-agent"] == "certwright/0" for headers in asked)
    assert all("cookie" not in headers and "authorization" not in headers for headers in asked)
