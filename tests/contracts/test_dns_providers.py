"""What every provider of TXT records keeps to (`model.ports.DnsProvider`), each against a real name server."""

from __future__ import annotations

import errno
import json
import select
import socket
import stat
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from reconciler.challenges.dns._lexicon_child import no_login
from reconciler.challenges.dns.making import address_writer, provider_of
from reconciler.challenges.dns.means import Means
from reconciler.errors import Failed, Waiting
from reconciler.model.desired import AcmeDns, ExecProvider, Lexicon, LexiconOption, ManualDns, Rfc2136, SecretRef, Tsig
from reconciler.model.text import Secret
from tests.builders import SteadyClock
from tests.servers.bind import bind, key_block
from tests.servers.knot import knot
from tests.servers.pdns import API_KEY, Pdns, pdns
from tests.servers.zones import ALGORITHM, KEY_NAME, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.model.desired import DnsProviderSpec
    from reconciler.model.ports import DnsProvider
    from tests.servers.zones import NameServer

NAME = "_acme-challenge.host.one.test"
SECRETS = {
    "wrong": "c29tZXRoaW5nIGVsc2UgdGhhbiB0aGF0IHNlY3JldA==",
    "tsig": SECRET,
    "block": key_block(),
    "api": API_KEY,
    "odd": "a secret/+ of CANARY é",
}
SERVERS = {"knot": knot, "bind": bind, "pdns": pdns}
HOOK = """#!{python} -I
import json, subprocess, sys
task = json.load(sys.stdin)
assert task["zone"] == "one.test"
verb = "update add" if task["action"] == "add" else "update delete"
ttl = f"{{task['ttl']}} " if task["action"] == "add" else ""
change = f"{{verb}} {{task['name']}}. {{ttl}}{{task['type']}} {{task['value']}}"
lines = ["server {address} {port}", "zone one.test", change, "send", ""]
subprocess.run(["nsupdate", "-v", "-k", "{key}"], input="\\n".join(lines), text=True, check=True)
"""


DELEGATED = "_acme-challenge.gone.one.test"


@pytest.fixture(name="servers", scope="module")
def _servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, NameServer]]:
    root = tmp_path_factory.mktemp("servers")
    with (
        knot(root / "knot", {"one.test": (f"{DELEGATED}. NS ns.two.test.",)}, updates="TXT, A, AAAA") as first,
        bind(root / "bind", {"one.test": (f"{DELEGATED}. NS ns.two.test.",)}) as second,
        pdns(root / "pdns", {"one.test": ("_acme-challenge.gone NS ns.two.test",)}) as third,
    ):
        yield {"knot": first, "bind": second, "pdns": third}


def means() -> Means:
    return Means(SteadyClock(), lambda ref, _field: Secret(SECRETS[ref.file or ""].encode()))


def made(spec: DnsProviderSpec) -> DnsProvider:
    return provider_of(spec, means())


def hook(directory: Path, server: NameServer) -> ExecProvider:
    key, program = directory / "key", directory / "hook"
    key.write_text(key_block())
    program.write_text(HOOK.format(python=sys.executable, address=server.address, port=server.port, key=key))
    program.chmod(stat.S_IRWXU)
    return ExecProvider((str(program),))


def lexicon(server: NameServer) -> Lexicon:
    assert isinstance(server, Pdns)
    options = (
        LexiconOption("auth_token", secret=SecretRef(file="api")),
        LexiconOption("pdns_server", text=server.api),
        LexiconOption("pdns_server_id", text="localhost"),
    )
    return Lexicon("powerdns", options)


def spec_for(name: str, directory: Path, servers: dict[str, NameServer]) -> tuple[DnsProviderSpec, NameServer]:
    kind, _, where = name.partition(" ")
    server = servers[where]
    if kind == "rfc2136":
        return Rfc2136(server.endpoint, Tsig(KEY_NAME, ALGORITHM, SecretRef(file="tsig"))), server
    return (hook(directory, server) if kind == "exec" else lexicon(server)), server


