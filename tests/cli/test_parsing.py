"""Arguments, without a process."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from reconciler.cli.aiming import with_steps_aimed
from reconciler.cli.group import VERBS, program
from reconciler.cli.settings import Duration, Settings, merged
from reconciler.cli.shared.selectors import selector
from reconciler.cli.start import start
from reconciler.cli.yaml_text import yaml_text
from reconciler.manifests.text.documents import read_documents

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path


def test_every_verb_has_help_and_its_name() -> None:
    for name in VERBS:
        told = CliRunner().invoke(program, [name, "--help"])
        assert told.exit_code == 0, name
        assert f"certwright {name}" in told.output or f"{name} [OPTIONS]" in told.output


def test_the_help_lists_every_verb_and_no_other() -> None:
    told = CliRunner().invoke(program, ["--help"]).output
    listed = re.findall(r"^  ([a-z]+) {2,}[A-Z]", told[told.index("Verbs:") :], re.MULTILINE)
    assert listed == list(VERBS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nosuch"],
        ["diff", "--nosuch"],
        ["get"],
        ["get", "nosuch"],
        ["version", "-o", "wide"],
        ["get", "sites", "-o", "markdown"],
        ["version", "-l", "a=b"],
        ["renew"],
        ["retry"],
        ["renew", "--all", "site"],
        ["apply", "--dry-run", "--change-source"],
        ["apply", "--plan", "x", "site"],
        ["apply", "--allow-removals", "-1"],
        ["apply", "--lock-timeout", "soon"],
        ["-f", "-", "apply", "--plan", "-"],
        ["-f", "-", "run"],
        ["wait", "site/x", "--for", "condition=Nice"],
        ["wait", "target/x"],
        ["explain", "nosuch"],
        ["schema", "nosuch"],
        ["get", "sites", "-l", "a=b=c"],
        ["get", "issuers", "-w"],
        ["completion", "tcsh"],
        ["-f", "a", "-f", "b", "init", "a.example.com"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_and_one_or_two_lines(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    assert start(["--state", f"{tmp_path}/state", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert 1 <= len(told.err.strip().splitlines()) <= 2
    assert "Traceback" not in told.err


def test_the_nearest_verb_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert start(["aply"]) == 2
    assert "did you mean `apply`?" in capsys.readouterr().err


def test_without_a_verb_the_help_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert start([]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("Usage: certwright [OPTIONS] VERB")
    assert "says more" not in told.err


def test_a_relative_state_directory_is_meant_from_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert merged({"state": "s"}, {}).state == f"{tmp_path}/s"
    monkeypatch.setenv("CERTWRIGHT_STATE", "./t")
    assert merged({}, {}).state == f"{tmp_path}/t"


def test_flags_count_before_and_after_the_verb() -> None:
    settings = merged(
        {"manifests": ("/a b",), "state": "/s", "verbose": 1}, {"manifests": ("-",), "state": "/t", "verbose": 1}
    )
    assert settings == Settings(("/a b", "-"), "/t", verbosity=2, given=("-f", "/a b", "-f", "-", "--state", "/t"))


def test_flags_win_over_the_environment_and_that_over_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert merged({}, {}).state == "/var/lib/certwright"
    assert merged({}, {}).manifests == ("/etc/certwright/manifests",)
    monkeypatch.setenv("CERTWRIGHT_STATE", "/s")
    monkeypatch.setenv("CERTWRIGHT_MANIFESTS", "/a:/b")
    monkeypatch.setenv("NO_COLOR", "1")
    assert merged({}, {}) == Settings(("/a", "/b"), "/s", color=False)
    assert merged({"state": "/t"}, {"manifests": ("/c",)}) == Settings(
        ("/c",), "/t", color=False, given=("-f", "/c", "--state", "/t")
    )


@pytest.mark.parametrize(("text", "seconds"), [("60s", 60), ("2m", 120), ("1.5h", 5400), ("1d", 86400), ("7", 7)])
def test_durations(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "-1s", "1 s", "1w", "s", "1e9", "\uff19s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "labels", "matches"),
    [
        ("tier=customer", {"tier": "customer"}, True),
        ("tier==customer", {"tier": "customer"}, True),
        ("tier=customer,env!=dev", {"tier": "customer"}, True),
        ("tier=customer,env!=dev", {"tier": "customer", "env": "dev"}, False),
        ("canary", {"canary": ""}, True),
        ("canary", {}, False),
        ("!canary", {}, True),
        ("!canary", {"canary": "x"}, False),
        ("a.b/c=d", {"a.b/c": "d"}, True),
    ],
)
def test_selectors(text: str, labels: dict[str, str], *, matches: bool) -> None:
    assert selector(text).matches(labels) is matches


@given(st.text(max_size=40))
def test_any_other_selector_is_wrong_usage(text: str) -> None:
    with suppress(click.UsageError):
        assert selector(text).matches({}) in (True, False)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz-0", min_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text("abcxyz", min_size=1, max_size=5), _VALUES, min_size=1, max_size=4))
def test_yaml_reads_back_as_what_was_written(value: dict[str, object]) -> None:
    reading = read_documents(yaml_text(value).encode(), "out.yaml")
    assert [document.data for document in reading.documents] == [value]


@pytest.mark.parametrize("words", [["--state", "{state}", "why", "exa"], ["why", "--state", "{state}", "exa"]])
def test_sites_are_completed_from_the_store_named_before_or_after_the_verb(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def sites(state: str, _now: datetime) -> list[dict[str, object]]:
        asked.append(state)
        return []

    monkeypatch.setattr("reconciler.cli.views.sites", sites)
    assert completed(*(word.replace("{state}", "/s") for word in words)) == []
    assert asked == ["/s"]


def completed(*words: str) -> list[str]:
    """Complete the last word; a path is told by its kind."""
    complete = ShellComplete(program, {}, "certwright", "_CERTWRIGHT_COMPLETE")
    found = complete.get_completions(list(words[:-1]), words[-1])
    return [one.value if one.type == "plain" else f"({one.type})" for one in found]


ITEM = {
    "metadata": {"name": "shop"},
    "spec": {"issuers": ["le", "own"], "targets": ["web"], "server": "home", "challenges": {"a.test": ["http"]}},
}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("get", "si"), ["sites"]),
        (("get", "h"), ["hostnamesets", "holds"]),
        (("describe", "h"), ["hostnamesets"]),
        (("get", "site/"), ["site/shop"]),
        (("get", "targets/"), ["targets/web"]),
        (("get", "nosuch/"), []),
        (("get", "sites", ""), ["shop"]),
        (("get", "issuers", ""), ["le", "own"]),
        (("get", "accounts", ""), []),
        (("get", "nosuch", ""), []),
        (("describe", "target", ""), ["web"]),
        (("describe", "method", ""), ["http"]),
        (("describe", "server", "h"), ["home"]),
        (("wait", "si"), ["site/shop"]),
        (("wait", "site/sh"), ["site/shop"]),
        (("wait", ""), ["shop"]),
        (("diff", "-o", ""), ["text", "json", "yaml", "markdown"]),
        (("get", "sites", "-o", "n"), ["name"]),
        (("-o", "m"), ["markdown"]),
        (("-f", ""), ["(file)"]),
        (("diff", "-f", "x"), ["(file)"]),
        (("--state", ""), ["(dir)"]),
        (("apply", "--plan", ""), ["(file)"]),
    ],
    ids=str,
)
def test_the_shell_completes_what_fits(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], found: list[str]
) -> None:
    monkeypatch.setattr("reconciler.cli.views.sites", lambda _state, _now: [ITEM, {"spec": 1}])
    assert completed(*words) == found


def test_commands_are_aimed_where_a_next_step_names_them() -> None:
    given = ("-f", "/a b")
    told = "diff: certwright apply\n  next: stop certwright on it, then: certwright apply x; certwright retry x"
    assert with_steps_aimed(told, given) == (
        "diff: certwright apply\n"
        "  next: stop certwright on it, then: certwright -f '/a b' apply x; certwright -f '/a b' retry x"
    )
    assert with_steps_aimed(told, ()) == told
