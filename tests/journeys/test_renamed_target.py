"""A target that is renamed while something else of it changes too: on a real nginx, all are answered."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from reconciler.model.ports import Scope
from tests.journeys.stage import ca_site, copy_target, document
from tests.servers.handshake import handshake
from tests.servers.processes import until

if TYPE_CHECKING:
    from tests.journeys.stage import Stage
    from tests.journeys.street import Street

NAMES = ("one", "two")
ROOT = Path(__file__).resolve().parents[2]


def write(street: Street, name: str, **target: Any) -> None:  # noqa: ANN401
    made: dict[str, Any] = street.target(**target)
    street.write(*(street.quick(site, targets=[name]) for site in NAMES))
    base = street.stage.manifests / "base.yaml"
    documents = base.read_text().split("---\n")
    base.write_text("---\n".join(documents[:-1]))
    street.stage.write("target.yaml", document("Target", name, made["spec"]))


class Watch:
    """Asks for a name all the time; `lost` are answers that were not the site's certificate."""

    def __init__(self, street: Street) -> None:
        self.street, self.over, self.lost = street, threading.Event(), list[str]()
        self.thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self.over.wait(0.01):
            for name in NAMES:
                wanted = f"{name}.example.com"
                try:
                    seen = handshake(self.street.tls_port, wanted).names
                except OSError as error:
                    seen = frozenset({str(error)})
                if wanted not in seen:
                    self.lost.append(f"{wanted}: {seen}")

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()


@pytest.mark.parametrize("what", ["name alone", "template", "values", "directory", "layout of the listener", "all"])
def test_a_renamed_target_with_another_change(street: Street, what: str) -> None:
    write(street, "web")
    street.stage.settle()
    other = street.stage.root / "nginx" / "other.d"
    other.mkdir()
    street.http(f"include {other}/*.conf;")
    reloads = street.web.reloads + 1
    street.web.reload()
    until(lambda: street.web.reloads == reloads, "nginx has reloaded")
    extra = street.stage.root / "extra"
    extra.write_text("location /x { return 204; }\n")
    listen = f"listen {street.tls_port} ssl; server_name {{% for name in hostnames %}} {{{{ name }}}}{{% endfor %}};"
    inline = f"server {{ {listen} ssl_certificate {{{{ fullchain }}}}; ssl_certificate_key {{{{ key }}}}; }}\n"
    changes: dict[str, dict[str, Any]] = {
        "template": {"template": {"inline": inline}},
        "values": {"values": {"extra": [str(extra)]}},
        "directory": {"configDirectory": str(other)},
        "layout of the listener": {"values": {"listen": [f"0.0.0.0:{street.tls_port}"]}},
    }
    changes["all"] = {**changes["template"], **changes["directory"]}
    with Watch(street) as watch:
        write(street, "front", **changes.get(what, {}))
        street.stage.settle()
    assert watch.lost == []
    assert street.web.reloads - reloads <= 2
    for name in NAMES:
        street.assert_served(name)
    left = sorted(path.name for path in street.web.include.iterdir())
    there = sorted(path.name for path in other.iterdir())
    wanted = ["one.conf", "two.conf"]
    assert (left, there) == (([], wanted) if "configDirectory" in changes.get(what, {}) else (wanted, []))
    assert street.web.test().returncode == 0


def test_a_part_of_the_sites_does_not_follow_the_directory_alone(street: Street) -> None:
    """The server includes the new directory alone from its next reload on, so all move in one, and none before."""
    write(street, "web")
    street.stage.settle()
    other = street.stage.root / "nginx" / "other.d"
    other.mkdir()
    config = street.web.config
    config.write_text(config.read_text().replace(f"{street.web.include}/*.conf", f"{other}/*.conf"))
    with Watch(street) as watch:
        write(street, "web", configDirectory=str(other))
        for scope in (Scope(sites=frozenset({"one"})), Scope(sites=frozenset({"two"}))):
            [report] = street.stage.apply(scope)
            assert (report.plan.changes, {hold.reason for hold in report.plan.holds}) == ((), {"HandoverPending"})
            assert all(hold.failed for hold in report.plan.holds)
        assert list(other.iterdir()) == []
        street.stage.settle()
    assert watch.lost == []
    assert sorted(path.name for path in other.iterdir()) == ["one.conf", "two.conf"]
    assert list(street.web.include.iterdir()) == []
    street.stage.apply(Scope(sites=frozenset({"one"})))
    street.stage.assert_calm()


def test_a_new_target_that_cannot_be_tested_leaves_the_old_one_in_place(street: Street) -> None:
    write(street, "web")
    street.stage.settle()
    extra = street.stage.root / "extra"
    extra.write_text("no_such_directive;\n")
    before = {path.name: path.read_bytes() for path in street.web.include.iterdir()}
    with Watch(street) as watch:
        write(street, "front", values={"extra": [str(extra)]})
        street.stage.apply()
    assert watch.lost == []
    assert {path.name: path.read_bytes() for path in street.web.include.iterdir()} == before
    reasons = {(hold.site, hold.target, hold.reason) for hold in street.stage.diff().plan.holds}
    assert ("one", "web", "HandoverPending") in reasons
    assert ("one", "front", "RejectedByServer") in reasons
    extra.write_text("# fine\n")
    street.stage.shift = timedelta(minutes=10)
    street.stage.settle()
    with street.stage.app(read_only=True) as app:
        assert (sorted(app.store.inventory("front")), sorted(app.store.inventory("web"))) == (["one", "two"], [])


