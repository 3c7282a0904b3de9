"""A declared secret is just what the file, the variable or the command gives, or a failure that names where it is."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import Failed
from reconciler.execute import secrets
from reconciler.execute.secrets import read_secret
from reconciler.model.desired import SecretRef

if TYPE_CHECKING:
    from pathlib import Path


def _printed(text: str) -> bytes:
    return read_secret(SecretRef(exec=("/bin/sh", "-c", text)), "key").reveal()


def test_a_commands_warnings_are_no_part_of_the_secret() -> None:
    assert _printed("echo old library >&2; echo s3cret; echo bye >&2") == b"s3cret"


def test_a_command_that_only_warns_gives_no_secret() -> None:
    with pytest.raises(Failed, match="the output of /bin/sh holds no secret"):
        _printed("echo old library >&2")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo s3cret; exit 3", "it ended with code 3"),
        ("kill -9 $$", "it was ended by SIGKILL"),
        ("head -c 70000 /dev/zero", "it printed 65536 bytes or more"),
        ("exec yes", "it printed over 16 MiB and was killed"),
        ("sleep 60", "it did not end within 1 s and was killed"),
    ],
)
def test_how_a_command_failed_is_told(monkeypatch: pytest.MonkeyPatch, text: str, words: str) -> None:
    if "sleep" in text:
        monkeypatch.setattr(secrets, "_SECONDS", 1.0)
    with pytest.raises(Failed, match=re.escape(f"`key`: /bin/sh gave no secret: {words}")) as told:
        _printed(text)
    assert told.value.reason == "SecretMissing"
    assert "s3cret" not in str(told.value)


def test_a_variable_holds_any_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CERTWRIGHT_TEST_SECRET", os.fsdecode(b"s3\xffcret\n"))
    assert read_secret(SecretRef(env="CERTWRIGHT_TEST_SECRET"), "key").reveal() == b"s3\xffcret"


def test_a_file_holds_any_bytes(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s3\xffcret\r\n")
    assert read_secret(SecretRef(file=str(tmp_path / "secret")), "key").reveal() == b"s3\xffcret"


def test_a_variable_that_is_not_set_is_told() -> None:
    with pytest.raises(Failed, match="`key`: the environment variable CERTWRIGHT_NONE holds no secret"):
        read_secret(SecretRef(env="CERTWRIGHT_NONE"), "key")
