"""R31: URLs of a CA, redirects, names that lead inside: only the directory's origin is asked, at a checked address."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import CertwrightError, Failed, Stalled, Transient
from reconciler.issuers.acme.origin import Origin, origin_of
from reconciler.issuers.acme.transport import Transport
from tests.builders import SteadyClock
from tests.rig import rig
from tests.servers import faults

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.front import Front
    from tests.servers.pebble import Pebble

CA = Origin("https", "ca.test", 443)
FOREIGN = [
    "https://other.test/order",
    "https://ca.test:8443/order",
    "http://ca.test/order",
    "https://user@ca.test/order",
    "https://ca.test@other.test/order",
    "https://ca.test.other.test/",
    "https://ca.test\\@other.test/",
    "https://ca.test/a b",
    "https://ca.test/a\r\nHost: x",
    "https://ca.test/#fragment",
    "file:///etc/passwd",
    "//ca.test/order",
    "/order",
    "https://[::1/",
    "https://ca.test:99999/",
    "",
]


@pytest.mark.parametrize("url", FOREIGN)
def test_a_foreign_or_odd_url_is_refused(url: str) -> None:
    with pytest.raises(Failed) as caught:
        CA.target(url)

    assert caught.value.reason == "CaMisbehaves"


@given(st.text(max_size=60))
def test_no_text_leads_elsewhere(text: str) -> None:
    try:
        target = CA.target(f"https://ca.test{text}")
    except Failed:
        return
    assert target.startswith(("/", "?")) or target == "/"
    assert all("\x20" < char < "\x7f" for char in target)


@pytest.mark.parametrize(
    ("field", "path"), [("finalize", "/order-plz"), ("authorizations", "/order-plz"), ("newOrder", "/dir")]
)
def test_a_ca_cannot_send_us_elsewhere(tmp_path: Path, front: Front, field: str, path: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap, rig(tmp_path, front.directory, front.bundle, 1) as machine:
        elsewhere: Any = f"https://127.0.0.1:{trap.getsockname()[1]}/x"
        value = [elsewhere] if field == "authorizations" else elsewhere
        machine.registered()
        machine.restart()
        front.inject(faults.set_fields(**{field: value}), path, times=None)
        with pytest.raises(Failed) as caught:
            machine.issuer().obtain(machine.request("elsewhere.test"), machine.desk())
        trap.settimeout(0.2)
        with pytest.raises(TimeoutError):
            trap.accept()

    assert caught.value.reason == "CaMisbehaves"


def test_a_location_elsewhere_is_refused(tmp_path: Path, front: Front) -> None:
    with rig(tmp_path, front.directory, front.bundle, 1) as machine:
        issuer = machine.registered()
        front.inject(faults.set_header("Location", "https://other.test/order/1"), "/order-plz", times=None)
        with pytest.raises(Failed, match="another origin"):
            issuer.obtain(machine.request("location.test"), machine.desk())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_never_followed(tmp_path: Path, front: Front, status: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap, rig(tmp_path, front.directory, front.bundle, 1) as machine:
        front.inject(faults.redirect(f"https://127.0.0.1:{trap.getsockname()[1]}/", status), times=None)
        with pytest.raises(Failed, match="redirect"):
            machine.issuer().register()
        trap.settimeout(0.2)
        with pytest.raises(TimeoutError):
            trap.accept()


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),  # noqa: S104
        *("::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1"),
    ],
)
def test_a_public_ca_cannot_lead_inside(address: str) -> None:
    with pytest.raises(Failed) as caught:
        Origin("https", address, 443).addresses()

    assert caught.value.reason == "AddressNotAllowed"


def test_a_name_that_leads_inside_and_outside_is_reached_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    def answers(*_args: object, **_kwargs: object) -> list[tuple[Any, ...]]:
        return [(2, 1, 6, "", (text, 443)) for text in ("10.0.0.1", "93.184.216.34", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", answers)

    assert CA.addresses() == ("93.184.216.34",)


def test_a_resolver_that_never_answers_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lookup is under the request's deadline; however often it is asked, one question at a time is out."""
    released, asked = threading.Event(), []

    def silent(*args: object, **_kwargs: object) -> list[tuple[Any, ...]]:
        asked.append(args)
        released.wait(30)
        return [(2, 1, 6, "", ("93.184.216.34", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    origin = Origin("https", "silent.test", 443)
    transport = Transport(
        origin, ssl.create_default_context, SteadyClock(), connections=1, user_agent="test", seconds=0.2
    )
    try:
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(Transient, match=r"cannot look up silent\.test: no resolver answered"):
                transport.send("GET", "https://silent.test/dir", None, "json")
            assert time.monotonic() - began < 5
        assert len(asked) == 1
    finally:
        released.set()
    assert origin.addresses() == ("93.184.216.34",), "what comes late is still an answer"


def test_a_rebinding_resolver_gains_nothing(tmp_path: Path, front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is looked up once a connection, and the socket is opened to the address that was checked."""
    port = int(front.url.rpartition(":")[2])
    connected: list[object] = []
    real = socket.create_connection

    def seen(address: Any, *args: Any, **kwargs: Any) -> socket.socket:  # noqa: ANN401
        connected.append(address[0])
        return real(address, *args, **kwargs)

    monkeypatch.setattr(socket, "create_connection", seen)
    with rig(tmp_path, f"https://localhost:{port}/dir", front.bundle, 1) as machine:
        machine.issuer().register()

    assert connected
    assert set(connected) <= {"127.0.0.1", "::1"}


def test_a_private_ca_is_reached_where_its_bundle_is_declared(tmp_path: Path, pebble: Pebble) -> None:
    with rig(tmp_path, pebble.directory, pebble.bundle, 1) as machine:
        with pytest.raises(Failed) as caught:
            machine.issuer(bundle=None).register()
        assert machine.issuer().register().url is not None

    assert caught.value.reason == "AddressNotAllowed"


def test_a_server_with_another_identity_is_not_trusted(tmp_path: Path, pebble: Pebble, front: Front) -> None:
    with rig(tmp_path, pebble.directory, front.bundle, 1) as machine, pytest.raises(CertwrightError) as caught:
        machine.issuer().register()

    assert isinstance(caught.value, Failed)
    assert caught.value.reason == "CaUntrusted"
    assert "caBundle" in str(caught.value)


@pytest.mark.parametrize(
    ("directory", "allowed", "good"),
    [
        ("http://127.0.0.1:14000/dir", True, True),
        ("http://localhost:14000/dir", True, True),
        ("http://[::1]:14000/dir", True, True),
        ("http://127.0.0.1:14000/dir", False, False),
        ("http://ca.test/dir", True, False),
        ("http://10.0.0.1/dir", True, False),
        ("http://localhost.evil.test/dir", True, False),
    ],
)
def test_http_only_to_this_machine_and_only_where_allowed(directory: str, allowed: bool, good: bool) -> None:  # noqa: FBT001
    if good:
        assert origin_of(directory, private=False, allow_insecure=allowed).scheme == "http"
        return
    with pytest.raises(Stalled) as caught:
        origin_of(directory, private=False, allow_insecure=allowed)
    assert caught.value.reason == "InsecureDirectory"
