"""A record is taken away although its method no longer says what it said when the record was written."""

from __future__ import annotations

import json
import stat
import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.model.observed import Undo
from tests.builders import Crash
from tests.journeys.dns_street import DnsStreet
from tests.journeys.stage import site
from tests.program import Program
from tests.servers.knot import knot
from tests.servers.pebble import pebble
from tests.servers.processes import program, until
from tests.servers.zones import ALGORITHM, KEY_NAME, SECRET, NameServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.journeys.stage import Stage

NAME = "_acme-challenge.one.test"
HOOK = """\
#!/usr/bin/python3
import json, subprocess, sys
task = json.load(sys.stdin)
if task["action"] in {fails!r}:
    sys.exit("not today")
record = "%s. %s TXT %s" % (task["name"], task["ttl"] or "", task["value"])
words = "update %s %s" % ("add" if task["action"] == "add" else "delete", record)
lines = ["server 127.0.0.1 {port}", "zone one.test", "key {key}", words, "send", ""]
subprocess.run(["{nsupdate}"], input="\\n".join(lines).encode(), check=True)
"""


@pytest.fixture(name="street")
def _street(stage: Stage) -> Iterator[DnsStreet]:
    with knot(stage.root / "ns", {"one.test": ()}) as server, pebble(stage.root, server.endpoint) as ca:
        yield DnsStreet(stage, server, ca)


def hook(root: Path, server: NameServer, name: str, *fails: str) -> dict[str, Any]:
    """Write a command that updates the server's zone; give its provider."""
    path, key = root / name, f"{ALGORITHM}:{KEY_NAME} {SECRET}"
    path.write_text(HOOK.format(fails=fails, port=server.port, key=key, nsupdate=program("nsupdate")))
    path.chmod(stat.S_IRWXU)
    return {"type": "exec", "command": [str(path)]}


def write(street: DnsStreet, provider: dict[str, Any]) -> None:
    street.write(
        street.site("one", "one.test", "*.one.test"),
        provider=provider,
        resolvers=[street.server.endpoint],
        propagation={"nameservers": [street.server.endpoint]},
    )


def test_by_the_command_that_took_the_place_of_a_broken_one(street: DnsStreet) -> None:
    root, server = street.stage.root, street.server
    assert server.update("one.test", "add", NAME, "stale") == "NOERROR"
    write(street, hook(root, server, "first", "remove"))
    street.stage.apply()
    assert len(server.query(NAME)) == len(street.left()) + 1 == 3, "it was issued, and nothing taken away"
    write(street, hook(root, server, "second"))
    street.stage.settle()
    assert (server.query(NAME), street.left()) == (["stale"], [])


def test_with_the_key_that_the_server_has_now(street: DnsStreet) -> None:
    """Killed, and the key has another name from then on."""
    root, server = street.stage.root, street.server
    street.write(street.site("one", "one.test", "*.one.test"))
    with pytest.raises(Crash):
        street.apply_until_settled()
    config = server.directory / "knot.conf"
    config.write_text(
        config.read_text().replace(f"id: {KEY_NAME}", "id: newer").replace(f"key: {KEY_NAME}", "key: newer")
    )
    argv = [program("knotc"), "-s", str(server.directory / "knot.sock"), "-b", "reload"]
    subprocess.run(argv, check=True, capture_output=True)
    secret = root / "newer.key"
    secret.write_text(SECRET)
    tsig = {"name": "newer", "algorithm": ALGORITHM, "secret": {"file": str(secret)}}
    assert len(server.query(NAME)) == 2
    street.write(street.site("one", "two.one.test"), provider=street.rfc2136(tsig=tsig))
    street.stage.settle()
    assert (server.query(NAME), street.left()) == ([], [])


@pytest.mark.parametrize("stands", [True, False])
def test_a_value_is_given_up_only_where_every_server_says_that_it_is_not_there(
    street: DnsStreet, *, stands: bool
) -> None:
    root, server, stage = street.stage.root, street.server, street.stage
    write(street, hook(root, server, "hook", "remove"))
    stage.apply()
    left, written = street.left(), server.query(NAME)
    assert len(left) == len(written) == 2, "it was issued"
    if not stands:
        for value in written:
            server.update("one.test", "delete", NAME, value)
    street.write(street.site("one", "one.test", "*.one.test"))
    for minutes in (30, 59):
        stage.shift = timedelta(minutes=minutes)
        stage.apply()
        assert street.left() == left, "it may come late"
    stage.shift = timedelta(minutes=62)
    stage.apply()
    assert street.left() == (left if stands else [])


