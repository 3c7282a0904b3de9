from __future__ import annotations

import json
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from reconciler.model.ports import Limits
from reconciler.schema import all_schemas
from tests.journeys.stage import FULL, SERVER, Stage, document, site
from tests.journeys.stage import held as told_holds
from tests.program import Program
from tests.servers import faults
from tests.servers.front import front as front_of
from tests.servers.pebble import Options
from tests.servers.pebble import pebble as pebble_of
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.challtestsrv import Challtestsrv
    from tests.servers.front import Front
    from tests.servers.pebble import Pebble

NAMES = ("a.example.com", "b.example.com")


def challenge_list(text: str) -> dict[str, Any]:
    """Read what a stage prints, if it is as its schema says."""
    value: dict[str, Any] = json.loads(text)
    jsonschema.validate(value, all_schemas()["challengelist.json"], jsonschema.Draft7Validator)
    return value


class Desk:
    """A person at the command line, with one site `one`."""

    def __init__(self, root: Path, pebble: Pebble, ca: Front) -> None:
        self.run, self.pebble, self.ca = Program(root), pebble, ca
        self.run.manifests.mkdir()
        self.run.out.mkdir()
        self.write()

    def write(self, *names: str, directory: str = "", methods: Any = None, **spec: Any) -> None:  # noqa: ANN401  any
        target = {"type": "files", "key": f"{self.run.out}/{{site}}.key", "fullchain": f"{self.run.out}/{{site}}.pem"}
        issuer = {
            "type": "acme",
            "directory": directory or self.ca.directory,
            "caBundle": str(self.ca.bundle),
            "trust": "test",
        }
        documents = [
            document("Server", "home", SERVER),
            document("Issuer", "pebble", issuer),
            document("ChallengeMethod", "web", {"type": "http-01", "listener": {"port": self.pebble.http_port}}),
            document("ChallengeMethod", "alpn", {"type": "tls-alpn-01", "listener": {"port": self.pebble.tls_port}}),
            *(document("ChallengeMethod", name, method) for name, method in (methods or {}).items()),
            document("Target", "disk", target),
            site(
                "one",
                *(names or NAMES),
                **{"issuers": ["pebble"], "challenges": [{"method": "web"}], "targets": ["disk"], **spec},
            ),
        ]
        (self.run.manifests / "all.yaml").write_text(yaml.safe_dump_all(documents, sort_keys=False))

    @property
    def command(self) -> str:
        """Give how the commands begin that a person is told: about the same tree and state."""
        return f"certwright {self.run.flags()}"

    def offered(self) -> dict[str, Any]:
        done = self.run("challenges", "one", "-o", "json")
        assert done.returncode == 0, done.stderr
        return challenge_list(done.stdout)

    def status(self) -> dict[str, Any]:
        (item,) = self.run.json("get", "sites")["items"]
        status: dict[str, Any] = item["status"]
        return status

    def orders(self) -> int:
        return self.ca.count("/order-plz")


@pytest.fixture(name="desk")
def _desk(tmp_path: Path, pebble: Pebble, front: Front) -> Desk:
    return Desk(tmp_path, pebble, front)


def _line(record: dict[str, Any]) -> str:
    return f'{record["name"]} IN TXT "{record["value"]}"'


def _of(items: list[dict[str, Any]], hostname: str, kind: str) -> dict[str, Any]:
    return next(one for one in items if (one["hostname"], one["type"]) == (hostname, kind))


def test_a_limit_of_the_ca_is_nobodys_failure(desk: Desk) -> None:
    desk.ca.inject(faults.refuse(429, problem="rateLimited", retry_after="3600"), "order-plz", times=None)
    limited = desk.run("challenges", "one", "-o", "json")
    assert (limited.returncode, challenge_list(limited.stdout)["error"]["reason"]) == (4, "RateLimited")
    desk.ca.heal()
    desk.ca.inject(faults.refuse(403, problem="unauthorized"), "order-plz", times=None)
    assert desk.run("challenges", "one").returncode == 1


