"""Postfix from first certificate to removal: a map by name, taken up at the next connection without a reload."""

from __future__ import annotations

import itertools
import stat
import threading
import time
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.doors.tls import handshake
from reconciler.execute.batches.hands.local import LocalHands
from reconciler.model.changes import Reason
from reconciler.model.desired import PostfixTarget as Target
from reconciler.model.desired import Reload
from reconciler.model.names import Part
from reconciler.model.ports import Changed, Limits
from reconciler.targets import postfix as maps
from tests.journeys.stage import document, held, site, told
from tests.mounts import fill, in_memory, mounted
from tests.servers.handshake import handshake as served
from tests.servers.identity import make_identity
from tests.servers.postfix import Postfix, postfix
from tests.servers.processes import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.journeys.stage import Stage


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[Postfix]:
    with postfix() as server:
        yield server


@pytest.fixture(name="mail")
def _mail(server: Postfix, stage: Stage) -> Postfix:
    for path in server.include.iterdir():
        path.unlink()
    (server.run / "reloads").unlink(missing_ok=True)
    stage.write("mail.yaml", target(server))
    return server


def target(server: Postfix, **spec: object) -> dict[str, object]:
    values = {
        "type": "postfix",
        "configDirectory": str(server.include),
        "test": list(server.test_argv),
        "postmap": list(server.postmap_argv),
        "reload": {"command": list(server.reload_argv)},
        "verify": {"ports": [server.smtps, {"port": server.smtp, "starttls": "smtp"}]},
        **spec,
    }
    return document("Target", "mail", values)


def mail_site(name: str, *hostnames: str, asked: str | None = None) -> dict[str, object]:
    annotations = {"certwright/renewAt": asked} if asked else {}
    return site(name, *hostnames, issuers=["ca"], targets=["mail"], annotations=annotations)


def shown(server: Postfix, name: str | None) -> set[str]:
    """Give the fingerprints that both ports show for a name."""
    return {
        handshake("127.0.0.1", server.smtps, name, timeout=10).fingerprint,
        handshake("127.0.0.1", server.smtp, name, timeout=10, starttls="smtp").fingerprint,
    }


def test_a_site_is_served_by_name_renewed_and_removed(mail: Postfix, stage: Stage) -> None:
    other = mail_site("b", "b.example.com", "*.b.example.com", "192.0.2.1")
    stage.write("sites.yaml", mail_site("a"), other)
    stage.settle()
    first = stage.live("a").facts.fingerprint
    assert shown(mail, "a.example.com") == {first}
    assert shown(mail, "x.b.example.com") == {stage.live("b").facts.fingerprint}
    own = shown(mail, None)
    assert shown(mail, "unknown.example.com") == own
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in mail.include.iterdir()}
    assert modes == dict.fromkeys(("a.pem", "b.pem", "sni", "sni.db"), 0o600)

    before = mail.reloads
    time.sleep(1.1)  # Postfix compares times of the map by the second
    stage.write("sites.yaml", mail_site("a", asked="now"), other)
    stage.settle()
    second = stage.live("a").facts.fingerprint
    assert second != first
    assert shown(mail, "a.example.com") == {second}
    assert mail.reloads == before  # the next connection has it, without a reload

    (mail.include / "a.pem").write_text("nonsense\n")
    (mail.include / "sni").write_text("a.example.com /nowhere\n")
    stage.settle()
    assert shown(mail, "a.example.com") == {second}

    time.sleep(1.1)  # and so it does for a name that leaves
    stage.write("sites.yaml", other)
    stage.settle(Limits(removals=1))
    assert shown(mail, "a.example.com") == own
    assert shown(mail, "b.example.com") == {stage.live("b").facts.fingerprint}


def test_two_certificates_in_one_second_are_both_taken_up(mail: Postfix, stage: Stage) -> None:
    for asked in "1234":
        stage.write("sites.yaml", mail_site("a", asked=asked))
        stage.settle()
        assert shown(mail, "a.example.com") == {stage.live("a").facts.fingerprint}


def test_the_map_stays_without_keys_when_the_last_site_leaves(mail: Postfix, stage: Stage) -> None:
    stage.write("sites.yaml", mail_site("a"))
    stage.settle()
    own = shown(mail, None)
    time.sleep(1.1)  # Postfix compares times of the map by the second
    stage.write("sites.yaml", site("a", issuers=["ca"]))
    stage.settle()
    assert sorted(path.name for path in mail.include.iterdir()) == ["sni", "sni.db"]
    assert b"LS0tLS" not in (mail.include / "sni.db").read_bytes()  # no PEM in base64
    assert shown(mail, "a.example.com") == own
    time.sleep(1.1)
    stage.write("sites.yaml", mail_site("a"))
    stage.settle()
    assert shown(mail, "a.example.com") == {stage.live("a").facts.fingerprint}


