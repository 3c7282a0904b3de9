"""`certwright run` beside a CA that takes its time: an order under way delays nobody, and a stop does not lose it."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.loop.street import Street, running, site
from tests.servers.faults import delay
from tests.servers.processes import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.front import Front
    from tests.servers.pebble import Pebble

_ISSUER = """apiVersion: certwright/v1
kind: Issuer
metadata: {{name: slow}}
spec: {{type: acme, email: me@example.com, agreeToTerms: true, directory: "{directory}", caBundle: "{bundle}"}}
---
apiVersion: certwright/v1
kind: ChallengeMethod
metadata: {{name: own}}
spec: {{type: http-01, listener: {{port: {port}}}, preflight: {{pointsHere: off}}}}
"""


@pytest.fixture(name="street")
def _street(tmp_path: Path, front: Front, pebble: Pebble) -> Street:
    street = Street(tmp_path)
    street.write("issuer", _ISSUER.format(directory=front.directory, bundle=front.bundle, port=pebble.http_port))
    street.write("slow", site("slow", issuer="slow", extra=", challenges: [{method: own}]"))
    return street


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("step", ["order-plz", "chalZ", "finalize"])
def test_a_stop_in_the_middle_of_an_order_is_quick_and_the_order_goes_on_later(
    street: Street, front: Front, step: str, number: int
) -> None:
    fault = front.inject(delay(25.0), step, method="POST")
    with running(street) as process:
        until(lambda: fault.met == 1, f"{step} is under way", 20)
        began = time.monotonic()
        assert process.stop(number) == 0
        assert time.monotonic() - began < 5
        assert "Traceback" not in process.log
    orders = front.count("order-plz")
    front.heal()
    with running(street) as process:
        until(lambda: process.says("done issue site/slow"), "the order ends", 30)
        until(street.installed("slow").exists, "its certificate is installed")
        assert process.stop() == 0
    assert front.count("order-plz") - orders <= (1 if step == "order-plz" else 0)


def test_an_order_under_way_delays_nobody(street: Street, front: Front) -> None:
    fault = front.inject(delay(25.0), "finalize", method="POST")
    with running(street) as process:
        until(lambda: fault.met == 1, "the slow order is under way", 20)
        for name in ("one", "two"):
            street.write(name, site(name))
            until(street.installed(name).exists, "another site is installed", 10)
        assert not process.says("done issue site/slow")
        until(lambda: process.says("done issue site/slow"), "the slow one follows", 40)
        assert process.stop() == 0
