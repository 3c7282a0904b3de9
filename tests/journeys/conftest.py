from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.journeys.stage import Stage
from tests.journeys.street import Street

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.front import Front
    from tests.servers.nginx import Nginx
    from tests.servers.pebble import Pebble


@pytest.fixture(name="stage")
def _stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture(name="street")
def _street(stage: Stage, pebble: Pebble, nginx: Nginx) -> Street:
    """The session's Pebble, an nginx of one's own; nginx is configured and runs."""
    made = Street(stage, nginx, pebble.directory, pebble.bundle, pebble.http_port)
    made.http()
    nginx.start()
    return made


@pytest.fixture(name="fronted")
def _fronted(street: Street, front: Front) -> Street:
    """The same street, whose CA is behind a front with faults."""
    street.directory, street.bundle = front.directory, front.bundle
    return street
