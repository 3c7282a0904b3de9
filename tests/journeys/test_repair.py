"""Drift under `run` while `reload.delay` runs: what was loaded stands there again within ten seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.model.ports import Scope
from tests.journeys.stage import ca_site, copy_target, document, held
from tests.loop.street import Process, certwright, running
from tests.servers.processes import listens, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.journeys.stage import Stage
    from tests.journeys.street import Street

SOON = 10.0


@dataclass(frozen=True)
class Home:
    """The street's machine, for a process."""

    home: Path

    @property
    def manifests(self) -> str:
        return str(self.home / "manifests")

    @property
    def state(self) -> str:
        return str(self.home / "state")


@pytest.fixture(name="home")
def _home(street: Street) -> Home:
    return Home(street.stage.root)


def write(street: Street, *, delay: str = "1h", **target: object) -> None:
    reload = {"command": list(street.web.reload_argv), "delay": delay}
    street.write(street.quick("one"), street.quick("two"), target={"reload": reload, **target})


@pytest.fixture(name="process")
def _process(street: Street, home: Home) -> Iterator[Process]:
    """A `run` whose nginx was reloaded a moment ago, and is reloaded no more.

    One apply installs both sites: `run` may take one before the other, which would then wait for its reload.
    """
    write(street)
    street.stage.settle()
    with running(home) as process:
        until(lambda: process.says("looked at"), "the first look is over")
        yield process
        assert process.stop() == 0
        assert "Traceback" not in process.log


@pytest.mark.parametrize("how", ["deleted", "edited", "opened"])
def test_what_was_loaded_is_put_back_at_once_and_the_reload_waits(street: Street, process: Process, how: str) -> None:
    path, reloads = street.web.include / "one.conf", street.web.reloads
    good = path.read_bytes()
    for time_ in range(2):
        if how == "deleted":
            path.unlink()
        elif how == "edited":
            path.write_text("no_such_directive;\n")
        else:
            path.chmod(0o666)
        began = time.monotonic()
        until(
            lambda: path.exists() and path.read_bytes() == good and path.stat().st_mode & 0o777 == 0o644,
            f"it is put back, time {time_ + 1}",
            SOON,
        )
        assert time.monotonic() - began < SOON
        until(lambda: process.log.count("done install site/one") > time_, "it is told", SOON)  # noqa: B023
    assert street.web.test().returncode == 0
    assert street.web.reloads == reloads, "the reload has its time"
    time.sleep(1.5)
    assert street.web.reloads == reloads
    diff = street.stage.diff()
    assert [change.verb for change in diff.plan.changes] == ["reload"], "a one-time verb need not wait"
    assert "may have been reloaded before what someone changed was put back" in diff.plan.changes[0].message
    street.assert_served("one")


def test_a_server_that_was_reloaded_meanwhile_is_reloaded_once_the_delay_is_over(street: Street, home: Home) -> None:
    """As by logrotate, between the deletion and its repair: then the server has lost the site."""
    write(street, delay="12s")
    street.stage.settle()
    with running(home) as process:
        until(lambda: process.says("looked at"), "the first look is over")
        (street.web.include / "two.conf").unlink()
        street.web.reload()
        until(
            lambda: street.served("two.example.com").fingerprint == street.stage.live("one").facts.fingerprint, "lost"
        )
        until((street.web.include / "two.conf").exists, "it is put back", SOON)
        two = street.stage.live("two").facts.fingerprint
        until(lambda: street.served("two.example.com").fingerprint == two, "it is served again", 30)
        until(lambda: certwright(home, "status").returncode == 0, "all is well", 20)
        assert certwright(home, "diff").returncode == 0
        assert process.stop() == 0


def test_a_change_is_not_written_with_what_is_put_back(street: Street, process: Process) -> None:
    """Somebody edits a file whose template has changed as well: what was not tested waits for its turn."""
    before = (street.web.include / "one.conf").read_bytes()
    extra = street.stage.root / "extra"
    extra.write_text("# fine\n")
    write(street, values={"extra": [str(extra)]})
    until(lambda: process.says("ReloadDelayed"), "the change waits", SOON)
    (street.web.include / "one.conf").write_text("# by hand\n")
    time.sleep(3)
    assert (street.web.include / "one.conf").read_bytes() != before
    assert str(extra) not in (street.web.include / "one.conf").read_text()


def test_files_of_a_broken_target_are_put_back_too(street: Street) -> None:
    """The server's own test fails by what is the user's: ours stand all the same as they were loaded."""
    write(street)
    street.stage.settle()
    street.web.config.write_text(street.web.config.read_text() + "\nbroken here;\n")
    street.write(street.quick("one"), street.quick("two"), street.quick("three"))
    street.stage.apply()
    assert ("three", "TargetBroken") in held(street.stage.diff())
    (street.web.include / "one.conf").unlink()
    reports = street.stage.apply()
    assert [row[:3] for row in street.stage.outcomes(reports)] == [("install", "site/one", "done")]
    assert (street.web.include / "one.conf").exists()


