"""R8 for `exec`: whatever stands in a name or a value, the command gets one line of JSON, and the same words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.desired import ExecTarget
from reconciler.model.names import Part
from reconciler.model.ports import Refusal
from reconciler.targets.command import Command
from tests.security.test_R08_nginx_config import HOSTILE
from tests.targets.making import seat

SPEC = ExecTarget(name="own", install=("/x/deploy", "--now"))
FIELDS = ["site", "hostnames", "server", "live", "values"]


def check(field: str, text: str) -> None:
    site = seat(SPEC, "x", "x", values={"v": text if field == "values" else "x"})
    changed: dict[str, object] = {} if field == "values" else {field: (text,) if field == "hostnames" else text}
    target = Command(SPEC)
    (found,) = target.render([replace(site, **changed)]).values()  # type: ignore[arg-type]
    (expected,) = target.render([seat(SPEC, "x", "x", values={"v": "x"})]).values()
    assert not isinstance(expected, Refusal)
    if isinstance(found, Refusal):
        return
    (task,), (harmless,) = found, expected
    assert (task.part, task.mode) == (Part.TASK, 0)
    assert "\n" not in (task.text or "")
    assert (task.text or "").isascii()
    given_, plain = json.loads(task.text or ""), json.loads(harmless.text or "")
    assert given_.keys() == plain.keys()
    assert {key for key in plain if given_[key] != plain[key]} <= {
        *([field] if field != "live" else ["key", "certificate", "chain", "fullchain"])
    }
    assert target.spec.install == SPEC.install


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", FIELDS)
def test_hostile_text_stays_within_its_field(field: str, text: str) -> None:
    check(field, text)


@given(text=st.text(min_size=1, max_size=30), field=st.sampled_from(FIELDS))
def test_no_text_leaves_its_field(text: str, field: str) -> None:
    check(field, text)
