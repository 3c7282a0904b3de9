"""R11: bytes for a runtime socket have no syntax but ours, and a key goes to nobody but the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.execute.batches.hands import runtime
from tests.servers.identity import make_identity
from tests.servers.unix_socket import answering, heard

if TYPE_CHECKING:
    from pathlib import Path


@given(text=st.text(max_size=40))
def test_no_text_makes_a_second_command(text: str) -> None:
    for command in (f"set ssl cert {text} <<", f"commit ssl cert {text}", text):
        ok, answer = runtime.ask("/nowhere/at.all", command, "/x" if command.endswith("<<") else None)
        assert not ok
        # only what is one command of harmless words comes as far as the socket
        assert "that is no command" in answer or set(text) & set("\n\r;<>|&`$\\\"'\0") == set()


@pytest.mark.parametrize("more", ["", "\n\nshow info\n", "-----BEGIN X-----\n;\n", "x y\n", "\0"])
def test_a_payload_is_pem_and_ends_once(tmp_path: Path, more: str) -> None:
    made = make_identity(tmp_path / "made", "a.example")
    pem = tmp_path / "a.pem"
    pem.write_bytes(made.key.read_bytes() + b"\n\n" + made.certificate.read_bytes() + more.encode())
    got: list[bytes] = []
    with answering(tmp_path / "s", heard(got, b"\x1b[31mdone\n")):
        ok, answer = runtime.ask(str(tmp_path / "s"), f"set ssl cert {pem} <<", str(pem))
    assert "PRIVATE" not in answer
    assert "\x1b" not in answer
    assert ok is not bool(more)
    if more:
        assert got == []
        return
    sent = b"".join(got)
    assert sent.count(b"\n\n") == 1
    assert sent.endswith(b"\n\n")
    assert sent.startswith(f"set ssl cert {pem} <<\n-----BEGIN ".encode())
