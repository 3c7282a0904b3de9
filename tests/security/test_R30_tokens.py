"""R30: a CA's token is a path, a shell's command, a header: it is matched before anything is done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.challenges.identity import checked_token, undo_for
from reconciler.errors import Failed
from tests.rig import rig
from tests.servers import faults

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.front import Front
    from tests.servers.pebble import Pebble

HOSTILE = [
    "../../../../etc/cron.d/x",
    "a" * 21,
    "a" * 129,
    "A" * 30 + "\n",
    "A" * 30 + "\x00",
    "$(touch /tmp/owned)AAAAAAAAAAAAAAA",
    "..%2f..%2f..%2f..%2fetc/passwd",
    "ＡＡＡＡＡＡＡＡＡＡＡＡＡＡＡＡＡＡＡＡＡＡＡＡ",  # noqa: RUF001  wide letters
    "",
]


@pytest.mark.parametrize("token", HOSTILE)
def test_a_hostile_token_reaches_nothing(tmp_path: Path, pebble: Pebble, front: Front, token: str) -> None:
    front.inject(faults.set_tokens(token), "/authZ/", times=None)
    with rig(tmp_path, front.directory, front.bundle, pebble.http_port) as machine:
        desk = machine.desk()
        issuer = machine.registered()
        with pytest.raises(Failed) as caught:
            issuer.obtain(machine.request("token.test"), desk)

    assert caught.value.reason == "BadToken"
    assert "\n" not in str(caught.value)
    assert desk.undo == {}
    assert "present" not in desk.calls
    assert desk.record is None


@given(st.text(max_size=140))
def test_only_base64url_of_the_right_length_passes(token: str) -> None:
    good = 22 <= len(token) <= 128 and all(char.isascii() and (char.isalnum() or char in "-_") for char in token)
    if good:
        assert checked_token(token) == token
    else:
        with pytest.raises(Failed):
            checked_token(token)


@given(st.from_regex(r"\A[A-Za-z0-9_-]{22,128}\Z"))
def test_a_good_token_is_one_part_of_a_path(token: str) -> None:
    thing = undo_for("webroot", "site", "/srv/www/.well-known/acme-challenge", checked_token(token))

    assert "/" not in thing.name
    assert thing.id.isalnum()