@pytest.mark.parametrize("name", ["rfc2136 knot", "rfc2136 bind", "rfc2136 pdns", "exec bind", "lexicon pdns"])
def test_values_come_and_go_one_by_one(name: str, servers: dict[str, NameServer], tmp_path: Path) -> None:
    spec, server = spec_for(name, tmp_path, servers)
    provider = made(spec)
    owner = f"_acme-challenge.{name.replace(' ', '-')}.one.test"
    provider.add("one.test", owner, "of-somebody-else", 30)
    provider.add("one.test", owner, "first", 30)
    provider.add("one.test", owner, "second", 30)
    provider.add("one.test", owner, "second", 30)
    assert server.query(owner) == ["first", "of-somebody-else", "second"]
    provider.remove("one.test", owner, "first")
    assert server.query(owner) == ["of-somebody-else", "second"]
    provider.remove("one.test", owner, "never-there")
    provider.remove("one.test", owner, "first")
    assert server.query(owner) == ["of-somebody-else", "second"]
    provider.remove("one.test", owner, "second")
    assert server.query(owner) == ["of-somebody-else"]


@pytest.mark.parametrize("name", SERVERS)
def test_a_value_that_a_server_never_took_needs_not_be_taken_away(name: str, servers: dict[str, NameServer]) -> None:
    """Of one that stands there the refusal is told: it is still to be taken away."""
    server = servers[name]
    owner = f"_acme-challenge.refused-{name}.one.test"
    refused = Rfc2136(server.endpoint, Tsig(KEY_NAME, ALGORITHM, SecretRef(file="wrong")))
    with pytest.raises(Failed):
        made(refused).add("one.test", owner, "never", 30)
    made(refused).remove("one.test", owner, "never")
    good = made(Rfc2136(server.endpoint, Tsig(KEY_NAME, ALGORITHM, SecretRef(file="tsig"))))
    good.add("one.test", owner, "stands", 30)
    with pytest.raises(Failed):
        made(refused).remove("one.test", owner, "stands")
    good.remove("one.test", owner, "stands")


@pytest.mark.parametrize("name", SERVERS)
def test_a_zone_that_leads_elsewhere_is_told_and_nothing_of_ours_is_in_it(
    name: str, servers: dict[str, NameServer]
) -> None:
    """A server signs no answer about what is not its own: that is no matter of keys."""
    provider = made(Rfc2136(servers[name].endpoint, Tsig(KEY_NAME, ALGORITHM, SecretRef(file="tsig"))))
    with pytest.raises(Failed) as failure:
        provider.add(DELEGATED, DELEGATED, "never", 30)
    assert failure.value.reason == "ZoneNotOurs", str(failure.value)
    provider.remove(DELEGATED, DELEGATED, "never")


@pytest.mark.parametrize("name", ["rfc2136 knot", "exec bind", "lexicon pdns"])
def test_addresses_come_and_go_one_by_one(name: str, servers: dict[str, NameServer], tmp_path: Path) -> None:
    spec, server = spec_for(name, tmp_path, servers)
    writer = address_writer(spec, means())
    assert writer is not None
    owner = f"{name.replace(' ', '-')}.one.test"
    for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
        writer.add_address("one.test", owner, address, 30)
    assert server.query(owner, "A") == ["192.0.2.1", "192.0.2.2"]
    assert server.query(owner, "AAAA") == ["2001:db8::1"]
    writer.remove_address("one.test", owner, "192.0.2.1")
    writer.remove_address("one.test", owner, "192.0.2.9")
    writer.remove_address("one.test", owner, "2001:db8::1")
    assert (server.query(owner, "A"), server.query(owner, "AAAA")) == (["192.0.2.2"], [])


def test_who_knows_txt_alone_writes_no_addresses() -> None:
    assert address_writer(AcmeDns("https://a.test", SecretRef(file="api")), means()) is None
    assert address_writer(ManualDns(), means()) is None


def test_a_key_block_is_a_secret_too(servers: dict[str, NameServer]) -> None:
    server = servers["knot"]
    provider = made(Rfc2136(server.endpoint, Tsig(KEY_NAME, ALGORITHM, SecretRef(file="block"))))
    provider.add("one.test", NAME, "by-block", 30)
    assert server.query(NAME) == ["by-block"]
    provider.remove("one.test", NAME, "by-block")


