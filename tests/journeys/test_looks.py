"""A server that has loaded what is new, or will in a moment: it is looked at again, and not reloaded once more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.journeys.stage import held, told
from tests.journeys.test_repair import Home
from tests.loop.street import running
from tests.servers.identity import make_identity
from tests.servers.ports import free_port
from tests.servers.processes import until

if TYPE_CHECKING:
    from tests.journeys.street import Street

NAMES = ("one.example.com", "imap.example.com")
LATER = timedelta(minutes=2)


def foreign_block(street: Street, name: str) -> None:
    """Let a block of the user's answer for a name, as another server does for it elsewhere."""
    own = make_identity(street.stage.root / "stranger", name)
    street.http(
        f"server {{ listen {street.tls_port} ssl; server_name {name}; "
        f"ssl_certificate {own.certificate}; ssl_certificate_key {own.key}; }}"
    )


@pytest.mark.parametrize("layout", ["vhost", "snippet"])
def test_a_name_that_another_block_answers_for_costs_no_reloads(street: Street, layout: str) -> None:
    foreign_block(street, NAMES[1])
    if layout == "snippet":
        main = f"server {{ listen {street.tls_port} ssl; server_name {NAMES[0]}; "
        text = street.web.config.read_text().replace(f"include {street.web.include}/*.conf;", "")
        street.web.config.write_text(f"{text[:-2]}{main} include {street.web.include}/one.conf; }}\n}}\n")
    street.web.reload()
    street.write(street.quick("one", *NAMES), target={"layout": layout})
    street.stage.apply()
    reloads = street.web.reloads
    for _ in range(4):
        street.stage.shift += LATER
        diff = street.stage.diff()
        assert told(diff) == [("refresh", "site/one", "NotServed")]
        [row] = street.stage.outcomes(street.stage.apply())
        assert row[2] == "failed"
        assert "NameServedElsewhere" in row[3]
        assert told(street.stage.diff()) == [], "it has its time"
        street.stage.shift += timedelta(hours=1)
    assert street.web.reloads == reloads
    # the user mends and reloads his server: the next look sees it
    street.http(
        f"server {{ listen {street.tls_port} ssl; server_name {' '.join(NAMES)}; "
        f"include {street.web.include}/one.conf; }}"
        if layout == "snippet"
        else ""
    )
    if layout == "snippet":
        street.web.config.write_text(street.web.config.read_text().replace(f"include {street.web.include}/*.conf;", ""))
    street.web.reload()
    reloads = street.web.reloads
    live = street.stage.live("one").facts.fingerprint
    # several times: for a moment old workers answer beside the new ones
    until(lambda: all(street.served(NAMES[1]).fingerprint == live for _ in range(10)), "it is reloaded")
    street.stage.settle()
    assert street.web.reloads <= reloads + 1
    assert street.stage.memory("one").served["web"].ok


def test_a_person_who_says_retry_gets_a_reload(street: Street) -> None:
    foreign_block(street, NAMES[1])
    street.web.reload()
    street.write(street.quick("one", *NAMES))
    street.stage.apply()
    street.http()
    with street.stage.app() as app:
        app.store.remember("one", lambda memory: memory.__class__(served=memory.served, version=memory.version))
    assert ("reload", "target/web", "NotServed") in told(street.stage.diff())
    street.stage.settle()


def test_a_name_without_any_block_of_ours_is_still_reloaded_for(street: Street) -> None:
    """Nothing shows that the server has loaded our files: the include line may have come since."""
    text = street.web.config.read_text()
    foreign_block(street, NAMES[0])
    street.web.config.write_text(street.web.config.read_text().replace(f"include {street.web.include}/*.conf;", ""))
    street.web.reload()
    street.write(street.quick("one", NAMES[0]))
    street.stage.apply()
    street.web.config.write_text(text)
    street.stage.shift = LATER
    assert told(street.stage.diff()) == [("reload", "target/web", "NotServed")]
    street.stage.settle()


