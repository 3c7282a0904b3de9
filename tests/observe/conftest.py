from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.observe.ground import Ground

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(name="ground")
def _ground(tmp_path: Path) -> Iterator[Ground]:
    ground = Ground(tmp_path)
    yield ground
    ground.store.close()
