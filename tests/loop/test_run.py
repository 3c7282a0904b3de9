"""`certwright run` as a process, over real files."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.loop.street import Street, certwright, running, site
from tests.servers.processes import until

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(name="street")
def _street(tmp_path: Path) -> Street:
    street = Street(tmp_path)
    street.write("one", site("one"))
    return street


def children(pid: int) -> str:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as found:  # noqa: PTH123  a file of the kernel
        return found.read()


@pytest.mark.parametrize("watching", [True, False], ids=["watched", "only walked"])
def test_an_edit_converges_and_drift_is_repaired(street: Street, *, watching: bool) -> None:
    words = () if watching else ("--no-watch",)
    with running(street, *words) as process:
        until(street.installed("one").exists, "the first site is installed")
        street.write("two", site("two"))
        until(street.installed("two").exists, "a new site is installed")
        good = street.installed("two").read_bytes()
        street.installed("two").write_text("changed by someone")
        until(lambda: street.installed("two").read_bytes() == good, "what someone changed is repaired")
        street.installed("two").unlink()
        until(street.installed("two").exists, "what someone deleted is repaired")
        (street.home / "manifests" / "deeper").mkdir()
        (street.home / "manifests" / "deeper" / "three.yaml").write_text(site("three"))
        until(street.installed("three").exists, "a site in a new directory is installed")
        assert process.stop() == 0
    assert "Traceback" not in process.log


def test_a_second_run_is_refused_with_the_first_ones_pid(street: Street) -> None:
    with running(street) as process:
        until(street.installed("one").exists, "the first site is installed")
        second = certwright(street, "run")
        assert second.returncode == 3
        assert str(process.child.pid) in second.stderr
        assert process.stop(signal.SIGINT) == 0
    # and its lock is no hindrance to the next one
    with running(street) as process:
        until(lambda: process.log.count("run started") == 2, "a new run begins")
        assert process.stop() == 0


def test_a_broken_file_keeps_its_last_good_meaning_until_it_is_mended(street: Street) -> None:
    street.write("two", site("two"))
    with running(street) as process:
        until(lambda: street.installed("one").exists() and street.installed("two").exists(), "both are installed")
        street.write("one", "kind: [")
        until(lambda: process.says("InvalidManifest site/one"), "the hold begins")
        until(lambda: certwright(street, "status").returncode == 1, "who asks is told of it")
        assert f"{street.home}/manifests/one.yaml:1:" in certwright(street, "status").stdout
        street.installed("one").unlink()
        until(street.installed("one").exists, "its installed file is still repaired")
        street.write("three", site("three"))
        until(street.installed("three").exists, "other files are still read")
        before = street.installed("one").read_bytes()
        street.write("one", site("one", hostnames="one.example.com, www.example.com"))
        until(lambda: street.installed("one").read_bytes() != before, "the mended file converges")
        assert process.stop() == 0


def test_what_a_person_asks_for_beside_it_is_noticed(street: Street) -> None:
    with running(street) as process:
        until(street.installed("one").exists, "the first site is installed")
        until(lambda: process.says("looked at"), "the first look is over")
        before = street.installed("one").read_bytes()
        renewed = certwright(street, "renew", "one")
        assert renewed.returncode == 0, renewed.stderr
        until(lambda: street.installed("one").read_bytes() != before, "the renewed certificate is installed")
        street.write("two", site("two"))
        applied = certwright(street, "apply")
        assert applied.returncode == 0, applied.stderr
        assert street.installed("two").exists()
        assert process.stop() == 0
    assert certwright(street, "diff").returncode == 0


def test_a_stop_during_a_reload_waits_for_it(tmp_path: Path) -> None:
    mark = tmp_path / "reloaded"
    street = Street(tmp_path, reload=f', reload: {{command: [sh, -c, "sleep 2; touch {mark}"], delay: 0s}}')
    street.write("one", site("one"))
    with running(street) as process:
        until(street.installed("one").exists, "the batch has begun")
        assert process.stop() == 0
        assert mark.exists()


def test_nothing_grows_while_it_runs(street: Street) -> None:
    with running(street) as process:
        until(lambda: process.says("looked at"), "the first look is over")

        def edit(number: int) -> None:
            name = f"n{number}.example.com"
            street.write("one", site("one", hostnames=f"one.example.com, {name}"))
            until(lambda: process.log.count("done install") > number, f"edit {number} is installed")

        edit(1)
        edit(2)
        until(lambda: process.threads() <= 3, "the threads of plans end")
        time.sleep(1.5)  # the feed is read, the databases are open
        threads, descriptors = process.threads(), process.descriptors()
        for number in range(3, 8):
            edit(number)
        until(lambda: process.threads() <= threads, "the threads of plans end")
        until(lambda: process.descriptors() <= descriptors, "descriptors are given back")
        assert children(process.child.pid) == ""
        assert process.stop() == 0


def test_a_killed_run_is_continued_by_the_next_one(street: Street) -> None:
    with running(street) as process:
        until(lambda: process.says("done issue"), "a certificate is issued")
        process.child.kill()
        process.child.wait(10)
        before = process.log
    with running(street) as process:
        # the killed one wrote into the same log, and may have come as far
        until(lambda: "looked at" in process.log[len(before) :], "the first look is over")
        until(street.installed("one").exists, "what was left is installed")
        assert process.stop() == 0
    assert process.log.count("done issue site/one") == 1


def test_an_idle_run_costs_next_to_nothing(street: Street) -> None:
    with running(street) as process:
        until(lambda: process.says("looked at"), "the first look is over")
        ticks = os.sysconf("SC_CLK_TCK")

        def used() -> float:
            with open(f"/proc/{process.child.pid}/stat", encoding="ascii") as found:  # noqa: PTH123
                fields = found.read().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / ticks

        def rests() -> bool:
            before = used()
            time.sleep(0.5)
            return used() - before < 0.03

        until(rests, "it comes to rest")
        before = used()
        time.sleep(3.0)
        assert used() - before < 0.15
        assert process.stop() == 0


def test_a_tree_with_nothing_to_read_is_refused(tmp_path: Path) -> None:
    street = Street(tmp_path)
    for name in ("00-server", "01-panel"):
        street.remove(name)
    (street.home / "manifests").rmdir()
    refused = certwright(street, "run")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