def test_another_port_to_look_at_is_looked_at(street: Street) -> None:
    """Nothing else of the target changes, so its server has loaded what it has to: no reload, and no trust either."""
    other, dead = free_port(), free_port()
    listens = {"values": {"listen": [f"127.0.0.1:{port}" for port in (street.tls_port, other)]}}

    def declare(*ports: int) -> None:
        street.write(street.quick("one"), target={**listens, "verify": {"ports": list(ports)}})

    declare(street.tls_port)
    street.stage.settle()
    reloads = street.web.reloads
    declare(street.tls_port, other)
    assert told(street.stage.diff()) == [("refresh", "site/one", "NotServed")]
    street.stage.settle()
    assert {port.port for port in street.stage.memory("one").served["web"].ports} == {street.tls_port, other}
    declare(street.tls_port, dead)
    [row] = street.stage.outcomes(street.stage.apply())
    assert (row[0], row[2]) == ("refresh", "failed")
    assert "NothingListens" in row[3]
    assert not street.stage.memory("one").served["web"].ok
    assert street.web.reloads == reloads
    # what is asked no more keeps nobody from being ready
    declare(street.tls_port)
    assert told(street.stage.diff()) == [("refresh", "site/one", "NotServed")]
    street.stage.settle()
    assert street.web.reloads == reloads
    assert street.stage.memory("one").served["web"].ok


def late_reload(street: Street, seconds: int) -> list[str]:
    """Give a reload command that returns at once and takes effect later."""
    script = street.stage.root / "late.sh"
    script.write_text(f"#!/bin/sh\n(sleep {seconds}; {' '.join(street.web.reload_argv)}) >/dev/null 2>&1 &\n")
    script.chmod(0o755)
    return [str(script)]


@pytest.mark.soak
def test_a_reload_that_takes_effect_after_twenty_seconds(street: Street) -> None:
    """Applied by hand: told as what it is, and seen by the next pass. No second order, no reload, nothing put back."""
    street.write(street.quick("one"))
    street.stage.settle()
    before = street.stage.live("one")
    street.write(street.quick("one", *NAMES), target={"reload": {"command": late_reload(street, 20)}})
    reloads, conf = street.web.reloads, (street.web.include / "one.conf").read_bytes()
    reports = street.stage.apply()
    [reload] = [one for one in reports[0].outcomes if one.change.verb == "reload"]
    assert (reload.status, reload.reason) == ("failed", "OldCertificateServed")
    assert "still serves an earlier certificate of this site" in reload.message
    assert "s after the reload" in reload.message
    assert reload.again is not None
    live = street.stage.live("one")
    assert live.id != before.id
    until(lambda: street.served(NAMES[0]).fingerprint == live.facts.fingerprint, "it takes effect", 30)
    street.stage.shift = timedelta(minutes=1)
    street.stage.settle()
    assert street.stage.live("one") == live
    assert street.web.reloads == reloads + 1
    assert (street.web.include / "one.conf").read_bytes() != conf, "the new name's block stays"


@pytest.mark.soak
def test_a_late_reload_under_run(street: Street) -> None:
    street.write(street.quick("one"))
    street.stage.settle()
    street.write(street.quick("one", *NAMES), target={"reload": {"command": late_reload(street, 20), "delay": "0s"}})
    reloads = street.web.reloads
    with running(Home(street.stage.root)) as process:
        until(lambda: process.says("s after the reload; again at"), "it is told as old", 30)
        until(lambda: street.stage.memory("one").served["web"].ok, "the next look sees it", 60)
        until(lambda: not held(street.stage.diff()), "nothing is held")
        assert process.stop() == 0
    assert process.log.count("done issue") == 1
    assert street.web.reloads == reloads + 1
    street.assert_served("one", *NAMES)
    street.stage.assert_calm()


@pytest.mark.soak
def test_a_reload_command_that_takes_twenty_seconds(street: Street) -> None:
    street.write(street.quick("one"))
    street.stage.settle()
    slow = ["/bin/sh", "-c", f"sleep 20; {' '.join(street.web.reload_argv)}"]
    street.write(street.quick("one", *NAMES), target={"reload": {"command": slow}})
    street.stage.settle()
    street.assert_served("one", *NAMES)
