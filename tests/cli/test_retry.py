"""`retry` beside another process that works on the same site or target."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.verbs.renew import forget_failures
from reconciler.model.observed import Failures, LastFailure
from reconciler.model.orders import OrderRecord
from reconciler.model.ports import Scope
from reconciler.wiring import App, Options, build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from reconciler.model.ports import Lease
    from tests.program import Program

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORDER = OrderRecord("le", "https://ca.test", "default", ("example.test",), "Missing", "", NOW, stage="byHand")


@pytest.fixture(name="apps")
def _apps(applied: Program) -> Iterator[tuple[App, App]]:
    """Two processes' views of one store: one that works, one that retries."""
    options = Options(manifests=(str(applied.manifests),), state=str(applied.state), lock_timeout=30.0)
    one, other = build(options), build(options)
    yield one, other
    one.close()
    other.close()


def retrying(app: App) -> tuple[threading.Thread, list[BaseException]]:
    """Retry beside the test, until it waits for a lock."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            app.tree.glance()
            forget_failures(app, Scope(frozenset({"example"})))
        except BaseException as error:  # noqa: BLE001  the thread's end is what the test looks at
            failed.append(error)

    waits, claim = threading.Event(), app.store.claim

    def claimed(scope: str, verb: str, wait: float) -> AbstractContextManager[Lease]:
        waits.set()
        return claim(scope, verb, wait)

    app.store.claim = claimed  # type: ignore[method-assign]
    thread = threading.Thread(target=work)
    thread.start()
    assert waits.wait(30), "it comes to the lock"
    return thread, failed


def test_an_order_that_ended_meanwhile_is_not_put_back(apps: tuple[App, App]) -> None:
    one, other = apps
    with one.store.claim("site/example", "request", 1.0) as lease:
        one.store.put_order(lease, "example", ORDER)
        thread, failed = retrying(other)
        one.store.drop_order(lease, "example", keep_key=False)
    thread.join()
    assert failed == []
    assert dict(one.store.orders(["example"])) == {}


def test_an_order_in_hand_goes_on_as_it_stands_now(apps: tuple[App, App]) -> None:
    one, other = apps
    with one.store.claim("site/example", "solve", 1.0) as lease:
        one.store.put_order(lease, "example", ORDER)
        thread, failed = retrying(other)
        one.store.put_order(lease, "example", replace(ORDER, proven=("example.test",)))
    thread.join()
    assert failed == []
    order = one.store.orders(["example"])["example"]
    assert (order.stage, order.proven) == ("auto", ("example.test",))


def test_a_target_that_is_gone_meanwhile_stays_away(applied: Program, apps: tuple[App, App]) -> None:
    one, other = apps
    with one.store.claim("target/disk", "apply", 1.0) as lease:
        one.store.put_target(lease, replace(one.store.targets()["disk"], failures=Failures(local=1)))
        thread, failed = retrying(other)
        [record] = applied.state.rglob("target.json")
        record.unlink()
    thread.join()
    assert failed == []
    assert "disk" not in one.store.targets()


@pytest.mark.parametrize("days", [1, 8])
def test_what_a_ca_limits_never_waits_longer_by_it(apps: tuple[App, App], days: int) -> None:
    """We come back after a week, whatever it said."""
    one, other = apps
    said, ours = NOW + timedelta(days=days), NOW + timedelta(days=7)
    limited = Failures(next_attempt=ours, last=LastFailure(NOW, "RateLimited", ""), limit=said)
    one.store.remember("example", lambda memory: replace(memory, failures={"issue": limited}))
    other.tree.glance()
    forget_failures(other, Scope(frozenset({"example"})))
    left = one.store.memory(["example"])["example"].failures
    assert left == {"issue": replace(limited, next_attempt=min(said, ours))}
