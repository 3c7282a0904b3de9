"""An account is made once, never silently a second time, and with what a person agreed to."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import Failed, Stalled
from reconciler.issuers.acme.issuer import AcmeIssuer, Sessions
from reconciler.model.desired import ExternalAccount, SecretRef
from tests.rig import Rig, rig
from tests.servers.pebble import Options, Pebble, pebble

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.challtestsrv import Challtestsrv


def test_an_account_is_registered_once_and_its_key_is_stored_first(rig: Rig) -> None:
    first = rig.issuer(email="a@example.test").register()
    second = rig.issuer(email="a@example.test").register()
    changed = rig.issuer(email="b@example.test").register()

    assert first == second
    assert (changed.url, changed.contact) == (first.url, ("mailto:b@example.test",))
    assert rig.store.writes[:2] == ["account None", f"account {first.url}"]


def test_an_account_whose_url_was_lost_in_a_crash_is_found_again(rig: Rig) -> None:
    first = rig.issuer().register()
    key = rig.directory, "default"
    rig.store.records[key] = replace(first, url=None)
    rig.restart()

    assert rig.issuer().register().url == first.url


def test_a_lost_key_is_never_replaced_silently(rig: Rig) -> None:
    rig.issuer().register()
    rig.store.keys.clear()
    rig.restart()

    with pytest.raises(Stalled, match="would break CAA") as caught:
        rig.issuer().register()

    assert caught.value.reason == "AccountMissing"
    assert rig.store.keys == {}


def test_a_ca_that_was_rebuilt_does_not_know_the_account(tmp_path: Path, dns: Challtestsrv, quick: Pebble) -> None:
    with rig(tmp_path, quick.directory, quick.bundle, quick.http_port) as machine:
        machine.issuer().register()
        with pebble(tmp_path / "rebuilt", dns.dns, Options(retry_after=(0, 0))) as rebuilt:
            record = machine.store.records[quick.directory, "default"]
            key = machine.store.keys[quick.directory, "default"]
            url = f"https://127.0.0.1:{rebuilt.port}/my-account/1"
            machine.store.records[rebuilt.directory, "default"] = replace(record, directory=rebuilt.directory, url=url)
            machine.store.keys[rebuilt.directory, "default"] = key
            issuer = machine.issuer(directory=rebuilt.directory, bundle=rebuilt.bundle)
            with pytest.raises(Stalled) as caught:
                issuer.obtain(machine.request("rebuilt.test"), machine.desk())

    assert caught.value.reason == "AccountMissing"


def test_an_account_that_is_restored_is_used_without_a_restart(rig: Rig) -> None:
    record = rig.issuer().register()
    place = rig.directory, "default"
    rig.restart()
    rig.store.records[place] = replace(record, url=f"{record.url}0000")
    with pytest.raises(Stalled) as caught:
        rig.issuer().obtain(rig.request("restored.test"), rig.desk())
    rig.store.records[place] = record

    assert caught.value.reason == "AccountMissing"
    assert rig.issuer().obtain(rig.request("restored.test"), rig.desk()).account == record.url


def test_terms_that_are_not_agreed_to_are_told_with_their_place(rig: Rig) -> None:
    with pytest.raises(Stalled, match="Do%20what%20thou%20wilt") as caught:
        rig.issuer(agree_to_terms=False).register()

    assert caught.value.reason == "TermsNotAgreed"
    assert rig.store.keys == {}


def test_obtaining_without_an_account_fails_until_it_is_registered(rig: Rig) -> None:
    with pytest.raises(Failed) as caught:
        rig.issuer().obtain(rig.request("early.test"), rig.desk())

    assert caught.value.reason == "AccountNotRegistered"


def test_external_account_binding(tmp_path: Path, dns: Challtestsrv) -> None:
    mac = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    settings = {"externalAccountBindingRequired": True, "externalAccountMACKeys": {"kid-1": mac}}
    options = Options(retry_after=(0, 0), settings=settings)
    with (
        pebble(tmp_path / "pebble", dns.dns, options) as ca,
        rig(tmp_path, ca.directory, ca.bundle, ca.http_port) as machine,
    ):
        with pytest.raises(Stalled) as without:
            machine.issuer().register()
        machine.secrets["hmac"] = f"{mac}\n".encode()
        eab = ExternalAccount("kid-1", SecretRef(file="hmac"))
        record = machine.issuer(eab=eab).register()
        machine.secrets["bad"] = b"not base64url: \xff"
        with pytest.raises(Failed) as bad:
            machine.issuer(eab=ExternalAccount("kid-1", SecretRef(file="bad")), account="bad").register()

    assert without.value.reason == "ExternalAccount"
    assert record.url is not None
    assert bad.value.reason == "BadKey"


def test_two_processes_register_one_account(rig: Rig) -> None:
    other = Sessions(rig.clock, version="0")
    issuers = [rig.issuer(), AcmeIssuer(rig.issuer().spec, rig.means, other)]

    with ThreadPoolExecutor(2) as pool, closing(other):
        records = list(pool.map(lambda issuer: issuer.register(), issuers))

    assert records[0] == records[1]
    assert rig.store.writes == ["account None", f"account {records[0].url}"]


def test_plain_http_to_this_machine(tmp_path: Path) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            base = f"http://{self.headers['Host']}"
            places = {name: f"{base}/{name}" for name in ("newNonce", "newAccount", "newOrder")}
            body = json.dumps({**places, "meta": {"termsOfService": "https://terms.test/"}}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        directory = f"http://127.0.0.1:{server.server_address[1]}/dir"
        with rig(tmp_path, directory, tmp_path / "unused", 1) as machine:
            with pytest.raises(Stalled) as refused:
                machine.issuer(bundle=None, agree_to_terms=False).register()
            with pytest.raises(Stalled, match=r"https://terms\.test/") as terms:
                machine.issuer(bundle=None, agree_to_terms=False, allow_insecure=True).register()
        server.shutdown()

    assert (refused.value.reason, terms.value.reason) == ("InsecureDirectory", "TermsNotAgreed")
