"""Every reason that the package can give is documented: in one of two lists, with its sentence and what to do next."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from reconciler.model.changes import Reason
from reconciler.report.failures import FAILURES
from reconciler.report.reasons import SENTENCES, next_step, sentence, step_after_reload

PACKAGE = Path(__file__).resolve().parent.parent.parent / "reconciler"
WORD: Final = re.compile(r"(?:[A-Z][a-z]+){2,}[a-z0-9]*", re.ASCII)
RAISED: Final = {"Failed", "Stalled", "Waiting", "FileFailed", "DnsFailed", "SwitchStuck"}
NO_REASON: Final = {
    *("BroughtPair", "ChallengeMethod", "HostnameSet", "ChallengeList", "VerifyReport", "BrokenChain"),
    *("DnsFailed", "FileFailed", "FileStat", "MethodSpec", "NameServer", "RenderError", "StagedIssuer", "TsigKey"),
}
"""Words of the same shape: kinds, and names in `__all__` or in casts."""
WAITS: Final = {"RateLimited", "InFlight"}
"""Reasons whose end is a time: nobody does anything."""


@cache
def words() -> dict[str, set[str]]:
    """Every such word of the package, and where it stands; the lists themselves and data of manifests apart."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).as_posix()
        if room.startswith(("report/", "manifests/", "model/")) or room == "schema.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and WORD.fullmatch(node.value):
                found.setdefault(node.value, set()).add(room)
    return found


@cache
def raised() -> set[str]:
    """Every reason that is the first argument of a failure."""
    calls = (
        node
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in RAISED
    )
    return {
        part.value
        for call in calls
        for part in ast.walk(call.args[0] if call.args else ast.Constant(None))
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.isalpha()
    }


def test_each_word_is_documented() -> None:
    unknown = {word: rooms for word, rooms in words().items() if not sentence(word) and word not in NO_REASON}
    assert not unknown, "write its sentence and what to do next into report/failures.py or report/reasons.py"
    assert raised() - FAILURES.keys() - SENTENCES.keys() == set()


def test_nothing_is_documented_that_does_not_occur() -> None:
    single = {reason for reason in FAILURES if not WORD.fullmatch(reason)}
    assert set(FAILURES) - words().keys() - single == set()
    assert single <= raised()
    assert NO_REASON - words().keys() <= {"ChallengeList", "BrokenChain"}


def test_a_reason_stands_in_one_list() -> None:
    assert not FAILURES.keys() & SENTENCES.keys()
    assert not FAILURES.keys() & {reason.value for reason in Reason}


@pytest.mark.parametrize("reason", [*FAILURES, *SENTENCES])
def test_a_step_of_no_site_can_be_typed_as_it_stands(reason: str) -> None:
    assert "retry SITE" not in (next_step(reason) or "")
    assert "retry" not in (next_step(reason, again="apply") or "")


@pytest.mark.parametrize("reason", FAILURES)
def test_a_failure_has_a_sentence_and_a_next_step(reason: str) -> None:
    assert sentence(reason).endswith(".")
    step = next_step(reason, "mysite")
    assert step
    assert "{" not in step


def test_a_failure_that_is_also_a_hold_has_a_next_step() -> None:
    assert {reason for reason in raised() & SENTENCES.keys() if next_step(reason, count=1) is None} <= WAITS


def test_what_concerns_several_sites_names_a_command_that_can_be_typed() -> None:
    assert next_step("NotLoaded") == "certwright apply"
    assert next_step("NotLoaded", "mysite") == "certwright apply mysite"
    assert (next_step("NotIncluded", None) or "").endswith("; then: certwright verify")


def test_after_a_failed_reload_the_step_is_one_that_does_not_wait() -> None:
    assert next_step("NotLoaded", "mysite") == "certwright apply mysite"
    told = "mend what certwright describe site mysite tells, then: certwright retry mysite"
    assert step_after_reload("NotLoaded", "mysite") == told
    assert "retry" not in (step_after_reload("NotLoaded", None) or "")
    assert step_after_reload("NotIncluded", "mysite") == next_step("NotIncluded", "mysite")


def test_a_broken_template_is_not_sent_to_the_verb_that_renders_none() -> None:
    assert "of a template: certwright diff mysite" in (next_step("InvalidManifest", "mysite") or "")
    assert "of a template: certwright diff)" in (next_step("InvalidManifest") or "")


def test_a_name_that_the_servers_own_block_lacks_is_sent_there_first() -> None:
    """The commonest cause: a name was added to the Site, and not to the block that includes its file."""
    assert (next_step("NameServedElsewhere", "mysite") or "").startswith("name it in the site's own server block")