def test_three_processes_and_a_record_that_somebody_else_published(desk: Desk, dns: Challtestsrv) -> None:
    first = desk.offered()
    again = desk.offered()
    assert (first["kind"], first["site"]) == ("ChallengeList", "one")
    assert first["order"] == again["order"]
    assert [one["token"] for one in first["items"]] == [one["token"] for one in again["items"]]
    web, record = (_of(first["items"], NAMES[0], kind) for kind in ("http-01", "dns-01"))
    assert (web["method"], record["method"]) == ("web", None)
    assert web["http"]["url"].endswith(f"/.well-known/acme-challenge/{web['token']}")
    assert web["http"]["body"] == web["payload"]
    assert record["dns"]["name"] == "_acme-challenge.a.example.com."
    assert record["payload"].startswith(record["token"])

    early = desk.run("request", "one", "-o", "json")
    assert early.returncode == 1
    assert all(name in early.stderr for name in NAMES)
    told = challenge_list(early.stdout)
    assert (told["ok"], told["error"]["reason"], told["next"]) == (False, "WaitingForSolve", "certwright solve one")

    for name in NAMES:
        found = _of(first["items"], name, "dns-01")["dns"]
        dns.set_txt(found["name"], found["value"])
    solved = desk.run("solve", "one", *(f"{name}=dns-01" for name in NAMES))
    assert solved.returncode == 0, solved.stderr
    assert f"{desk.command} request one" in solved.stdout
    lines = [_line(_of(first["items"], name, "dns-01")["dns"]) for name in NAMES]
    assert all(f"  {line}\n" in solved.stdout for line in lines), solved.stdout
    done = desk.run("request", "one")
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stdout.endswith("\n".join(["whoever published it:", *(f"  {line}" for line in lines), ""])), done.stdout
    assert desk.orders() == 1
    assert (desk.run.out / "one.pem").exists()
    assert desk.status()["conditions"][0]["status"] == "True"
    assert {one["type"] for one in desk.status()["certificate"]["challenges"].values()} == {"dns-01"}


def test_status_tells_of_the_order_that_a_person_took_in_hand(desk: Desk, dns: Challtestsrv) -> None:
    with dns.failing(NAMES[0]):
        assert desk.run("apply").returncode == 1
        assert "1 failing" in desk.run("status").stdout
        desk.offered()
        waits = desk.run("status")
        assert (waits.returncode, "WaitingForSolve" in waits.stdout) == (0, True), waits.stdout
        assert f"{desk.command} challenges one" in waits.stdout
        twice = desk.run("solve", "one", f"{NAMES[0]}=web", f"{NAMES[0]}=alpn")
        assert (twice.returncode, f"{NAMES[0]} is named twice" in twice.stderr) == (2, True), twice.stderr
        refused = desk.run("solve", "one", f"{NAMES[1]}=web", f"{NAMES[0]}=web")
    assert refused.returncode == 1
    assert f"site/one: {NAMES[0]}: " in refused.stderr, refused.stderr
    assert "WaitingForSolve" not in desk.run("status").stdout, "the CA ended the order"


def test_what_is_proven_is_told_without_asking_the_ca(desk: Desk, dns: Challtestsrv) -> None:
    """By `diff`, `status`, `get`, `describe` and `why` alike, with when it ends and what comes next."""
    items = desk.offered()["items"]
    record = _of(items, NAMES[0], "dns-01")["dns"]
    dns.set_txt(record["name"], record["value"])
    half = challenge_list(desk.run("solve", "one", f"{NAMES[0]}=dns-01", "-o", "json").stdout)
    assert half["removable"] == [{"hostname": NAMES[0], "type": "dns-01", "dns": record, "http": None}]
    for verb in (("diff",), ("describe", "site", "one"), ("why", "one")):
        assert f"to be proven: {NAMES[1]} (1 of 2 are)" in desk.run(*verb).stdout, verb
    assert desk.run("solve", "one", f"{NAMES[1]}=web").returncode == 0
    ends = min(datetime.fromisoformat(one["expires"]) for one in desk.offered()["items"])
    asked = desk.ca.count("/")
    for verb in (
        ("diff",),
        ("describe", "site", "one"),
        ("why", "one"),
        ("status",),
        ("get", "sites"),
        ("get", "holds"),
    ):
        told = desk.run(*verb).stdout
        assert "WaitingForRequest" in told, (verb, told)
        assert "WaitingForSolve" not in told, (verb, told)
    words = desk.run("diff").stdout
    assert "are proven (2 of 2)" in words
    assert f"until {ends:%Y-%m-%dT%H:%M:%SZ}" in words, "the first authorization to end, long before the order"
    assert f"next: {desk.command} request one" in words
    assert f"{desk.command} request one" in desk.run("status").stdout
    applied = desk.run("apply")
    assert applied.returncode == 0, applied.stdout
    assert desk.ca.count("/") == asked, "the order on disk tells it"
    done = desk.run("request", "one", "-o", "json")
    assert [one["hostname"] for one in json.loads(done.stdout)["removable"]] == [NAMES[0]]
    jsonschema.validate(json.loads(done.stdout), all_schemas()["plan.json"], jsonschema.Draft7Validator)
    assert desk.status()["conditions"][0]["status"] == "True"