def test_a_rename_with_a_bad_reload_that_is_taken_back_leaves_nothing_to_do(street: Street) -> None:
    """The target that nobody declares any more has nothing that the other one has not taken back: no server hears."""
    write(street, "web")
    street.stage.settle()
    with Watch(street) as watch:
        write(street, "front", reload={"command": ["/bin/false"]})
        street.stage.apply()
        write(street, "web")
        street.stage.settle()
    assert watch.lost == []
    with street.stage.app(read_only=True) as app:
        assert (sorted(app.store.inventory("front")), sorted(app.store.inventory("web"))) == ([], ["one", "two"])


CUT = """
import pathlib, sys
from tests.journeys import killing, stage
one = stage.Stage(pathlib.Path(sys.argv[1]))
killing.arm(int(sys.argv[2]))
one.apply()
"""


@pytest.mark.parametrize("call", range(1, 60, 4))
def test_a_rename_that_is_cut_off_and_taken_back_beside_a_renewal(stage: Stage, call: int) -> None:
    def declare(target: str, asked: str) -> None:
        more = {"chain": str(stage.root / "copies" / "{site}.chain")} if target == "front" else {}
        made = copy_target(stage.root / "copies", **more)
        stage.write("target.yaml", {**made, "metadata": {"name": target}})
        stage.write(
            "sites.yaml",
            *(ca_site(name, targets=[target], annotations={"certwright/renewAt": asked}) for name in NAMES),
        )

    declare("web", "a")
    stage.settle()
    declare("front", "b")
    argv = (sys.executable, "-c", CUT, str(stage.root), str(call))
    cut = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=ROOT)
    assert cut.returncode in {0, -signal.SIGKILL}, cut.stderr
    declare("web", "c")
    stage.settle()
    left = {path.name for path in (stage.state / "inventory" / "front").rglob("*") if path.is_file()}
    assert left <= {"target.json"}


def test_two_sites_that_change_places(street: Street) -> None:
    """Neither target waits for the other for ever."""
    other = street.stage.root / "nginx" / "other.d"
    other.mkdir()
    street.http(f"include {other}/*.conf;")
    made: dict[str, Any] = street.target(configDirectory=str(other))
    street.stage.write("target.yaml", document("Target", "other", made["spec"]))
    street.write(street.quick("one"), street.quick("two", targets=["other"]))
    street.stage.settle()
    street.write(street.quick("one", targets=["other"]), street.quick("two"))
    street.stage.settle()
    for name in NAMES:
        street.assert_served(name)
    assert [path.name for path in (*street.web.include.iterdir(), *other.iterdir())] == ["two.conf", "one.conf"]


def test_the_default_site_of_an_address_moves_all_the_same(street: Street) -> None:
    """Two blocks that are the default of one address would be refused, so here the old one goes first."""
    write(street, "web", defaultSite="one")
    street.stage.settle()
    other = street.stage.root / "nginx" / "other.d"
    other.mkdir()
    street.http(f"include {other}/*.conf;")
    write(street, "front", defaultSite="one", configDirectory=str(other))
    street.stage.apply()
    street.stage.shift = timedelta(minutes=10)
    street.stage.settle()
    for name in NAMES:
        street.assert_served(name)


def test_two_targets_of_one_site_that_change_directories_are_held_and_nothing_goes(street: Street) -> None:
    """Each would overwrite and remove what the other has; who moves one aside first gets there."""
    first, second, third = (street.web.include, street.stage.root / "second", street.stage.root / "third")
    second.mkdir()
    third.mkdir()
    street.http(f"include {third}/*.conf;")
    street.web.reload()

    def place(web: Path, other: Path) -> None:
        tree: dict[str, Any] = street.target(configDirectory=str(web))
        street.stage.write("target.yaml", tree, document("Target", "other", {
            **tree["spec"], "configDirectory": str(other), "verify": {"mode": "off"},
        }))  # fmt: skip

    base = street.stage.manifests / "base.yaml"
    street.write(street.quick("one", targets=["web", "other"]))
    base.write_text("---\n".join(base.read_text().split("---\n")[:-1]))
    place(first, second)
    street.stage.settle()
    before = [(folder / "one.conf").read_bytes() for folder in (first, second)]
    place(second, first)
    street.stage.apply()
    holds = {hold.target: hold for hold in street.stage.diff().plan.holds}
    assert {name: hold.reason for name, hold in holds.items()} == {"web": "PathRefused", "other": "PathRefused"}
    assert "is a file of site one on target web; give each target a directory of its own" in holds["other"].message
    assert [(folder / "one.conf").read_bytes() for folder in (first, second)] == before
    street.assert_served("one")
    place(third, first)
    street.stage.apply()
    street.stage.settle()
    assert [(folder / "one.conf").exists() for folder in (first, second, third)] == [True, False, True]
    street.assert_served("one")