def test_the_default_sites_certificate_needs_a_reload(mail: Postfix, stage: Stage) -> None:
    stage.write("mail.yaml", target(mail, defaultSite="a"))
    stage.write("sites.yaml", mail_site("a"), mail_site("b"))
    stage.settle()
    mail.configure(mail.include / "a.pem")
    stage.write("sites.yaml", mail_site("a", asked="1"), mail_site("b"))
    stage.settle()
    assert shown(mail, None) == {stage.live("a").facts.fingerprint}
    before = mail.reloads
    time.sleep(1.1)
    stage.write("sites.yaml", mail_site("a", asked="1"), mail_site("b", asked="1"))
    stage.settle()
    assert mail.reloads == before
    mail.configure()


def test_a_pair_that_does_not_fit_never_gets_into_the_map(mail: Postfix, stage: Stage) -> None:
    stage.write("sites.yaml", mail_site("a"), mail_site("b"))
    stage.settle()
    served = shown(mail, "a.example.com")
    with (mail.include / "sni").open("a") as source:
        source.write("mine.example.com /nowhere/mine.pem\n")
    stage.write("sites.yaml", mail_site("a", asked="1"), mail_site("b"))
    reports = stage.apply()
    stage.assert_calm()  # what was added stood in a block of ours, and was put back
    assert all(status == "done" for _, _, status, _ in stage.outcomes(reports)), stage.outcomes(reports)
    assert shown(mail, "a.example.com") == {stage.live("a").facts.fingerprint} != served


def test_a_postmap_that_fails_is_told(mail: Postfix, stage: Stage) -> None:
    stage.write("mail.yaml", target(mail, postmap=["/bin/sh", "-c", "echo no such map type; exit 1"]))
    stage.write("sites.yaml", mail_site("a"))
    reports = stage.apply()
    failed = [told for verb, _, status, told in stage.outcomes(reports) if status == "failed" and verb == "reload"]
    assert failed
    assert failed[0].startswith(Reason.NOT_LOADED)
    assert "no such map type" in failed[0]
    assert shown(mail, None)


def test_a_pair_that_nothing_mends_leaves_the_map_alone(mail: Postfix, stage: Stage) -> None:
    stage.write("sites.yaml", mail_site("a"), mail_site("b"))
    stage.settle()
    own = shown(mail, None)
    (mail.include / "b.pem").write_text("nonsense\n")
    stage.path("b", "privkey.pem").write_text("nonsense\n")
    suspended = site("b", issuers=["ca"], targets=["mail"], suspend=True)
    time.sleep(1.1)  # Postfix compares times of the map by the second
    stage.write("sites.yaml", mail_site("a", asked="1"), suspended)
    reports = stage.apply()
    undone = [(verb, subject) for verb, subject, status, _ in stage.outcomes(reports) if status != "done"]
    assert undone == [("install", "site/b")]
    assert shown(mail, "a.example.com") == {stage.live("a").facts.fingerprint}
    assert shown(mail, "b.example.com") == own
    assert not (mail.include / "b.pem").exists()
    last = stage.memory("b").failures["target/mail"].last
    assert last is not None
    assert "taken out of the configuration" in last.detail
    stage.write("sites.yaml", mail_site("a", asked="1"), mail_site("b"))
    stage.settle()
    assert shown(mail, "b.example.com") == {stage.live("b").facts.fingerprint}


@pytest.mark.parametrize("what", ["gone", "garbage", "older"])
def test_a_map_that_somebody_changed_is_built_anew(mail: Postfix, stage: Stage, what: str) -> None:
    stage.write("sites.yaml", mail_site("a"), mail_site("b"))
    stage.settle()
    database = mail.include / "sni.db"
    former = database.read_bytes()
    stage.write("sites.yaml", mail_site("a", asked="1"), mail_site("b"))
    stage.settle()
    if what == "gone":
        database.unlink()
    else:
        database.write_bytes(former if what == "older" else b"garbage\n" * 5000)
    report = stage.diff()
    assert told(report) == [("reload", "target/mail", "NotLoaded")]
    assert str(database) in report.plan.changes[0].message
    stage.settle()
    for name in "ab":
        assert shown(mail, f"{name}.example.com") == {stage.live(name).facts.fingerprint}
    assert stage.memory("b").served["mail"].ok


def test_a_map_that_is_gone_waits_for_no_delay(mail: Postfix, stage: Stage) -> None:
    """No name has TLS without it, and for two minutes after each reload `run` would have looked on."""
    stage.write("mail.yaml", target(mail, reload={"command": list(mail.reload_argv), "delay": "1h"}))
    stage.write("sites.yaml", mail_site("a"))
    stage.settle()
    stage.write("sites.yaml", mail_site("a"), mail_site("b"))
    watching = Limits(batching=True)
    stage.apply(limits=watching)
    assert Reason.RELOAD_DELAYED in {reason for _, reason in held(stage.diff(limits=watching))}
    (mail.include / "sni.db").unlink()
    stage.apply(limits=watching)
    assert shown(mail, "a.example.com") == {stage.live("a").facts.fingerprint}