def test_by_any_method_of_the_tree_one_name_after_the_other(desk: Desk) -> None:
    """The site declares `web` alone; a person may take any other that the tree has."""
    desk.offered()
    one = desk.run("solve", "one", f"{NAMES[0]}=alpn")
    assert one.returncode == 0, one.stderr
    assert f"{NAMES[1]}: pending" in one.stdout
    rest = desk.run("solve", "one")
    assert rest.returncode == 0, rest.stderr
    assert desk.run("request", "one").returncode == 0
    challenges = desk.status()["certificate"]["challenges"]
    assert {name: one["method"] for name, one in challenges.items()} == {NAMES[0]: "alpn", NAMES[1]: "web"}


def test_stop_at_challenges_is_a_wait_that_the_manifest_asked_for(desk: Desk) -> None:
    desk.write(stopAt="challenges")
    for _ in range(2):
        applied = desk.run("apply")
        assert applied.returncode == 0, applied.stdout + applied.stderr
    assert desk.orders() == 1
    ready = desk.status()["conditions"][0]
    assert (ready["status"], ready["reason"]) == ("False", "WaitingForSolve")
    assert desk.run("solve", "one").returncode == 0
    done = desk.run("request", "one")
    assert done.returncode == 0, done.stdout + done.stderr
    assert desk.orders() == 1
    assert desk.status()["conditions"][0]["status"] == "True"
    assert desk.run("diff").returncode == 0


def test_killed_in_the_middle_of_each_stage(desk: Desk) -> None:
    _kill(desk, ("challenges", "one"), desk.run.state / "orders" / "one" / "order.json")
    desk.offered()
    assert desk.orders() <= 2, "one more at most, where it died before it knew the order's URL"
    _kill(desk, ("solve", "one"), desk.run.state / "tokens")
    solved = desk.run("solve", "one")
    if solved.returncode:
        # the CA came when nobody was there: back by one stage
        assert f"{desk.command} challenges one" in solved.stderr
        desk.offered()
        assert desk.run("solve", "one").returncode == 0
    _kill(desk, ("request", "one"), desk.run.state / "certificates" / "one")
    done = desk.run("request", "one")
    if done.returncode:
        assert "no order" in done.stderr, done.stderr
        assert desk.run("apply").returncode == 0
    assert (desk.run.out / "one.pem").exists()
    assert list((desk.run.state / "tokens").iterdir()) == []


def test_a_proof_that_fails_is_told_in_the_cas_words_and_a_new_order_comes_next(desk: Desk, dns: Challtestsrv) -> None:
    first = desk.offered()
    dns.set_txt("_acme-challenge.a.example.com", "something else")
    failed = desk.run("solve", "one", f"{NAMES[0]}=dns-01", "-o", "json")
    dns.clear_txt("_acme-challenge.a.example.com")
    assert failed.returncode == 1
    assert NAMES[0] in failed.stderr
    assert "/authZ/" in failed.stderr
    assert f"{desk.command} challenges one" in failed.stderr
    told = challenge_list(failed.stdout)
    assert (told["ok"], told["order"], told["error"]) == (False, first["order"], None)
    assert {one["hostname"]: one["status"] for one in told["names"]} == {NAMES[0]: "invalid", NAMES[1]: "pending"}
    assert {(one["hostname"], one["status"]) for one in told["items"]} == {(NAMES[0], "invalid"), (NAMES[1], "pending")}
    error = told["names"][0]["error"]
    assert error["type"] == "urn:ietf:params:acme:error:unauthorized"
    assert "Correct value not found for DNS challenge" in error["message"], error
    assert told["next"] == "certwright challenges one", "a command alone, which can be typed"
    assert told["removable"][0]["dns"] == _of(first["items"], NAMES[0], "dns-01")["dns"], "its order is over"
    gone = desk.run("solve", "one", "-o", "json")
    assert (gone.returncode, challenge_list(gone.stdout)["error"]["reason"]) == (1, "OrderGone")
    assert desk.offered()["order"] != first["order"]


