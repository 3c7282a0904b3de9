"""What every test has: a clean environment, and the real servers as fixtures. See `tests/servers`."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import hypothesis
import pytest

from reconciler.doors.templates.api import Renderer
from tests.servers.apache import Apache, apache
from tests.servers.challtestsrv import Challtestsrv, challtestsrv
from tests.servers.front import Front, front
from tests.servers.haproxy import Haproxy, haproxy
from tests.servers.nginx import Nginx, nginx
from tests.servers.pebble import Pebble, pebble

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# No deadline: two cores are shared with the servers. No database: a failure prints what repeats it.
hypothesis.settings.register_profile("certwright", deadline=None, database=None, print_blob=True)
hypothesis.settings.load_profile("certwright")

# Whose certificates a client trusts, and whom it asks through, must come from the manifest alone.
_FOREIGN = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"),
    *("CERTWRIGHT_MANIFESTS", "CERTWRIGHT_STATE", "NO_COLOR", "FORCE_COLOR"),
)
for _name in _FOREIGN:
    os.environ.pop(_name, None)

# Who starts the tests in the background has SIGINT ignored, and every program that they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure() -> None:
    """Say at once what the tests need, where else a part of them would fail one by one."""
    if os.geteuid() != 0:
        message = "the tests mount file systems, change owners and use ports 80 and 443: run them as root"
        raise pytest.UsageError(message)


@pytest.fixture(autouse=True)
def _usual_umask() -> None:
    """A command that runs in this process tightens the umask for good: the next test starts with the usual one."""
    os.umask(0o022)


@pytest.fixture(scope="session", name="dns")
def _dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Challtestsrv]:
    """The DNS that Pebble asks: every name is 127.0.0.1, none has an AAAA. What a test sets there, it takes back."""
    with challtestsrv(tmp_path_factory.mktemp("challtestsrv")) as server:
        yield server


@pytest.fixture(scope="session", name="pebble")
def _pebble(tmp_path_factory: pytest.TempPathFactory, dns: Challtestsrv) -> Iterator[Pebble]:
    """One Pebble for all tests of a worker, well-behaved. A test that needs another runs one itself."""
    with pebble(tmp_path_factory.mktemp("pebble"), dns.dns) as server:
        yield server


@pytest.fixture(scope="module", name="renderer")
def _renderer() -> Iterator[Renderer]:
    """A child that renders, for all tests of a module."""
    made = Renderer()
    yield made
    made.close()


@pytest.fixture(name="front")
def _front(tmp_path: Path, pebble: Pebble) -> Iterator[Front]:
    """A front with faults to inject, before the session's Pebble."""
    with front(tmp_path, pebble) as server:
        yield server


@pytest.fixture(name="nginx")
def _nginx(tmp_path: Path) -> Iterator[Nginx]:
    """An nginx of its own for one test, made but not started: `nginx.configure(...)`, `nginx.start()`."""
    with nginx(tmp_path / "nginx", start=False) as server:
        yield server


@pytest.fixture(name="apache")
def _apache(tmp_path: Path) -> Iterator[Apache]:
    """An Apache of its own for one test, made but not started: `apache.configure(...)`, `apache.start()`."""
    with apache(tmp_path / "apache", start=False) as server:
        yield server


@pytest.fixture(name="haproxy")
def _haproxy(tmp_path: Path) -> Iterator[Haproxy]:
    """An HAProxy of its own for one test, made but not started."""
    with haproxy(tmp_path / "haproxy") as server:
        yield server


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a function by its name, so that every worker collects the same tests."""
    name = getattr(val, "__qualname__", None)
    return str(name).replace(".<locals>", "").replace("<lambda>", "lambda") if callable(val) and name else None
