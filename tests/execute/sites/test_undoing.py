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
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.store.files import FileStore

FAILS, BEARS_ALL = ExecProvider(("/bin/false",)), ExecProvider(("/bin/true",))
LEFT = Undo("1" * 32, "a", "txt", "one.test", "n.one.test", value="v", provider=FAILS)


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[FileStore]:
    with open_store(str(tmp_path / "state"), SteadyClock(), "1", write=True) as store:
        yield store


def solvers(store: FileStore, tmp_path: Path) -> Solvers:
    clock = SteadyClock()
    return Solvers(store, Ports(store, str(tmp_path / "locks"), clock), Means(clock, lambda _ref, _field: Secret(b"")))


@pytest.mark.parametrize("declared", [True, False])
def test_another_command_is_asked_only_where_the_writer_is_declared_no_more(
    store: FileStore, tmp_path: Path, *, declared: bool
) -> None:
    """A hook of another zone finds nothing of ours to delete, and says that all is well."""
    other, own = Dns01(name="other", provider=BEARS_ALL), Dns01(name="own", provider=FAILS)
    store.put_undo(LEFT)
    problem = undo(store, solvers(store, tmp_path), LEFT, [other, own] if declared else [other])
    told = "/bin/false (remove n.one.test) ended with code 1"
    left = (replace(LEFT, problem=told),)
    assert (problem, store.undo()) == ((told, left) if declared else (None, ()))


def test_what_a_person_forgets_while_a_command_still_tries_is_not_written_down_anew(
    store: FileStore, tmp_path: Path
) -> None:
    """`next:` tells to delete the record; a command that hangs gives a minute to do so."""
    record = tmp_path / "state" / "undo" / f"{LEFT.id}.json"
    thing = replace(LEFT, provider=ExecProvider(("/bin/sh", "-c", f"rm {record}; exit 1")))
    store.put_undo(thing)
    assert undo(store, solvers(store, tmp_path), thing) is not None
    assert store.undo() == ()
