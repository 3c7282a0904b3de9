"""Two processes apply at once over the same sites: each thing is done once, by either."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.model.changes import Reason
from reconciler.model.outcomes import Outcome, Status
from reconciler.model.ports import Limits
from tests.journeys.stage import FULL, SERVER, ca_site, copy_target, document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.model.changes import Plan
    from reconciler.model.ports import Declared
    from tests.journeys.stage import Stage
    from tests.journeys.street import Street
    from tests.servers.front import Front

ROOT = Path(__file__).resolve().parents[2]
SITES = 20
APPLY = """
import json, sys
from pathlib import Path
from tests.journeys.stage import Stage
stage = Stage(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps([outcome[:4] for outcome in stage.outcomes(stage.apply())]))
"""


def apply_twice_at_once(stage: Stage) -> list[list[list[str]]]:
    """Start two, let both go at the same moment, and give what each did."""
    command = [sys.executable, "-c", APPLY, str(stage.root)]
    pipe = subprocess.PIPE
    found = []
    with ExitStack() as stack:
        both = []
        for _ in range(2):
            child = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
            both.append(stack.enter_context(child))
            stack.callback(child.kill)
        for child in both:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in both:
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
        for child in both:
            out, errors = child.communicate(timeout=120)
            assert child.returncode == 0, errors
            found.append(json.loads(out))
    return found


def test_what_another_process_has_begun_is_seen_to_its_end(stage: Stage) -> None:
    """It had stored the certificate, and installed nothing yet: a further pass does what is left."""
    stage.write("all.yaml", document("Server", "home", SERVER), copy_target(stage.root / "out"), ca_site("a"))
    plans: list[Plan] = []
    with stage.app() as app:

        def execute(plan: Plan, declared: Declared) -> Iterator[Outcome]:
            plans.append(plan)
            if len(plans) > 1:
                yield from app.executor()(plan, declared)
            else:
                text = "another process changed the certificate"
                yield from (Outcome(one, Status.SKIPPED, Reason.NO_LONGER_PLANNED, text) for one in plan.changes)

        reports = app.engine.converge(FULL, execute, Limits(), lambda _report: None, lambda _outcome: None)
    assert (len(plans), reports[-1].plan.changes) == (2, ())
    stage.assert_calm()


def assert_no_failure(done: list[list[list[str]]]) -> None:
    bad = [one for outcomes in done for one in outcomes if one[2] not in ("done", "skipped")]
    assert bad == []


def test_twenty_sites_of_the_embedded_ca(stage: Stage) -> None:
    names = [f"n{number}" for number in range(SITES)]
    stage.write(
        "all.yaml",
        document("Server", "home", SERVER),
        copy_target(stage.root / "out"),
        *(ca_site(name) for name in names),
    )
    done = apply_twice_at_once(stage)
    assert_no_failure(done)
    for name in names:
        assert len(list((stage.state / "certificates" / name).iterdir())) == 1, "no certificate twice"
    batches = [one for outcomes in done for one in outcomes if one[:3] == ["reload", "target/copy", "done"]]
    assert len((stage.root / "reloads").read_text().splitlines()) == len(batches), "one reload for each batch"
    assert len(batches) <= 4, "a pass, and what the other one had in hand meanwhile"
    stage.settle()


def test_twenty_sites_by_acme_and_nginx(fronted: Street, front: Front) -> None:
    names = [f"n{number}" for number in range(SITES)]
    fronted.write(*(fronted.site(name) for name in names))
    done = apply_twice_at_once(fronted.stage)
    assert_no_failure(done)
    assert front.count("order-plz", method="POST") == SITES, "no order twice"
    accounts = [seen for seen in front.seen if "sign-me-up" in seen.path and seen.status == 201]
    assert len(accounts) == 1
    fronted.stage.settle()
    for name in names:
        fronted.assert_served(name)
