"""A provider that hangs costs two waits, however many names; a refusal says nothing of the next name."""

from __future__ import annotations

import stat
import time
from typing import TYPE_CHECKING

import pytest

from reconciler.challenges.dns.patience import Patience, Silent
from reconciler.doors.dns_client.api import DnsFailed
from reconciler.errors import Failed
from tests.builders import SteadyClock
from tests.journeys.dns_street import DnsStreet
from tests.journeys.stage import Stage
from tests.servers.crooked import crooked
from tests.servers.knot import knot
from tests.servers.pebble import pebble

if TYPE_CHECKING:
    from pathlib import Path

NAMES = tuple(f"n{number}.one.test" for number in range(8))


class Hour(SteadyClock):
    """Its monotonic time is set."""

    passed = 0.0

    def monotonic(self) -> float:
        return self.passed


def test_who_is_silent_twice_is_left_alone_for_a_minute() -> None:
    clock, patience, asked = Hour(), Patience(), []

    def fails(failure: Failed) -> str:
        def work() -> None:
            asked.append(failure)
            raise failure

        with pytest.raises(type(failure)) as raised:
            patience.ask(clock, "whom", work)
        assert raised.value.reason == failure.reason
        return str(raised.value)

    for _ in range(3):
        assert fails(Failed("ProviderFailed", "no such zone")) == "no such zone"
    silence = Silent("ProviderFailed", "nothing came")
    assert [fails(silence) for _ in range(2)] == ["nothing came"] * 2
    count = len(asked)
    assert fails(silence) == "not asked again yet, since it let us wait in vain 2 times: nothing came"
    assert len(asked) == count
    assert patience.ask(clock, "another", lambda: "here") == "here"
    clock.passed = 61.0
    assert patience.ask(clock, "whom", lambda: "back") == "back"
    assert fails(DnsFailed("DnsTimeout", "late")) == "late", "one that came back has both tries again"
    assert fails(DnsFailed("DnsTimeout", "late")) == "late"


def test_a_command_that_hangs_is_started_twice(tmp_path: Path) -> None:
    stage, started = Stage(tmp_path), tmp_path / "started"
    program = tmp_path / "hook"
    program.write_text(f"#!/bin/sh\necho started >> {started}\nexec sleep 60\n")
    program.chmod(stat.S_IRWXU)
    with knot(tmp_path / "ns", {"one.test": ()}) as server, pebble(tmp_path, server.endpoint) as ca:
        street = DnsStreet(stage, server, ca)
        provider = {"type": "exec", "command": [str(program)], "timeout": "1s"}
        look = {"nameservers": [server.endpoint], "timeout": "1s"}
        street.write(street.site("one", *NAMES), provider=provider, resolvers=[server.endpoint], propagation=look)
        stage.apply()
        assert started.read_text() == "started\n" * 2
        words = street.failure("one")
        assert "did not end within 1 s and was killed; likewise" in words
        assert len(street.left()) == len(NAMES), "what is not known to be gone is still to be taken away"
        program.write_text("#!/bin/sh\nexit 0\n")
        street.later()
        stage.apply()
        assert street.failure("one").startswith("NotPropagated: ")
        assert street.left() == []


def test_a_primary_that_says_nothing_is_waited_for_twice(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    with (
        knot(tmp_path / "ns", {"one.test": ()}) as server,
        pebble(tmp_path, server.endpoint) as ca,
        crooked(lambda _query, _how: None) as silent,
    ):
        street = DnsStreet(stage, server, ca)
        street.write(street.site("one", *NAMES), provider=street.rfc2136(server=silent.endpoint))
        begun = time.monotonic()
        stage.apply()
        assert time.monotonic() - begun < 5 * len(NAMES) / 2
        assert street.failure("one").startswith("DnsTimeout: ")
        assert len({one.split()[1] for one in silent.asked}) == 2
