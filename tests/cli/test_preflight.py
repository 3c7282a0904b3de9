"""`preflight` as a process, against a real name server; a tree with planted faults and one without."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from tests.program import Program
from tests.servers.bind import key_block
from tests.servers.knot import knot
from tests.servers.zones import ALGORITHM, KEY_NAME, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.pebble import Pebble
    from tests.servers.zones import NameServer

SCHEMA: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[2] / "schemas" / "v1" / "preflightreport.json").read_text()
)
# addresses of this process alone, whoever else runs these tests on the machine
HERE, HTTP, ALPN = (f"127.{57 + number}.{os.getpid() // 250 % 250 + 1}.{os.getpid() % 250 + 1}" for number in range(3))
RECORDS = (
    "mail A 127.0.0.1",
    "good MX 10 mail",
    "null MX 0 .",
    f"here A {HERE}",
    "away A 192.0.2.9",
    "void TXT nothing",
    f"banned A {HERE}",
    f"own A {HTTP}",
    'banned CAA 0 issue "other.example"',
    '@ CAA 0 issue "letsencrypt.org"',
    '@ CAA 0 iodef "mailto:me@good.example.com"',
)


@pytest.fixture(name="ns", scope="module")
def _ns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    with knot(tmp_path_factory.mktemp("ns"), {"example.com": RECORDS}) as server:
        yield server


@pytest.fixture(name="port_80", autouse=True)
def _port_80() -> Iterator[None]:
    """Something listens where the CA comes to. Others may hold the port at all addresses for a moment."""
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for left in reversed(range(100)):
            try:
                listener.bind((HERE, 80))
                break
            except OSError:
                if not left:
                    raise
                time.sleep(0.3)
        listener.listen(16)
        yield


def document(kind: str, name: str, **spec: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"apiVersion": "certwright/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def zone(ns: NameServer, root: Path, secret: str = SECRET) -> dict[str, Any]:
    key = root / f"{len(secret)}{secret[:3]}.key"
    key.write_text(secret + "\n")
    tsig = {"name": KEY_NAME, "algorithm": ALGORITHM, "secret": {"file": str(key)}}
    return {"type": "dns-01", "provider": {"type": "rfc2136", "server": ns.endpoint, "tsig": tsig}}


def write(program: Program, ns: NameServer, *documents: dict[str, Any], **server: Any) -> Program:  # noqa: ANN401
    program.manifests.mkdir(parents=True, exist_ok=True)
    webroot = program.root / "webroot"
    webroot.mkdir(exist_ok=True)
    base = {"email": "me@good.example.com", "agreeToTerms": True, "addresses": [HERE], "resolvers": [ns.endpoint]}
    both = [
        document("Server", "home", **{**base, **server}),
        document("ChallengeMethod", "web", type="http-01", webroot={"directory": str(webroot)}, selfTest="off"),
        document("ChallengeMethod", "zone", **zone(ns, program.root)),
    ]
    (program.manifests / "all.yaml").write_text(yaml.safe_dump_all([*both, *documents]))
    return program


def site(name: str, *hostnames: str, way: str = "web", **spec: Any) -> dict[str, Any]:  # noqa: ANN401
    challenges = [{"method": way}]
    return document("Site", name, **{"hostnames": list(hostnames), "challenges": challenges, **spec})


def found(report: dict[str, Any]) -> set[tuple[str, str, str, str]]:
    jsonschema.validate(report, SCHEMA)
    return {(item["check"], item["severity"], item["site"] or "", item["subject"]) for item in report["items"]}


def test_nothing_is_found_where_all_is_well(tmp_path: Path, ns: NameServer) -> None:
    program = write(
        Program(tmp_path),
        ns,
        site("one", "here.example.com"),
        site("two", "*.example.com", "gone.example.com", way="zone"),
    )
    done = program("preflight")
    assert (done.returncode, done.stdout) == (0, "2 sites looked at: nothing is in the way\n")
    assert list((tmp_path / "webroot").iterdir()) == []
    assert list((program.state / "undo").iterdir()) == []
    assert ns.query("_acme-challenge.example.com") == []


def test_eight_planted_faults_are_found_and_nothing_else(tmp_path: Path, ns: NameServer) -> None:
    out = tmp_path / "out"
    out.mkdir()
    wrong = "d3JvbmcgYnV0IGxvbmcgZW5vdWdoIHRvIGJlIGEga2V5"
    faults = [
        site("a-away", "away.example.com"),
        site("b-void", "void.example.com"),
        site("c-caa", "banned.example.com"),
        site("d-webroot", "here.example.com", way="lost"),
        site("e-key", "key.example.com", way="wrong"),
        site("f-target", "one.example.com", way="zone", targets=["lost"]),
        site("g-command", "two.example.com", way="zone", targets=["mute"]),
        site("h-well", "three.example.com", "*.three.example.com", way="zone"),
    ]
    lost = {"key": str(out / "no" / "{site}.key")}
    mute = {"key": str(out / "{site}.key"), "reload": {"command": ["/no/such/program"]}}
    program = write(
        Program(tmp_path),
        ns,
        *faults,
        document("ChallengeMethod", "lost", type="http-01", webroot={"directory": str(tmp_path / "lost")}),
        document("ChallengeMethod", "wrong", **zone(ns, tmp_path, wrong)),
        document("Target", "lost", type="files", **lost),
        document("Target", "mute", type="files", **mute),
        email="me@null.example.com",
    )
    report = program.json("preflight")
    assert found(report) == {
        ("email", "error", "", "me@null.example.com"),
        ("name", "warning", "a-away", "away.example.com"),
        ("name", "error", "b-void", "void.example.com"),
        ("caa", "warning", "c-caa", "banned.example.com"),
        ("challenge", "error", "d-webroot", "here.example.com"),
        ("challenge", "error", "e-key", "key.example.com"),
        ("target", "error", "f-target", str(out / "no")),
        ("command", "error", "", "/no/such/program"),
    }
    assert report["ok"] is False
    assert len(report["items"]) == 8
    assert all(item["seen"] and item["expected"] and item["next"] for item in report["items"])
    by_subject = {item["subject"]: item for item in report["items"]}
    assert by_subject["away.example.com"]["next"].startswith(f"publish away.example.com. A {HERE}")
    assert "letsencrypt.org" in by_subject["banned.example.com"]["next"]
    assert by_subject["here.example.com"]["next"].startswith(f"mkdir -p {tmp_path / 'lost'}; ")
    step = by_subject["key.example.com"]["next"]
    assert "`provider.tsig` of the ChallengeMethod wrong" in step
    assert "let that take updates of TXT records there from it" in step, "a server may call a policy a key it refuses"
    assert list((program.state / "undo").iterdir()) == []
    done = program("preflight")
    assert done.returncode == 1
    assert "8 sites looked at: 6 errors, 2 warnings" in done.stdout
    assert program("preflight", "a-away").returncode == 1, "the contact is everybody's"


def test_a_key_that_does_not_fit_its_manifest_is_no_matter_of_clocks(tmp_path: Path, ns: NameServer) -> None:
    method = zone(ns, tmp_path)
    other = document("ChallengeMethod", "other", **method)
    program = write(Program(tmp_path), ns, other, site("one", "one.example.com", way="other"))
    Path(method["provider"]["tsig"]["secret"]["file"]).write_text(key_block(algorithm="hmac-sha512"))
    (item,) = program.json("preflight")["items"]
    assert "write `algorithm: hmac-sha512`" in item["seen"]
    assert item["next"] == "mend `provider.tsig` of the ChallengeMethod other, or the file of its key"


def test_a_secret_that_is_not_there_is_told_with_its_field_and_file(tmp_path: Path, ns: NameServer) -> None:
    method = zone(ns, tmp_path)
    method["provider"]["tsig"]["secret"] = {"file": "/no/such"}
    program = write(
        Program(tmp_path), ns, document("ChallengeMethod", "lost", **method), site("one", "one.example.com", way="lost")
    )
    (item,) = program.json("preflight")["items"]
    assert item["seen"] == "`tsig.secret`: there is no file /no/such: put the secret there or correct it"
    assert list((program.state / "undo").iterdir()) == []


def test_each_declared_command_is_looked_at(tmp_path: Path, ns: NameServer) -> None:
    eab = {"kid": "one", "hmacKey": {"exec": ["/no/such/secret"]}}
    program = write(
        Program(tmp_path),
        ns,
        document("Issuer", "bound", type="acme", directory="https://127.0.0.1:1/dir", agreeToTerms=True, eab=eab),
        document("Target", "own", type="exec", install=["/no/such/install"]),
        document("Target", "mail", type="postfix", configDirectory=str(tmp_path), postmap=["/no/such/postmap", "sni"]),
        site("one", "here.example.com", issuers=["bound"], targets=["own", "mail"]),
    )
    items = {item["subject"]: item for item in program.json("preflight")["items"] if item["check"] == "command"}
    assert {"/no/such/install", "/no/such/postmap", "/no/such/secret"} <= items.keys()
    assert items["/no/such/secret"]["next"] == "install it, or correct `eab.hmacKey` of the Issuer bound"


def test_caa_is_not_judged_before_a_ca_has_told_its_name(tmp_path: Path, ns: NameServer) -> None:
    issuer = document("Issuer", "house", type="acme", directory="https://127.0.0.1:9/dir", caBundle="/no/such.pem")
    program = write(Program(tmp_path), ns, issuer, site("one", "banned.example.com", issuers=["house"]))
    report = program.json("preflight")
    assert report["items"] == []
    assert [note for note in report["notes"] if "CAA of banned.example.com is not judged" in note]


def test_the_zone_of_what_a_person_publishes_must_be_found(tmp_path: Path, ns: NameServer) -> None:
    """By the resolvers of the Server, since the method names none."""
    by_hand = {"type": "dns-01", "provider": {"type": "manual"}}
    known = {**by_hand, "propagation": {"nameservers": [ns.endpoint]}}
    program = write(
        Program(tmp_path),
        ns,
        document("ChallengeMethod", "known", **known),
        document("ChallengeMethod", "unknown", **by_hand),
        site("one", "*.example.com", way="known"),
        site(
            "two", "nowhere.example.org", way="unknown", challenges=[{"method": "unknown", "preflight": {"caa": "off"}}]
        ),
    )
    (item,) = program.json("preflight")["items"]
    assert (item["check"], item["severity"], item["subject"]) == ("challenge", "error", "nowhere.example.org")
    assert ns.endpoint in item["seen"]


def test_a_provider_that_says_yes_and_writes_nothing_is_found(tmp_path: Path, ns: NameServer) -> None:
    """Its name servers are asked, as they are before the CA is; a contact that nobody can judge is no other's fault."""
    silent = {"type": "dns-01", "provider": {"type": "exec", "command": ["/bin/true"]}}
    watched = {**silent, "propagation": {"nameservers": [ns.endpoint], "timeout": "1s"}}
    program = write(
        Program(tmp_path),
        ns,
        document("ChallengeMethod", "idle", **watched),
        site("one", "*.example.com", way="idle"),
        email="me@elsewhere.example.org",
    )
    items = {item["check"]: item for item in program.json("preflight")["items"]}
    idle = items["challenge"]
    assert (idle["severity"], idle["subject"]) == ("error", "example.com")
    assert f"{ns.endpoint} does not have _acme-challenge.example.com yet" in idle["seen"]
    assert "`propagation.timeout` into the ChallengeMethod idle" in idle["next"]
    assert "the name servers of elsewhere.example.org or the resolver that was asked" in items["email"]["next"]
    assert list((program.state / "undo").iterdir()) == []


