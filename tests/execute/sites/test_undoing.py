"""Who is asked to take a record away, where who wrote it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reconciler.challenges.dns.means import Means
from reconciler.challenges.ports import Ports
from reconciler.challenges.solvers import Solvers
from reconciler.execute.sites.undoing import undo
from reconciler.model.desired import Dns01, ExecProvider
from reconciler.model.observed import Undo
from reconciler.model.text import Secret
from reconciler.store.files import open_store
from tests.builders import SteadyClock

if TYPE_CHECKING:
    from pathlib import Path

FAILS, BEARS_ALL = ExecProvider(("/bin/false",)), ExecProvider(("/bin/true",))
LEFT = Undo("1" * 32, "a", "txt", "one.test", "n.one.test", value="v", provider=FAILS)


@pytest.mark.parametrize("declared", [True, False])
def test_another_command_is_asked_only_where_the_writer_is_declared_no_more(tmp_path: Path, *, declared: bool) -> None:
    """A hook of another zone finds nothing of ours to delete, and says that all is well."""
    clock = SteadyClock()
    other, own = Dns01(name="other", provider=BEARS_ALL), Dns01(name="own", provider=FAILS)
    with open_store(str(tmp_path / "state"), clock, "1", write=True) as store:
        store.put_undo(LEFT)
        means = Means(clock, lambda _ref, _field: Secret(b""))
        challenges = Solvers(store, Ports(store, str(tmp_path / "locks"), clock), means)
        problem = undo(store, challenges, LEFT, [other, own] if declared else [other])
        told = "/bin/false (remove n.one.test) ended with code 1"
        left = (replace(LEFT, problem=told),)
        assert (problem, store.undo()) == ((told, left) if declared else (None, ()))