def test_each_value_that_a_person_was_asked_for_is_named_once_its_order_is_over(desk: Desk, dns: Challtestsrv) -> None:
    """Also of a name that is then proven, or fails, by another way than the manual one."""
    wild = f"*.{NAMES[0]}"
    methods = {"hand": {"type": "dns-01", "provider": {"type": "manual"}}}
    desk.write(NAMES[0], wild, NAMES[1], methods=methods, challenges=[{"method": "hand"}])
    words = desk.run("challenges", "one").stdout
    both = "both TXT values at _acme-challenge.a.example.com. together (two records)"
    other = "the TXT value at _acme-challenge.b.example.com."
    assert words.endswith(f"next: publish {both}, {other}, then: {desk.command} solve one\n"), words
    items = desk.offered()["items"]
    printed = [_of(items, name, "dns-01")["dns"] for name in (NAMES[0], wild, NAMES[1])]
    solved = desk.run("solve", "one", f"{NAMES[1]}=web")
    assert (solved.returncode, f"next: publish {both}, then: " in solved.stdout) == (0, True), solved.stdout
    with dns.failing(NAMES[0]):
        failed = desk.run("solve", "one", f"{NAMES[0]}=web", f"{wild}=dns-01", "-o", "json")
    assert failed.returncode == 1
    told = [one["dns"] for one in challenge_list(failed.stdout)["removable"]]
    assert sorted(one["value"] for one in told) == sorted(one["value"] for one in printed), failed.stderr


def test_a_value_asked_for_by_a_way_that_was_picked_is_not_forgotten_for_the_next_one(desk: Desk) -> None:
    blind = {"type": "dns-01", "provider": {"type": "manual"}, "resolvers": [f"127.0.0.1:{free_port()}"]}
    desk.write(NAMES[0], methods={"zone": blind})
    assert "ordered 1 name\n" in desk.run("challenges", "one", "-v").stderr
    record = _of(desk.offered()["items"], NAMES[0], "dns-01")["dns"]
    assert desk.run("solve", "one", f"{NAMES[0]}=zone").returncode == 1
    done = desk.run("solve", "one", f"{NAMES[0]}=web", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert [one["dns"] for one in json.loads(done.stdout)["removable"]] == [record]


def test_retry_lets_the_order_go_on_by_itself(desk: Desk) -> None:
    desk.offered()
    assert desk.run("apply").returncode == 0
    assert desk.status()["holds"][0]["reason"] == "WaitingForSolve"
    done = desk.run("retry", "one")
    assert done.returncode == 0, done.stdout + done.stderr
    assert desk.orders() == 1
    assert desk.status()["conditions"][0]["status"] == "True"


def test_an_order_that_expires_in_a_persons_hands(tmp_path: Path, dns: Challtestsrv) -> None:
    """It is told and held until a person begins anew, or the certificate in use comes into its last third."""
    (tmp_path / "ca").mkdir()
    with (
        pebble_of(tmp_path / "ca", dns.dns, Options(validity=3600)) as ca,
        front_of(tmp_path, ca) as ahead,
    ):
        desk = Desk(tmp_path, ca, ahead)
        desk.write(renewal={"lookahead": "60%"})
        desk.offered()
        _expire(desk)
        held = desk.run("apply")
        assert (held.returncode, desk.orders()) == (1, 1), held.stdout
        assert "StageExpired" in held.stdout
        assert f"{desk.command} challenges one" in held.stdout
        for verb in ("solve", "request"):
            done = desk.run(verb, "one")
            assert done.returncode == 1
            assert "the order for one expired at 20" in done.stderr
        desk.offered()
        assert desk.orders() == 2, "a new one"
        assert desk.run("solve", "one").returncode == 0
        assert desk.run("request", "one").returncode == 0
        desk.offered()
        _expire(desk)
        stage = Stage(tmp_path, shift=timedelta(minutes=30))
        assert "expired before it was ended" in told_holds(stage.diff())["one", "StageExpired"].message, "half is left"
        stage.shift = timedelta(minutes=45)
        with stage.app() as app:
            report = app.engine.done(app.engine.look(FULL, Limits()), app.executor(), lambda _outcome: None)
        assert [(one.change.verb, one.change.reason, one.status) for one in report.outcomes] == [
            ("issue", "RenewalDue", "done"),
            ("install", "CertificateChanged", "done"),
        ]


def test_a_proof_that_ends_before_its_order_ends_it(desk: Desk) -> None:
    first = desk.offered()["order"]
    assert desk.run("solve", "one").returncode == 0
    _expire(desk, "ends")
    held = desk.run("diff").stdout
    assert "StageExpired" in held, held
    gone = desk.run("request", "one")
    assert (gone.returncode, "the order for one expired at 20" in gone.stderr) == (1, True), gone.stderr
    assert desk.offered()["order"] != first


def _expire(desk: Desk, field: str = "expires") -> None:
    """Make the order on disk one that the CA said would end a minute ago, by itself or with a proof."""
    path = desk.run.state / "orders" / "one" / "order.json"
    record = json.loads(path.read_text())
    assert datetime.fromisoformat(record["data"][field]) > datetime.now(UTC)
    record["data"][field] = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    aged = path.with_name("aged")
    aged.write_text(json.dumps(record))
    aged.replace(path)


def test_the_stage_that_failed_is_the_next_one(desk: Desk) -> None:
    """With what mends it, where that is known."""
    closed = free_port()
    blind = {"type": "manual"}
    desk.write(methods={"zone": {"type": "dns-01", "provider": blind, "resolvers": [f"127.0.0.1:{closed}"]}})
    desk.offered()
    failed = desk.run("solve", "one", f"{NAMES[0]}=zone")
    mends = "let us reach it, or name another in the ChallengeMethod"
    assert failed.stderr.endswith(f"next: {mends}, then: {desk.command} solve one\n"), failed.stderr
    told = json.loads(desk.run("solve", "one", f"{NAMES[0]}=zone", "-o", "json").stdout)
    assert told["next"] == "certwright solve one"
    desk.write(directory=f"https://127.0.0.1:{closed}/dir")
    assert desk.run("challenges", "one").stderr.endswith(f"next: {desk.command} challenges one\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("solve", "one", "a.example.com"), "NAME=METHOD"),
        (("solve", "one", "z.example.com=web"), "not among the names"),
        (("solve", "one", "a.example.com=wed"), "did you mean `web`?"),
        (("challenges", "two"), "two"),
    ],
)
def test_wrong_words_touch_nothing(desk: Desk, arguments: tuple[str, ...], words: str) -> None:
    desk.offered()
    done = desk.run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr


