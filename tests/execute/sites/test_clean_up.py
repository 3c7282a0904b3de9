"""What an earlier order left is taken away under its site's lease, unless an order needs it now."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest

from reconciler.challenges.dns.means import Means
from reconciler.challenges.identity import undo_for
from reconciler.challenges.ports import Ports
from reconciler.challenges.solvers import Solvers
from reconciler.errors import HeldBy
from reconciler.execute.sites.issue import SiteSteps
from reconciler.model.changes import Change, Reason, Verb
from reconciler.model.observed import OrderRecord
from reconciler.model.outcomes import Status
from reconciler.model.ports import Declared
from reconciler.model.text import Secret
from reconciler.store.files import FileStore, open_store
from tests.builders import SteadyClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.execute.rules import Makers, Rules
    from reconciler.model.desired import IssuerSpec
    from reconciler.model.ports import Issuer

CLOCK = SteadyClock()
TOKEN = "tokentokentokentokentoken"
LEFT = undo_for("token", "shop", "", TOKEN)
ORDER = OrderRecord("le", "https://ca", "default", ("a.test",), "Missing", "digest", CLOCK.now(), url="https://ca/o/1")
CHANGE = Change(Verb.CLEAN_UP, f"undo/{LEFT.id}", Reason.LEFT_BEHIND, "", site="shop")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FileStore]:
    with open_store(str(tmp_path / "state"), CLOCK, "1", write=True) as opened:
        opened.put_undo(LEFT)
        opened.put_token(TOKEN, f"{TOKEN}.thumb")
        yield opened


def _steps(store: FileStore, wait: float = 5) -> SiteSteps:
    nobody = cast("Callable[[IssuerSpec], Issuer]", None)
    means = Means(CLOCK, lambda _ref, _field: Secret(b""))
    solvers = Solvers(store, Ports(store, store.listener_directory, CLOCK), means)
    nothing = cast("Rules", None), cast("Makers", None)
    return SiteSteps(store, nobody, solvers, CLOCK, *nothing, lambda _site, _text: None, wait=wait)


def _declared(*names: str) -> Declared:
    return Declared(frozenset(names), {})


def _order(store: FileStore, order: OrderRecord) -> None:
    with store.claim("site/shop", "test", 5) as lease:
        store.put_order(lease, "shop", order)


def test_what_an_order_needs_that_came_after_the_look_stays(store: FileStore) -> None:
    _order(store, ORDER)
    outcome = _steps(store)(CHANGE, _declared("shop"))
    assert (outcome.status, outcome.reason) == (Status.SKIPPED, Reason.NO_LONGER_PLANNED)
    assert store.token(TOKEN) is not None
    assert store.undo() == (LEFT,)


@pytest.mark.parametrize(
    "order", [None, replace(ORDER, url=None), replace(ORDER, expires=CLOCK.now() - timedelta(hours=1))]
)
def test_what_no_order_needs_goes(store: FileStore, order: OrderRecord | None) -> None:
    if order is not None:
        _order(store, order)
    assert _steps(store)(CHANGE, _declared("shop")).status is Status.DONE
    assert store.token(TOKEN) is None
    assert store.undo() == ()


def test_a_site_that_is_not_declared_has_no_order_that_goes_on(store: FileStore) -> None:
    _order(store, ORDER)
    assert _steps(store)(CHANGE, _declared("other")).status is Status.DONE
    assert store.undo() == ()


def test_a_step_of_the_site_that_is_under_way_is_waited_for(store: FileStore) -> None:
    with store.claim("site/shop", "run", 5), pytest.raises(HeldBy):
        _steps(store, wait=0.1)(CHANGE, _declared("shop"))
    assert store.token(TOKEN) is not None


def test_what_its_order_took_away_itself_is_done(store: FileStore) -> None:
    store.undone(LEFT)
    assert _steps(store)(CHANGE, _declared("shop")).status is Status.DONE