def test_switches_make_errors_of_warnings_and_silence(tmp_path: Path, ns: NameServer) -> None:
    switches = {"enforce": "error", "off": None}
    for mode, severity in switches.items():
        preflight = {"pointsHere": mode, "caa": mode}
        way = [{"method": "web", "preflight": preflight}]
        program = write(
            Program(tmp_path),
            ns,
            site("one", "away.example.com", challenges=way),
            site("two", "banned.example.com", challenges=way),
        )
        items = found(program.json("preflight"))
        wanted = {("name", "away.example.com"), ("caa", "banned.example.com")} if severity else set()
        assert {(check, subject) for check, _, _, subject in items if check in ("name", "caa")} == wanted
        assert {level for _, level, _, _ in items if severity} <= {"error"}


def test_a_closed_port_and_an_unknown_address(tmp_path: Path, ns: NameServer) -> None:
    program = write(
        Program(tmp_path),
        ns,
        document("ChallengeMethod", "own", type="http-01", listener={"address": f"{HTTP}:8402"}),
        site("one", "mail.example.com"),
        site("two", "mail.example.com", way="own"),
        addresses=["127.0.0.1"],
    )
    items = program.json("preflight")["items"]
    assert [(item["check"], item["severity"]) for item in items] == [("port", "warning")] * 2
    assert "port 80 of 127.0.0.1 cannot be reached from here" in items[0]["seen"]
    assert items[0]["next"].startswith("let the server listen there")
    assert f"pass it on to the listener of the method own ({HTTP}, port 8402)" in items[1]["next"]