def _kill(desk: Desk, arguments: tuple[str, ...], seen: Path) -> None:
    """Start a verb, and kill it as soon as this path is there (a directory: as something is in it)."""
    child = subprocess.Popen(
        desk.run.argv(*arguments), env=desk.run.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 30
    while child.poll() is None and time.monotonic() < end:
        if seen.is_file() or (seen.is_dir() and any(seen.iterdir())):
            child.send_signal(signal.SIGKILL)
            break
        time.sleep(0.001)
    child.wait()


def test_a_name_is_known_however_a_person_writes_it(desk: Desk, dns: Challtestsrv) -> None:
    names = ("bücher.example.com", "Shop.Example.com")
    desk.write(*names)
    for item in desk.offered()["items"]:
        if item["type"] == "dns-01":
            dns.set_txt(item["dns"]["name"], item["dns"]["value"])
    solved = desk.run("solve", "one", f"{names[0]}=dns-01", f"{names[1].upper()}.=dns-01", "-o", "json")
    assert solved.returncode == 0, solved.stderr
    assert challenge_list(solved.stdout)["ok"]


def test_nothing_is_asked_of_a_ca_for_what_is_suspended(desk: Desk) -> None:
    """Nor does `request` say that all is well where it has made nothing."""
    desk.offered()
    assert desk.run("solve", "one").returncode == 0
    before = len(desk.ca.seen)
    desk.write(suspend=True)
    for verb in ("challenges", "solve", "request"):
        done = desk.run(verb, "one", "-o", "json")
        told = challenge_list(done.stdout)
        assert (done.returncode, told["ok"], told["error"]["reason"]) == (1, False, "Suspended")
        assert f"next: take `suspend: true` out of the Site, then: {desk.command} {verb} one\n" in done.stderr
    assert len(desk.ca.seen) == before
    desk.write()
    assert desk.run("request", "one").returncode == 0


def test_an_order_at_an_issuer_that_is_named_no_more(desk: Desk) -> None:
    desk.offered()
    desk.write(issuers=["ca"])
    for verb in ("solve", "request"):
        done = desk.run(verb, "one")
        assert done.returncode == 1
        assert "the order for one is at pebble, which its Site names no more" in done.stderr


def test_a_request_that_is_held_is_no_success(desk: Desk) -> None:
    """The certificate in use is well, so that nothing else would tell."""
    desk.offered()
    desk.run("solve", "one")
    assert desk.run("request", "one").returncode == 0
    desk.offered()
    desk.run("solve", "one")
    desk.ca.inject(faults.refuse(429, problem="rateLimited", retry_after="3600"), "/finalize", times=None)
    done = desk.run("request", "one")
    assert "site/one: no certificate was made; " in done.stderr
    assert done.returncode != 0
