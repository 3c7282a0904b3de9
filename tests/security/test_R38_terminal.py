r"""R38, the half of the command line: nothing that is printed steers a terminal."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

import reconciler
from reconciler.cli.screen import Screen, safe
from reconciler.cli.yaml_text import yaml_text
from tests.program import Program

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

EVIL = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u2028\x9b31m<script>@all"


@given(st.text())
def test_what_is_safe_has_no_control_characters(text: str) -> None:
    shown = safe(text)
    assert all(char in "\n\t" or char.isprintable() for char in shown)
    assert safe(shown) == shown


@given(st.text())
def test_plain_text_stays_as_it_is(text: str) -> None:
    if text.isprintable():
        assert safe(text) == text


def test_colour_comes_after_cleaning(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.out(EVIL, "31")
    screen.diff(f"+ {EVIL}")
    screen.tell(EVIL, "31")
    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err
    assert "\u202e" not in told.out + told.err


@given(st.text(max_size=30))
def test_json_and_yaml_escape(text: str) -> None:
    assert safe(yaml_text({"a": [text]})) == yaml_text({"a": [text]})
    assert safe(json.dumps(text)) == json.dumps(text)


def test_readers_clean_what_a_tampered_cache_says(tmp_path: Path) -> None:
    program = Program(tmp_path).prepare()
    program.site("example")
    assert program("apply").returncode == 0
    item = program.json("get", "sites")["items"][0]
    item["metadata"]["labels"]["tier"] = item["spec"]["hostnames"][0] = EVIL
    item["status"]["conditions"][0].update(status="False", reason=EVIL, message=EVIL)
    item["status"]["holds"] = [{"reason": "Backoff", "until": None, "endsWhen": EVIL, "message": EVIL}]
    with sqlite3.connect(program.state / "index.sqlite") as index:
        assert index.execute("SELECT version FROM writer").fetchall() == [(reconciler.__version__,)]
        index.execute("UPDATE rows SET payload = ? WHERE namespace = 'view'", (json.dumps(item),))
    index.close()
    for verb in (
        ["get", "sites"],
        ["get", "sites", "-o", "wide"],
        ["get", "holds"],
        ["status"],
        ["get", "sites", "-o", "yaml"],
    ):
        told = program(*verb)
        assert "owned" in told.stdout or verb == ["status"]
        assert not {"\x1b", "\x07", "\u202e", "\u2028", "\x9b"} & set(told.stdout + told.stderr), verb


def test_names_on_the_command_line_are_cleaned(tmp_path: Path) -> None:
    program = Program(tmp_path).prepare()
    program.site("example")
    for arguments in (["diff", EVIL], ["get", EVIL], [EVIL], ["diff", "-o", EVIL], ["explain", EVIL], ["wait", EVIL]):
        told = program(*arguments)
        assert told.returncode == 2
        assert not {"\x1b", "\x07", "\u202e", "\u2028", "\x9b"} & set(told.stdout + told.stderr), arguments