def script(directory: Path, body: str) -> DnsProvider:
    program = directory / "hook"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(stat.S_IRWXU)
    from datetime import timedelta

    return made(ExecProvider((str(program), "an argument"), timeout=timedelta(seconds=1)))


@pytest.mark.parametrize(
    ("body", "reason", "words"),
    [
        ("exit 42", "ProviderFailed", "ended with code 42"),
        ("echo 'no such zone'; exit 1", "ProviderFailed", "ended with code 1: no such zone"),
        ("echo busy; exit 75", "ProviderBusy", "asks to try again later: busy"),
        ("sleep 60", "ProviderFailed", "did not end within 1 s and was killed"),
        ("yes", "ProviderFailed", "printed more than 16 MiB and was killed"),
        ("printf '\\033[31mred\\033[0m\\377'; exit 3", "ProviderFailed", "ended with code 3"),
        ("kill -9 $$", "ProviderFailed", "was ended by SIGKILL"),
    ],
)
def test_what_a_command_does_wrong_is_told(tmp_path: Path, body: str, reason: str, words: str) -> None:
    with pytest.raises(Failed) as failure:
        script(tmp_path, body).add("one.test", NAME, "x", 30)
    assert (failure.value.reason, words in str(failure.value)) == (reason, True), str(failure.value)
    assert str(failure.value).isprintable()


def stopped(clock: SteadyClock, begun: Callable[[], bool]) -> threading.Thread:
    """Stop the process once something has begun."""

    def watch() -> None:
        while not begun():
            time.sleep(0.01)
        clock.stop()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_a_stop_is_no_failure_of_a_command_and_the_next_is_not_begun(tmp_path: Path) -> None:
    program, ran, clock = tmp_path / "hook", tmp_path / "ran", SteadyClock()
    program.write_text(f"#!/bin/sh\necho ran >> {ran}\nexec sleep 60\n")
    program.chmod(stat.S_IRWXU)
    provider = provider_of(ExecProvider((str(program),)), Means(clock, lambda _ref, _field: Secret(b"")))
    thread = stopped(clock, ran.exists)
    with pytest.raises(Waiting) as wait:
        provider.add("one.test", NAME, "x", 30)
    thread.join()
    assert (wait.value.reason, "the process stops" in str(wait.value)) == ("InFlight", True)
    with pytest.raises(Waiting):
        provider.remove("one.test", NAME, "x")
    assert ran.read_text() == "ran\n", "a child that is killed at once takes nothing away"


def test_a_stop_is_no_failure_of_lexicon() -> None:
    clock = SteadyClock()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api = f"http://127.0.0.1:{silent.getsockname()[1]}"
        options = (LexiconOption("pdns_server", text=api), LexiconOption("auth_token", text="x"))
        provider = provider_of(Lexicon("powerdns", options), Means(clock, lambda _ref, _field: Secret(b"")))
        thread = stopped(clock, lambda: bool(select.select([silent], [], [], 0)[0]))
        with pytest.raises(Waiting) as wait:
            provider.add("one.test", NAME, "x", 30)
        thread.join()
    assert wait.value.reason == "InFlight"


def test_what_a_command_gets(tmp_path: Path) -> None:
    provider = script(tmp_path, f'cat > {tmp_path}/in; echo "$@" > {tmp_path}/args; env > {tmp_path}/env')
    provider.add("one.test", NAME, "$(id) `id`; 'x", 30)
    task = json.loads((tmp_path / "in").read_text())
    rest = {"name": NAME, "value": "$(id) `id`; 'x", "ttl": 30, "zone": "one.test"}
    assert task == {"action": "add", "type": "TXT", **rest}
    assert (tmp_path / "args").read_text() == "an argument\n"
    assert {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()} <= {"PATH", "LANG", "PWD"}
    provider.remove("", NAME, "x")
    assert json.loads((tmp_path / "in").read_text()) == {
        "action": "remove",
        "type": "TXT",
        "name": NAME,
        "value": "x",
        "ttl": None,
        "zone": None,
    }