def test_a_file_that_names_what_is_live_is_put_back_while_a_new_certificate_waits(street: Street) -> None:
    """It is the same for both certificates; the damaged one would keep the server from being started."""
    write(street)
    street.stage.settle()
    before = (street.web.include / "one.conf").read_bytes()
    street.web.config.write_text(street.web.config.read_text() + "\nbroken here;\n")
    again = {"annotations": {"certwright/renewAt": "1"}}
    street.write(street.quick("one", **again), street.quick("two"))
    street.stage.apply()
    assert ("one", "TargetBroken") in held(street.stage.diff())
    (street.web.include / "one.conf").write_bytes(before[:90])
    reports = street.stage.apply()
    assert [row[:3] for row in street.stage.outcomes(reports)] == [("install", "site/one", "done")]
    assert (street.web.include / "one.conf").read_bytes() == before


def test_a_changed_file_of_another_site_is_put_back_or_named_with_the_way_out(street: Street) -> None:
    """A reload for one site would load it for all; only what a person wants left as it is stays so."""
    write(street)
    street.stage.settle()
    path = street.web.include / "one.conf"
    before = path.read_bytes()
    path.write_bytes(before[:90])
    street.write(street.quick("one"), street.quick("two", annotations={"certwright/renewAt": "1"}))
    street.stage.apply(Scope(sites=frozenset({"two"})))
    assert path.read_bytes() == before
    street.assert_served("two")
    street.stage.settle()
    path.write_bytes(before[:90])
    street.write(street.quick("one", suspend=True), street.quick("two", annotations={"certwright/renewAt": "2"}))
    street.stage.apply(Scope(sites=frozenset({"one"})))
    reports = street.stage.apply(Scope(sites=frozenset({"two"})))
    told = [text for verb, _, status, text in street.stage.outcomes(reports) if (verb, status) == ("reload", "failed")]
    assert told
    assert told[0].endswith(
        "somebody changed that file of site one: it is suspended, so put the file back, or resume it"
    )
    street.write(street.quick("one"), street.quick("two"))
    street.stage.apply(Scope(sites=frozenset({"one"})))
    assert path.read_bytes() == before


def test_nobody_is_said_to_have_changed_a_file_that_the_batch_itself_put_back(street: Street) -> None:
    """What the file includes is gone: the former one fails the test as the new one does."""
    part = street.stage.root / "part.inc"
    part.write_text("")
    write(street, values={"extra": str(part)})
    street.stage.settle()
    part.unlink()
    before = (street.web.include / "one.conf").read_bytes()
    street.write(
        street.quick("one", "one.example.com", "new.example.com"),
        street.quick("two"),
        target={"values": {"extra": str(part)}},
    )
    reports = street.stage.apply(Scope(sites=frozenset({"one"})))
    assert (street.web.include / "one.conf").read_bytes() == before
    told = [text for verb, _, status, text in street.stage.outcomes(reports) if (verb, status) == ("reload", "failed")]
    assert str(part) in told[0]
    assert "somebody changed" not in told[0]


def test_the_shared_file_and_a_copied_key(street: Street, home: Home) -> None:
    """The file that answers challenges, and a key whose mode was opened."""
    out = street.stage.root / "out"
    out.mkdir()
    reload = {"command": ["true"], "delay": "1h"}
    street.write(
        street.quick("one", targets=["web", "copy"]),
        document("Target", "copy", {"type": "files", "key": f"{out}/{{site}}.key", "reload": reload}),
        target={"layout": "snippet", "reload": {"command": list(street.web.reload_argv), "delay": "1h"}},
    )
    street.http(
        f"server {{ listen 127.0.0.1:{street.tls_port} ssl; server_name one.example.com; "
        f"include {street.web.include}/one.conf; }}"
    )
    street.web.config.write_text(street.web.config.read_text().replace(f"include {street.web.include}/*.conf;", ""))
    with running(home) as process:
        until(lambda: listens("127.0.0.1", street.tls_port), "nginx has loaded it", 30)
        until(lambda: process.says("seen served"), "the site is served", 30)
        until((out / "one.key").exists, "the key is copied")
        (street.web.include / "http-01.conf").unlink()
        (out / "one.key").chmod(0o644)
        until((street.web.include / "http-01.conf").exists, "the shared file is put back", SOON)
        until(lambda: (out / "one.key").stat().st_mode & 0o777 == 0o600, "the key is closed again", SOON)
        assert process.stop() == 0
    assert {(one.target, one.reason) for one in street.stage.diff().plan.changes} == {
        ("web", "NotLoaded"),
        ("copy", "NotLoaded"),
    }
    street.stage.settle()


def test_a_reload_that_failed_for_a_path_alone_is_over_with_the_next_one(stage: Stage) -> None:
    """The revision was loaded long ago; what was not are the files as they stand now."""
    switch = stage.root / "broken"
    reload = {"command": ["/bin/sh", "-c", f"test ! -e {switch}"]}
    stage.write("target.yaml", copy_target(stage.root / "out", reload=reload))
    stage.write("sites.yaml", ca_site("one"))
    stage.settle()
    switch.touch()
    more = {"chain": str(stage.root / "out" / "{site}.chain")}
    stage.write("target.yaml", copy_target(stage.root / "out", reload=reload, **more))
    assert [row[2] for row in stage.outcomes(stage.apply()) if row[0] == "reload"] == ["failed"]
    switch.unlink()
    stage.shift = timedelta(minutes=10)
    stage.settle()