def test_of_a_site_that_needs_no_look(stage: Stage) -> None:
    """A preflight that was killed changes nothing else of it."""
    stage.write("sites.yaml", site("one", issuers=["ca"]), site("two", issuers=["ca"]))
    stage.settle()

    def is_quiet() -> bool:
        stage.apply()
        return stage.diff().quiet == 2

    until(is_quiet, "both are quiet")
    with stage.app() as app:
        app.store.put_undo(Undo("a1", "one", "token", "", "tok_1"))
        app.store.put_token("tok_1", "tok_1.x")
    stage.settle()
    with stage.app(read_only=True) as app:
        assert (app.store.undo(), app.store.tokens()) == ((), frozenset())


def test_a_person_can_end_what_no_command_takes_away(street: DnsStreet) -> None:
    """Also of a site that is declared no more: by hand, as the message says, which names all that it takes."""
    root, server, stage = street.stage.root, street.server, street.stage
    provider, run = hook(root, server, "hook", "remove"), Program(root)
    base = {"resolvers": [server.endpoint], "propagation": {"nameservers": [server.endpoint]}}
    others = [site(name, issuers=["ca"]) for name in ("two", "three", "four")]
    street.write(street.site("one", "one.test"), *others, provider=provider, **base)
    stage.apply()
    street.write(*others, provider=provider, **base)
    told = run("apply")
    [value], [record] = server.query(NAME), (stage.state / "undo").iterdir()
    assert told.returncode == 1
    assert f'LeftBehind: {NAME}. IN TXT "{value}" of site one is not taken away: {root}/hook (remove ' in told.stdout
    assert f"; or take the answer away by hand and forget it, by deleting {record}\n" in told.stdout
    seen = run("status")
    assert seen.returncode == 1, "all sites are Ready, and yet"
    assert f'held: LeftBehind: {NAME}. IN TXT "{value}" of site one is not taken away: {root}/hook' in seen.stdout
    assert f"(its record is undo/{record.name})" in seen.stdout
    server.update("one.test", "delete", NAME, value)
    record.unlink()
    assert run("apply").returncode == 0
    assert "LeftBehind" not in (seen := run("status")).stdout
    assert seen.returncode == 0
    stage.assert_calm()


def test_what_preflight_tries_is_left_to_it(street: DnsStreet) -> None:
    """By a pass and by an order that come in between, while it waits for a server that does not show the value."""
    root, server, stage = street.stage.root, street.server, street.stage
    with knot(root / "late", {"one.test": ()}) as late:
        both = {"nameservers": [server.endpoint, late.endpoint], "timeout": "8s"}
        ways = {"provider": hook(root, server, "hook"), "resolvers": [server.endpoint]}
        street.write(street.site("one", "one.test", issuers=["ca", "pebble"]), propagation=both, **ways)
        tried = subprocess.Popen(Program(root).argv("preflight", "-o", "json"), stdout=subprocess.PIPE, text=True)
        until(lambda: server.query(NAME) != [], "the value is there")
        stage.apply()
        [value] = server.query(NAME)
        alone = {"nameservers": [server.endpoint]}
        allowed = {"certwright/allow-trust-loss": "true"}
        street.write(street.site("one", "one.test", annotations=allowed), propagation=alone, **ways)
        stage.apply()
        assert stage.live("one").meta.issuer == "pebble"
        assert server.query(NAME) == [value], "the order took its own away alone"
        told, _ = tried.communicate(timeout=60)
    assert "challenge" in {one["check"] for one in json.loads(told)["items"]}
    assert (server.query(NAME), street.left()) == ([], [])
    stage.assert_calm()


def test_a_command_that_is_not_there_has_left_nothing(street: DnsStreet) -> None:
    """Not when it was to be tried, nor when it was to write: there is nothing to be taken away, ever."""
    root, server = street.stage.root, street.server
    right = hook(root, server, "hook")
    write(street, {**right, "command": [f"{root}/hok"]})
    run = Program(root)
    done = run("preflight")
    assert done.returncode == 1
    assert done.stdout.count(f"{root}/hok does not exist") == 1, done.stdout
    assert street.left() == []
    street.stage.apply()
    assert street.failure("one").startswith("CommandMissing: ")
    assert street.left() == []
    write(street, right)
    street.later()
    street.stage.settle()
    assert json.loads(run("diff", "-o", "json").stdout)["changes"] == []