def test_a_map_of_another_type_is_built_where_one_is_declared(mail: Postfix, stage: Stage) -> None:
    """By the same path (hash, btree), or by another: without it no name has TLS once `main.cf` names it."""
    stage.write("sites.yaml", mail_site("a"))
    stage.settle()
    *words, table = mail.postmap_argv
    stage.write("mail.yaml", target(mail, postmap=[*words, table.replace("hash:", "btree:", 1)]))
    main = mail.run / "conf" / "main.cf"
    main.write_text(main.read_text().replace("hash:", "btree:"))
    report = stage.diff()
    assert told(report) == [("reload", "target/mail", "NotLoaded")]
    assert report.plan.changes[0].message == f"{mail.include}/sni.db was not made as btree yet"
    stage.settle()
    assert shown(mail, "a.example.com") == {stage.live("a").facts.fingerprint}
    mail.configure()


def name_of(server: Postfix, name: str) -> bool:
    """Tell whether a name is served with a certificate for it."""
    try:
        return name in served(server.smtps, name).names
    except OSError:
        return False


def test_no_name_ever_shows_the_certificate_of_another(mail: Postfix, tmp_path: Path) -> None:
    """Who has a map open while it is written over in place finds the keys of others where its own stood."""
    names = [f"s{number}.example.com" for number in range(4)]
    more = [[f"{'x' * 20}{number}.{name}" for number in range(24)] for name in names]
    made = {
        name: [make_identity(tmp_path / f"{name}.{few}", name, *(() if few else extra)) for few in (True, False)]
        for name, extra in zip(names, more, strict=True)
    }
    values = Target(
        name="mail",
        config_directory=str(mail.include),
        postmap=mail.postmap_argv,
        reload=Reload(mail.reload_argv),
    )
    seen: list[tuple[str, object]] = []
    over = threading.Event()

    def build(turn: int, *changed: Changed) -> None:
        for number, name in enumerate(names):
            one = made[name][(turn + number) % 2]
            (mail.include / "new").write_bytes(one.key.read_bytes() + one.certificate.read_bytes())
            (mail.include / "new").replace(mail.include / f"{name}.pem")
        order = [names[(turn + number) % len(names)] for number in range(len(names))]
        (mail.include / "sni").write_text("".join(f"{name} {mail.include}/{name}.pem\n" for name in order))
        (mail.include / "sni").chmod(0o600)
        assert maps.Postfix(values).activate(LocalHands(), changed).ok

    def ask() -> None:
        for name in itertools.cycle(names):
            if over.is_set():
                return
            try:
                names_shown = served(mail.smtps, name).names
                seen.append((name, None if name in names_shown else names_shown))
            except OSError as error:
                seen.append((name, error))

    build(0)
    until(lambda: name_of(mail, names[0]), "Postfix was reloaded")
    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    for turn in range(1, 26):
        build(turn, Changed("x", Part.COMBINED, "replace"))
        time.sleep(0.03 * (turn % 7))
    over.set()
    for thread in asking:
        thread.join()
    assert len(seen) > 100
    assert [one for one in seen if one[1] is not None] == []


def test_a_full_disk_leaves_the_map_that_is_in_use(stage: Stage) -> None:
    """Room for the new pairs, none for the longer map: `postmap` would leave half of it, and nobody a handshake."""
    full = in_memory("size=400k,mode=755")
    with postfix() as server, mounted(server.include, *full) as place, ExitStack() as life:
        life.callback(server.stop)  # its processes hold the map, and so the mount
        stage.write("mail.yaml", target(server))
        old = [mail_site(f"s{number}") for number in range(4)]
        stage.write("sites.yaml", *old)
        stage.settle()
        served = [shown(server, f"s{number}.example.com") for number in range(4)]
        ballast = fill(place, spare=28 << 10)
        new = mail_site("n", *(f"n{number}.example.com" for number in range(24)))
        stage.write("sites.yaml", *old, new)
        reports = stage.apply()
        assert [(verb, subject) for verb, subject, status, _ in stage.outcomes(reports) if status != "done"] == [
            ("reload", "target/mail")
        ]
        assert "No space left" in stage.outcomes(reports)[-1][3]
        assert [shown(server, f"s{number}.example.com") for number in range(4)] == served
        assert sorted(path.name for path in place.glob(".certwright*")) == []
        ballast.unlink()
        stage.shift = timedelta(minutes=1)
        stage.settle()
        assert shown(server, "n5.example.com") == {stage.live("n").facts.fingerprint}


def test_a_map_that_is_taken_away_while_the_server_reloads_is_built_by_the_next_apply(
    mail: Postfix, stage: Stage
) -> None:
    """No handshake tells of it here."""
    built, away = mail.include / "sni.db", stage.root / "away"
    once = f"if [ -e {away} ]; then rm {away} {built}; fi; {mail.reload_argv[2]}"
    stage.write(
        "mail.yaml", target(mail, defaultSite="a", verify={"mode": "off"}, reload={"command": ["/bin/sh", "-c", once]})
    )
    stage.write("sites.yaml", mail_site("a"))
    stage.settle()
    away.touch()
    stage.write("sites.yaml", mail_site("a", asked="now"))
    stage.apply()
    stage.settle()
    assert shown(mail, "a.example.com") == {stage.live("a").facts.fingerprint}