def test_our_own_listeners_are_opened_for_the_trial_alone(tmp_path: Path, ns: NameServer) -> None:
    """Both ways have their port here; nothing listens there before and after."""
    methods = [
        document("ChallengeMethod", "own", type="http-01", listener={"address": f"{HTTP}:80"}, selfTest="enforce"),
        document("ChallengeMethod", "alpn", type="tls-alpn-01", listener={"address": f"{ALPN}:443"}),
    ]
    addresses = {"addresses": [HTTP, ALPN]}
    # own.example.com is known to the resolvers of the Server alone
    sites = [site("one", HTTP, "own.example.com", way="own"), site("two", ALPN, way="alpn")]
    issuer = document("Issuer", "letsencrypt", type="acme", directory="letsencrypt", trust="private")
    program = write(Program(tmp_path), ns, *methods, *sites, issuer, **addresses)
    done = program("preflight", "-o", "json")
    assert json.loads(done.stdout)["items"] == [], done.stdout + done.stderr
    for place in ((HTTP, 80), (ALPN, 443)):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(place, timeout=2).close()


def test_a_rehearsal_orders_there_and_stores_nothing(tmp_path: Path, ns: NameServer, pebble: Pebble) -> None:
    issuer = document("Issuer", "practice", type="acme", directory=pebble.directory, caBundle=str(pebble.bundle))
    method = {"type": "http-01", "listener": {"port": pebble.http_port}, "selfTest": "off"}
    program = write(
        Program(tmp_path),
        ns,
        issuer,
        document("ChallengeMethod", "own", **method),
        site("one", "here.example.com", way="own"),
        site("two", "blocked.test", "here.example.com", way="own", issuers=["practice-private"]),
        document("Issuer", "practice-private", type="acme", directory=pebble.directory, trust="private"),
    )
    done = program("preflight", "one", "--rehearse", "practice")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "practice issued for 1 names" in done.stderr
    assert not any((program.state / "live").iterdir())
    assert not list((program.state / "accounts").rglob("*.json"))
    report = program.json("preflight", "two", "--rehearse", "practice")
    assert ("rehearsal", "error", "two", "blocked.test") in found(report)
    assert program("preflight", "--rehearse", "nobody").returncode == 2
