"""nginx says no, or nothing: the site at fault is held alone, nothing that answered is lost, and it heals."""

from __future__ import annotations

import socket
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.cli import views
from reconciler.describing import view
from reconciler.execute.batches.hands import local as hands
from reconciler.execute.probes import handshakes
from reconciler.model.ports import Limits
from tests.journeys.stage import FULL, held, told
from tests.servers.identity import make_identity
from tests.servers.ports import free_port
from tests.servers.processes import listens, until

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.doors.tls import Peer
    from reconciler.model.ports import Probe
    from tests.journeys.street import Street

NAMES = ("one", "two", "three")
LATER = timedelta(minutes=10)


def snapshot(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def write_extra(street: Street, name: str, text: str) -> str:
    """Write a file of the user's that a site's `values.extra` names."""
    path = street.stage.root / f"{name}.extra"
    path.write_text(text)
    return str(path)


def three(street: Street, broken: str, text: str) -> list[dict[str, object]]:
    """Three sites, one of which includes a file that breaks the test."""
    values = {name: {"extra": [write_extra(street, name, text if name == broken else "# fine\n")]} for name in NAMES}
    return [street.quick(name, targets=[{"name": "web", "values": values[name]}]) for name in NAMES]


@pytest.mark.parametrize("broken", NAMES)
def test_one_site_of_three_breaks_the_test_and_is_held_alone(street: Street, broken: str) -> None:
    street.write(*three(street, broken, "no_such_directive;\n"))
    reports = street.stage.apply()
    failed = [one for one in street.stage.outcomes(reports) if one[2] != "done"]
    assert {(verb, subject) for verb, subject, *_ in failed} == {("install", f"site/{broken}")}
    assert "no_such_directive" in failed[0][3]
    for name in NAMES:
        if name != broken:
            street.assert_served(name)
    assert sorted(path.stem for path in street.web.include.iterdir()) == sorted(set(NAMES) - {broken})
    assert street.web.reloads == 1
    assert street.web.test().returncode == 0
    [hold] = street.stage.diff().plan.holds
    assert (hold.site, hold.failed) == (broken, True)
    with street.stage.app(read_only=True) as app:
        item = app.engine.viewing(broken, app.engine.look(FULL, Limits()), None)
    assert [one["target"] for one in views.holds([dict(item)])] == ["web"], "`get holds` names the target"
    assert "no_such_directive" in hold.message
    # mended: the next attempt goes through
    write_extra(street, broken, "# fine\n")
    street.stage.shift = LATER
    street.stage.settle()
    street.assert_served(broken)


def test_site_is_found_by_halves_where_the_message_names_no_file(street: Street) -> None:
    """A test of the user's own may object without a name."""
    script = street.stage.root / "test.sh"
    script.write_text(f"#!/bin/sh\n! grep -q two.example.com {street.web.include}/*.conf\n")
    script.chmod(0o755)
    street.write(*(street.quick(name) for name in NAMES), target={"test": [str(script)]})
    street.stage.apply()
    assert sorted(path.stem for path in street.web.include.iterdir()) == ["one", "three"]
    assert {hold.site for hold in street.stage.diff().plan.holds} == {"two"}


def test_users_own_configuration_is_broken(street: Street) -> None:
    street.write(street.quick("one"))
    street.stage.settle()
    street.web.config.write_text(street.web.config.read_text() + "\nbroken here;\n")
    line = len(street.web.config.read_text().splitlines())
    before = snapshot(street.web.include)
    street.write(street.quick("one"), street.quick("two"))
    reports = street.stage.apply()
    [reload] = [one for one in reports[0].outcomes if one.change.verb == "reload"]
    assert (reload.status, reload.reason) == ("failed", "TargetBroken")
    assert f"{street.web.config}:{line}" in reload.message
    assert snapshot(street.web.include) == before, "nothing of ours stays"
    street.assert_served("one")
    hold = held(street.stage.diff())["two", "TargetBroken"]
    assert str(street.web.config) in hold.message
    # mended by its owner
    street.http()
    street.stage.shift = LATER
    street.stage.settle()
    street.assert_served("two")


def test_nginx_is_not_running(street: Street) -> None:
    street.web.stop()
    street.write(street.quick("one"))
    reports = street.stage.apply()
    [reload] = [one for one in reports[0].outcomes if one.change.verb == "reload"]
    assert (reload.status, reload.reason) == ("failed", "NotLoaded")
    assert "is nginx running?" in reload.message
    assert [one.change.verb for one in reports[0].outcomes][-1] == "reload", "told in the order in which it was done"
    assert [path.name for path in street.web.include.iterdir()] == ["one.conf"], "the files stay, so that it may start"
    street.web.start()
    street.stage.shift = LATER
    street.stage.settle()
    street.assert_served("one")


def test_reload_that_does_nothing_is_seen_and_nothing_is_lost(street: Street) -> None:
    """The command exits with 0 and nobody listens: there was nothing to lose, so the files stay."""
    street.web.stop()
    street.write(street.quick("one"), target={"reload": {"command": ["true"]}})
    reports = street.stage.apply()
    [reload] = [one for one in reports[0].outcomes if one.change.verb == "reload"]
    assert (reload.status, reload.reason) == ("failed", "NothingListens")
    assert [path.name for path in street.web.include.iterdir()] == ["one.conf"]
    street.web.start()
    street.stage.shift = LATER
    street.stage.settle()
    street.assert_served("one")


def test_port_that_a_test_opens_was_not_served_before(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """`nginx -t` listens for as long as it runs: a look that comes late must not meet that."""
    identity = make_identity(street.stage.root, "test")
    script = street.stage.root / "test.sh"
    listening = f"openssl s_server -accept 127.0.0.1:{street.tls_port} -cert {identity.certificate} -key {identity.key}"
    script.write_text(f"#!/bin/sh\ntimeout 2 {listening} -quiet <&0 >/dev/null 2>&1\nexit 0\n")
    script.chmod(0o755)
    look = handshakes._shaken

    def late(probe: Probe) -> Peer:
        time.sleep(0.5)
        return look(probe)

    monkeypatch.setattr(handshakes, "_shaken", late)
    street.web.stop()
    street.write(street.quick("one"), target={"test": [str(script)], "reload": {"command": ["true"]}})
    reports = street.stage.apply()
    [reload] = [one for one in reports[0].outcomes if one.change.verb == "reload"]
    assert (reload.status, reload.reason) == ("failed", "NothingListens")
    assert [path.name for path in street.web.include.iterdir()] == ["one.conf"], "nothing was lost"


def test_a_renewal_while_nginx_is_down_is_not_taken_back(street: Street) -> None:
    """Served before, and nothing listens now: that was not the new files' doing."""
    street.write(street.quick("one"), target={"reload": {"command": ["true"]}})
    street.stage.apply()
    street.web.reload()
    street.stage.shift = LATER
    street.stage.settle()
    street.web.stop()
    street.write(street.quick("one", "www.example.com"), target={"reload": {"command": ["true"]}})
    street.stage.apply()
    assert "www.example.com" in (street.web.include / "one.conf").read_text()


def test_files_are_put_back_where_a_name_would_lose_its_certificate(street: Street) -> None:
    street.write(street.quick("one"), street.quick("two"))
    street.stage.settle()
    before = snapshot(street.web.include)
    # good for `nginx -t`, but it listens somewhere else
    away = f"server {{ listen 127.0.0.1:{free_port()} ssl; server_name x; ssl_certificate {{{{ fullchain }}}}; "
    away += "ssl_certificate_key {{ key }}; }\n"
    street.write(street.quick("one"), street.quick("two"), target={"template": {"inline": away}})
    reports = street.stage.apply()
    failed = [one for one in street.stage.outcomes(reports) if one[2] != "done"]
    assert failed
    assert any("put back" in message for *_, message in failed)
    assert snapshot(street.web.include) == before
    for name in ("one", "two"):
        street.assert_served(name)
    diff = street.stage.diff()
    assert {hold.site for hold in diff.plan.holds} == {"one", "two"}
    assert told(diff) == [], "what was put back is no drift"
    # and back: nothing to do
    street.write(street.quick("one"), street.quick("two"))
    street.stage.shift = LATER
    street.stage.settle()


@pytest.mark.parametrize("how", ["edited", "deleted", "chmod"])
def test_drift_is_shown_and_repaired(street: Street, how: str) -> None:
    street.write(street.quick("one"))
    street.stage.settle()
    path = street.web.include / "one.conf"
    before = path.read_bytes()
    if how == "edited":
        path.write_text("# mine\n")
    elif how == "deleted":
        path.unlink()
    else:
        path.chmod(0o666)
    diff = street.stage.diff()
    [install] = [change for change in diff.plan.changes if change.verb == "install"]
    assert (install.reason, [file.change for file in install.files]) == ("Drifted", ["restore"])
    street.stage.settle()
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o644
    street.assert_served("one")


def test_foreign_file_is_never_overwritten(street: Street) -> None:
    path = street.web.include / "one.conf"
    path.write_text("# a person's own\n")
    street.write(street.site("one"), street.quick("two"))
    diff = street.stage.diff()
    assert ("one", "ForeignFile") in held(diff)
    street.stage.apply()
    assert path.read_text() == "# a person's own\n"
    street.assert_served("two")
    path.unlink()
    street.stage.settle()
    street.assert_served("one")


def test_foreign_file_is_adopted_where_the_target_says_so_and_no_placeholder_takes_its_place(street: Street) -> None:
    path = street.web.include / "one.conf"
    path.write_text("# a person's own\n")
    street.write(street.site("one"), target={"existing": "adopt"})
    diff = street.stage.diff()
    assert "Placeholder" not in {change.reason for change in diff.plan.changes}
    [install] = [change for change in diff.plan.changes if change.verb == "install"]
    assert [file.change for file in install.files] == ["adopt"]
    assert install.files[0].before == "# a person's own\n"
    street.stage.settle()
    street.assert_served("one")


def test_nginx_is_not_there_at_all(street: Street) -> None:
    street.write(street.quick("one"), target={"test": ["/usr/sbin/no-such-server", "-t"]})
    reports = street.stage.apply()
    [reload] = [one for one in reports[0].outcomes if one.change.verb == "reload"]
    assert reload.reason == "TargetBroken"
    assert "no-such-server" in reload.message
    assert list(street.web.include.iterdir()) == []
    assert not street.stage.live("one").meta.placeholder, "the certificate itself is there"


def test_a_port_that_speaks_no_tls_is_told(street: Street) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as silent:
        street.write(street.quick("one"), target={"verify": {"ports": [silent.getsockname()[1]], "mode": "warn"}})
        street.stage.apply()
    seen = street.stage.memory("one").served["web"]
    assert not seen.ok
    assert seen.ports[0].message


def test_nginx_runs_with_another_configuration(street: Street) -> None:
    """What answers at the port knows nothing of our files: that is told, and nothing is taken for served."""
    other = make_identity(street.stage.root / "other", "one.example.com")
    street.web.config.write_text(
        street.web.config.read_text().replace(f"include {street.web.include}/*.conf;", "")[: -len("}\n")]
        + f"server {{ listen {street.tls_port} ssl; ssl_certificate {other.certificate}; "
        f"ssl_certificate_key {other.key}; }}\n}}\n"
    )
    street.web.reload()
    street.write(street.quick("one", "one.example.com", "www.one.example.com"))
    [reload] = [one for one in street.stage.apply()[0].outcomes if one.change.verb == "reload"]
    assert (reload.status, reload.reason) == ("failed", "NotIncluded")
    assert "the server does not include our configuration" in reload.message
    assert "for one.example.com" in reload.message, "whose certificate is shown there"
    street.http()
    street.stage.shift = LATER
    street.stage.settle()
    street.assert_served("one", "one.example.com", "www.one.example.com")


def test_a_reload_that_hangs_is_ended_and_one_that_takes_its_time_is_waited_for(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(hands._SECONDS, "reload", 1.0)
    street.write(street.quick("one"), target={"reload": {"command": ["sleep", "60"]}})
    [reload] = [one for one in street.stage.apply()[0].outcomes if one.change.verb == "reload"]
    assert (reload.status, reload.reason) == ("failed", "NotLoaded")
    assert "did not end within 1 s and was killed" in reload.message
    script = street.stage.root / "later.sh"
    script.write_text(f"#!/bin/sh\n(sleep 3; {' '.join(street.web.reload_argv)}) >/dev/null 2>&1 &\n")
    script.chmod(0o755)
    street.write(street.quick("one"), street.quick("two"), target={"reload": {"command": [str(script)]}})
    street.stage.shift = LATER
    street.web.reload()
    until(lambda: listens("127.0.0.1", street.tls_port), "nginx has reloaded")  # who answered before is waited for
    street.stage.settle()
    street.assert_served("one")
    street.assert_served("two")


@pytest.mark.parametrize("broken", [{"reload": {"command": ["false"]}}, {"test": ["false"]}])
def test_a_command_that_is_mended_in_the_manifest_is_tried_at_once(street: Street, broken: dict[str, object]) -> None:
    for _ in range(2):
        street.write(street.quick("one"), target=broken)
        street.stage.apply()
        street.stage.shift += timedelta(seconds=6)
    assert [hold.reason for hold in street.stage.diff().plan.holds] == ["TargetBroken"]
    street.write(street.quick("one"))
    street.stage.settle()
    street.assert_served("one")


def test_a_reload_that_failed_is_described_also_once_it_is_due_again(street: Street) -> None:
    street.write(street.quick("one"), target={"reload": {"command": ["false"]}})
    street.stage.apply()
    street.stage.shift += timedelta(hours=1)
    report = street.stage.diff()
    assert held(report) == {}
    failures = view("one", report, None)["status"]["failures"]  # type: ignore[index]
    assert failures["count"] == 1
    assert failures["last"]["detail"].startswith("target web: the reload failed: ")