def test_lexicon_says_which_options_a_provider_takes() -> None:
    with pytest.raises(Failed) as failure:
        made(Lexicon("cloudflare", (LexiconOption("auth_tokn", text="x"),))).add("one.test", NAME, "x", 30)
    assert failure.value.reason == "LexiconOptions"
    assert "takes no auth_tokn; it takes auth_token, auth_username, zone_id" in str(failure.value)


def test_lexicon_that_reaches_no_server_says_so() -> None:
    away = (LexiconOption("pdns_server", text="http://127.0.0.1:1"), LexiconOption("auth_token", text="x"))
    with pytest.raises(Failed, match=r"cannot reach 127\.0\.0\.1: Connection refused") as failure:
        made(Lexicon("powerdns", away)).add("one.test", NAME, "x", 30)
    assert failure.value.reason == "HttpFailed"


def test_lexicon_names_missing_options_first_whatever_the_network_does() -> None:
    away = (LexiconOption("pdns_server", text="http://127.0.0.1:1"),)
    with pytest.raises(Failed) as failure:
        made(Lexicon("powerdns", away)).add("one.test", NAME, "x", 30)
    assert failure.value.reason == "LexiconOptions"
    missing = "cannot log in (options of it that are not given: "
    assert f"{missing}auth_token, pdns_disable_notify, pdns_server_id): " in str(failure.value)
    # a provider that asks its server before it looks at its options would ask one of the world
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    words = f"{missing}auth_token, zone_id): cannot reach its server: Connection refused"
    assert no_login(refused, ["auth_token", "zone_id"], {}) == {"status": "options", "words": words}


def test_lexicon_without_credentials_names_the_options() -> None:
    with pytest.raises(Failed) as failure:
        made(Lexicon("powerdns")).add("one.test", NAME, "x", 30)
    assert failure.value.reason == "LexiconOptions"
    assert "auth_token" in str(failure.value)
    assert "pdns_server" in str(failure.value)


def test_lexicon_never_shows_a_secret(servers: dict[str, NameServer]) -> None:
    server = servers["pdns"]
    assert isinstance(server, Pdns)
    wrong = (
        LexiconOption("auth_token", secret=SecretRef(file="tsig")),
        LexiconOption("pdns_server", text=server.api),
    )
    with pytest.raises(Failed) as failure:
        made(Lexicon("powerdns", wrong)).add("one.test", NAME, "x", 30)
    assert "401" in str(failure.value)
    assert SECRET not in str(failure.value)


def test_lexicon_shows_no_secret_that_stands_in_a_url(servers: dict[str, NameServer]) -> None:
    """The whole URL is in what the library of HTTP says, its characters quoted as it sees fit."""
    server = servers["pdns"]
    assert isinstance(server, Pdns)
    in_the_path = (
        LexiconOption("auth_token", secret=SecretRef(file="api")),
        LexiconOption("pdns_server", text=server.api),
        LexiconOption("pdns_server_id", secret=SecretRef(file="odd")),
    )
    in_the_query = (*in_the_path[:2], LexiconOption("pdns_server_id", text=f"no?login={SECRETS['odd']}&x=CANARY"))
    for options in (in_the_path, in_the_query):
        with pytest.raises(Failed) as failure:
            made(Lexicon("powerdns", options)).add("one.test", NAME, "x", 30)
        assert "404" in str(failure.value)
        assert all(part not in str(failure.value) for part in ("CANARY", "%20", "%C3"))


def test_without_the_extra_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    # the system's Python has no dns-lexicon
    monkeypatch.setattr("sys.executable", "/usr/bin/python3")
    with pytest.raises(Failed) as failure:
        made(Lexicon("powerdns")).add("one.test", NAME, "x", 30)
    assert failure.value.reason == "LexiconMissing"
    assert str(failure.value).endswith("which is not installed; type: pip install 'certwright[lexicon]'")


def test_a_provider_that_needs_more_says_what_to_type() -> None:
    with pytest.raises(Failed) as failure:
        made(Lexicon("route53")).add("one.test", NAME, "x", 30)
    assert str(failure.value).endswith("type: pip install 'certwright[lexicon]' 'dns-lexicon[route53]'")
