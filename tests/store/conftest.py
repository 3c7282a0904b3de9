from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.store.files import FileStore, open_store
from tests.builders import SteadyClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    """Where the store of a test is."""
    return tmp_path / "state"


@pytest.fixture(name="store")
def _store(root: Path) -> Iterator[FileStore]:
    with open_store(str(root), SteadyClock(), "0.1.0", write=True) as store:
        yield store
