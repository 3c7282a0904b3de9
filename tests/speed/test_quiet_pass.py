"""What a pass with nothing to do costs, told by what it opens, asks and imports; never by a clock."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.journeys.stage import Stage, ca_site, copy_target, document

if TYPE_CHECKING:
    from collections.abc import Sequence

CHECKOUT: Final = Path(__file__).resolve().parents[2]
SERVER: Final = {"email": "me@example.com", "agreeToTerms": True}
HEAVY: Final = (
    "acme",
    "cryptography",
    "dns",
    "jinja2",
    "josepy",
    "pydantic",
    "requests",
    "tenacity",
    "urllib3",
    "yaml",
)


@dataclass(frozen=True, slots=True)
class Touched:
    """What one command did. `opened` holds `EVENT PATH`."""

    code: int
    opened: Sequence[str]
    others: Sequence[str]
    modules: frozenset[str]

    @property
    def guarded(self) -> list[str]:
        """Give the names opened in a directory that was open: how files that are not the store's are read."""
        paths = (text.partition(" ")[2] for text in self.opened if text.startswith("open "))
        return [path for path in paths if not path.startswith("/") and path.endswith((".yaml", ".crt", ".key", ".pem"))]

    def below(self, *folders: Path) -> list[str]:
        """Give the files opened below folders."""
        paths = (text.partition(" ")[2] for text in self.opened if text.startswith("open "))
        return sorted(path for path in paths if any(path.startswith(f"{folder}/") for folder in folders))


def run(stage: Stage, *verb: str) -> Touched:
    """Run one command as a process of its own."""
    argv = [sys.executable, "-I", str(Path(__file__).with_name("watched.py")), str(CHECKOUT)]
    roots = ["--manifests", str(stage.manifests), "--state", str(stage.state)]
    done = subprocess.run([*argv, *roots, *verb], capture_output=True, text=True, check=True, timeout=120)
    found = json.loads(done.stderr.splitlines()[-1])
    return Touched(found["code"], found["opened"], found["others"], frozenset(found["modules"]))


def street(root: Path, count: int) -> Stage:
    """Make a machine with `count` sites on which nothing is to do."""
    root.mkdir(exist_ok=True)
    stage = Stage(root)
    stage.write("base.yaml", document("Server", "home", SERVER), copy_target(root / "out"))
    for number in range(count):
        stage.write(f"sites/s{number}.yaml", ca_site(f"s{number}"))
    stage.settle()
    for _ in range(3):
        time.sleep(0.03)  # what is younger than a tick of the kernel's clock is looked at once more
        assert run(stage, "apply").code == 0
    return stage


@pytest.fixture(scope="module", name="stage")
def _stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return street(tmp_path_factory.mktemp("street"), 12)


def test_nothing_to_do_opens_no_manifest_no_certificate_and_asks_nobody(stage: Stage) -> None:
    for verb in ("apply", "diff"):
        touched = run(stage, verb)
        assert touched.code == 0
        assert touched.below(stage.manifests, stage.root / "out") == []
        assert touched.guarded == []
        kept = ("certificates", "live", "desired", "status", "orders", "inventory", "ca", "accounts")
        per_site = [path for path in touched.below(*(stage.state / name for name in kept)) if "/s1" in path]
        assert per_site == []
        assert touched.below(stage.state / "certificates", stage.state / "ca") == []
        assert touched.others == []


def test_nothing_to_do_imports_nothing_heavy(stage: Stage) -> None:
    for verb in (("apply",), ("diff",), ("get", "sites"), ("status",), ("version",), ("--help",)):
        modules = run(stage, *verb).modules
        assert [name for name in HEAVY if name in modules] == [], verb
    busy = ("reconciler.execute.executor", "reconciler.issuers", "reconciler.challenges", "ssl")
    assert [name for name in busy if name in run(stage, "apply").modules] == []


def test_more_sites_open_no_more_files(stage: Stage, tmp_path: Path) -> None:
    few, many = run(stage, "apply"), run(street(tmp_path / "many", 40), "apply")
    assert len(few.opened) == len(many.opened)


def test_one_edited_site_costs_that_one(stage: Stage) -> None:
    stage.write("sites/s1.yaml", ca_site("s1", "s1.example.com", "more.s1.example.com"))
    touched = run(stage, "diff")
    assert touched.code == 1
    assert touched.below(stage.manifests) == []
    assert {path for path in touched.guarded if path.endswith(".yaml")} == {"s1.yaml"}
    certificates = {
        Path(path).parts[len(stage.state.parts) + 1] for path in touched.below(stage.state / "certificates")
    }
    assert certificates == {"s1"}


def test_a_look_at_one_site_lists_none_of_the_others(stage: Stage) -> None:
    state = f"os.listdir {stage.state}"
    listed = {text for text in run(stage, "diff", "s5").opened if text.startswith(state)}
    assert f"{state}/live" in listed  # whose certificate a renamed site may take over
    assert not listed & {f"{state}/certificates", f"{state}/desired"}
    assert not [text for text in listed if text.endswith("/sites")]


def test_without_the_index_the_plan_is_the_same(stage: Stage) -> None:
    stage.write("sites/s2.yaml", ca_site("s2", "other.s2.example.com"))
    (stage.manifests / "sites" / "s3.yaml").unlink()
    (stage.root / "out" / "s4.crt").unlink()
    before = stage.diff()
    assert before.quiet > 0
    for path in stage.state.glob("index.sqlite*"):
        path.unlink()
    after = stage.diff()
    assert after.quiet == 0
    assert after.plan.changes == before.plan.changes
    assert after.plan.holds == before.plan.holds
