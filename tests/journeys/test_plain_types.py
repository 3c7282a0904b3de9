"""Types that no other journey has: the issuer `self-signed`, and a command of one's own that writes TXT records."""

from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

from tests.journeys.dns_street import DnsStreet
from tests.journeys.stage import copy_target, document, site
from tests.servers.bind import bind, key_block
from tests.servers.pebble import pebble

if TYPE_CHECKING:
    from tests.journeys.stage import Stage

HOOK = """#!{python} -I
import json, subprocess, sys
task = json.load(sys.stdin)
verb = "update add" if task["action"] == "add" else "update delete"
ttl = f"{{task['ttl']}} " if task["action"] == "add" else ""
change = f"{{verb}} {{task['name']}}. {{ttl}}TXT {{task['value']}}"
lines = ["server {address} {port}", f"zone {{task['zone']}}", change, "send", ""]
subprocess.run(["nsupdate", "-v", "-k", "{key}"], input="\\n".join(lines), text=True, check=True)
"""


def test_self_signed(stage: Stage) -> None:
    stage.write("issuer.yaml", document("Issuer", "own", {"type": "self-signed", "lifetime": "30d"}))
    stage.write("sites.yaml", copy_target(stage.root / "copies"), site("one", issuers=["own"], targets=["copy"]))
    stage.settle()
    live = stage.live("one")
    assert (live.meta.issuer, live.meta.placeholder, live.facts.hostnames) == ("own", False, ("one.example.com",))
    assert (stage.root / "copies" / "one.crt").read_bytes() == stage.path("one", "fullchain.pem").read_bytes()


def test_a_command_writes_the_records(stage: Stage) -> None:
    with bind(stage.root / "ns", {"one.test": ()}) as server, pebble(stage.root, server.endpoint) as ca:
        key, program = stage.root / "key", stage.root / "hook"
        key.write_text(key_block())
        program.write_text(HOOK.format(python=sys.executable, address=server.address, port=server.port, key=key))
        program.chmod(stat.S_IRWXU)
        street = DnsStreet(stage, server, ca)
        provider = {"type": "exec", "command": [str(program)], "zone": "one.test"}
        street.write(
            street.site("one", "one.test", "*.one.test"),
            provider=provider,
            propagation={"nameservers": [server.endpoint]},
        )
        stage.settle()
        assert {how.type for how in stage.live("one").meta.challenges.values()} == {"dns-01"}
        assert server.query("_acme-challenge.one.test") == []
