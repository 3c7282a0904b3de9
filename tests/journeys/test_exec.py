"""A command of the user's own: it gets each site's task once, again when the certificate or its values are new."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.model.changes import Reason
from reconciler.model.ports import Limits
from tests.journeys.stage import document, held, site, told

if TYPE_CHECKING:
    from pathlib import Path

    from tests.journeys.stage import Stage

SCRIPT = """\
#!/bin/sh
cat >> {root}/given
if [ -e {root}/broken ]; then echo "no route to the appliance"; exit 3; fi
"""


@pytest.fixture(name="script")
def _script(stage: Stage) -> Path:
    path = stage.root / "deploy"
    path.write_text(SCRIPT.format(root=stage.root))
    path.chmod(0o755)
    stage.write("target.yaml", document("Target", "box", {"type": "exec", "install": [str(path)]}))
    return path


def given(stage: Stage) -> list[dict[str, Any]]:
    """Give the tasks since the last look."""
    path = stage.root / "given"
    tasks = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    path.unlink(missing_ok=True)
    return tasks


def box_site(name: str, asked: str | None = None, **values: str) -> dict[str, object]:
    annotations = {"certwright/renewAt": asked} if asked else {}
    return site(name, issuers=["ca"], targets=[{"name": "box", "values": values}], annotations=annotations)


def test_each_new_certificate_and_each_new_value_is_given_once(stage: Stage, script: Path) -> None:
    stage.write("sites.yaml", box_site("a", slot="1"), box_site("b", slot="2"))
    stage.settle()
    last = {task["site"]: task for task in given(stage)}
    live = stage.live("a")
    task = last["a"]
    assert (task["fingerprint"], task["revision"], task["placeholder"]) == (live.facts.fingerprint, live.id, False)
    assert (task["hostnames"], task["values"], task["target"]) == (["a.example.com"], {"slot": "1"}, "box")
    assert task["fullchain"] == f"{stage.state}/live/a/fullchain.pem"
    assert last.keys() == {"a", "b"}
    stage.settle()
    assert given(stage) == []

    stage.write("sites.yaml", box_site("a", slot="1", asked="now"), box_site("b", slot="3"))
    stage.settle()
    again = {task["site"]: task for task in given(stage)}
    assert again["a"]["fingerprint"] == stage.live("a").facts.fingerprint != live.facts.fingerprint
    assert again["b"]["values"] == {"slot": "3"}
    assert "BEGIN" not in json.dumps(again)

    stage.write("sites.yaml", box_site("b", slot="3"))
    stage.settle(Limits(removals=1))
    assert given(stage) == []
    assert script.exists()


def test_a_command_that_fails_is_told_and_tried_again(stage: Stage, script: Path) -> None:
    stage.write("sites.yaml", box_site("a"))
    (stage.root / "broken").touch()
    reports = stage.apply()
    failed = [words for verb, _, status, words in stage.outcomes(reports) if status == "failed" and verb == "install"]
    assert failed
    assert failed[0] == f"CommandFailed {script} ended with 3: no route to the appliance"
    [hold] = held(stage.diff()).values()
    assert "no route to the appliance" in hold.message
    (stage.root / "broken").unlink()
    given(stage)
    stage.write("sites.yaml", site("a", issuers=["ca"], targets=["box"], annotations={"certwright/retryAt": "now"}))
    stage.settle()
    assert [task["fingerprint"] for task in given(stage)] == [stage.live("a").facts.fingerprint]


def test_a_command_that_is_missing_is_told(stage: Stage) -> None:
    stage.write("target.yaml", document("Target", "box", {"type": "exec", "install": ["/nowhere/deploy"]}))
    stage.write("sites.yaml", box_site("a"))
    words = [outcome[3] for outcome in stage.outcomes(stage.apply()) if outcome[2] == "failed"]
    assert any("/nowhere/deploy" in one for one in words), words


def test_what_is_given_is_in_the_plan(stage: Stage, script: Path) -> None:
    stage.write("sites.yaml", box_site("a"))
    report = stage.diff()
    assert ("install", "site/a", Reason.NOT_INSTALLED) in told(report)
    [path] = {file.path for change in report.plan.changes for file in change.files}
    assert path == f"{script}@a"


def test_a_command_that_is_killed_is_told_by_its_signal(stage: Stage, script: Path) -> None:
    script.write_text("#!/bin/sh\nkill -KILL $$\n")
    stage.write("sites.yaml", box_site("a"))
    [told_of] = [message for verb, _, _, message in stage.outcomes(stage.apply()) if verb == "install"]
    assert told_of.endswith("deploy was ended by SIGKILL")
