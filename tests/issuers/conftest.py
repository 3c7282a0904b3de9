"""A quick Pebble (no pauses asked for, five nonces of a hundred refused) and everything an issuer needs beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rig import Rig, rig
from tests.servers.front import Front, front
from tests.servers.pebble import Options, Pebble, pebble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.challtestsrv import Challtestsrv


@pytest.fixture(scope="session", name="quick")
def _quick(tmp_path_factory: pytest.TempPathFactory, dns: Challtestsrv) -> Iterator[Pebble]:
    options = Options(nonce_reject=5, retry_after=(0, 0), alternate_roots=1)
    with pebble(tmp_path_factory.mktemp("quick"), dns.dns, options) as server:
        yield server


@pytest.fixture(name="rig")
def _rig(tmp_path: Path, quick: Pebble) -> Iterator[Rig]:
    """Everything beside Pebble itself."""
    with rig(tmp_path, quick.directory, quick.bundle, quick.http_port) as made:
        yield made


@pytest.fixture(name="fronted")
def _fronted(tmp_path: Path, quick: Pebble) -> Iterator[tuple[Rig, Front]]:
    """Everything beside a front with faults before Pebble."""
    with front(tmp_path, quick) as before, rig(tmp_path, before.directory, before.bundle, quick.http_port) as made:
        yield made, before
