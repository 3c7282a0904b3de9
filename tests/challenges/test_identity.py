from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.challenges.identity import begins_proof, proves
from reconciler.model.tokens import is_key_authorization, is_published_name, is_token

TOKEN = "t" * 22
PROOF = f"{TOKEN}.{'k' * 43}".encode()


@pytest.mark.parametrize("good", [TOKEN, "a" * 128, "A-Z_z0123456789-_______"])
def test_a_token_is_base64url_of_128_bits_or_more(good: str) -> None:
    assert is_token(good)
    assert is_published_name(good)


@pytest.mark.parametrize(
    "bad", ["", "t" * 21, "a" * 129, f"{TOKEN}\n", f"../{TOKEN}", f"{TOKEN}/x", f"{TOKEN}é", f"{TOKEN}="]
)
def test_nothing_else_is_one(bad: str) -> None:
    assert not is_token(bad)
    assert not is_key_authorization(PROOF.replace(TOKEN.encode(), bad.encode()))


@pytest.mark.parametrize("bad", [b"", PROOF[:-1], PROOF + b"x", PROOF + b"\n", PROOF.replace(b".", b"")])
def test_what_is_no_key_authorization(bad: bytes) -> None:
    assert not is_key_authorization(bad)
    assert not proves(bad, TOKEN)


@given(st.integers(0, len(PROOF) - 1))
def test_each_beginning_of_a_proof_is_one_and_no_proof(length: int) -> None:
    assert begins_proof(PROOF[:length], TOKEN)
    assert not proves(PROOF[:length], TOKEN)


def test_a_proof_of_another_token_is_none_of_this() -> None:
    assert proves(PROOF, TOKEN)
    assert not proves(PROOF, "u" * 22)
    assert not begins_proof(PROOF, TOKEN)
    assert not begins_proof(PROOF[:30], "u" * 22)
