"""`existing: adopt` on copies: what stood there is kept as a revision before it is replaced, if it is a valid pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.journeys.stage import SERVER, Stage, ca_site, copy_target, document, held

if TYPE_CHECKING:
    from pathlib import Path


def other_pair(root: Path) -> tuple[bytes, bytes]:
    """A pair that another machine made."""
    stage = Stage(root / "elsewhere")
    stage.write("all.yaml", document("Server", "home", SERVER), ca_site("old", "one.example.com", targets=["plain"]))
    stage.write("target.yaml", copy_target(stage.root / "out") | {"metadata": {"name": "plain"}})
    stage.settle()
    out = stage.root / "out"
    return (out / "old.key").read_bytes(), (out / "old.crt").read_bytes()


def write(stage: Stage, **spec: object) -> Path:
    out = stage.root / "out"
    stage.write("all.yaml", document("Server", "home", SERVER), copy_target(out, **spec), ca_site("one"))
    return out


def test_valid_pair_becomes_a_revision_first(stage: Stage) -> None:
    key, certificate = other_pair(stage.root)
    out = write(stage, existing="adopt")
    (out / "one.key").write_bytes(key)
    (out / "one.crt").write_bytes(certificate)
    stage.settle()
    kept = {path.joinpath("privkey.pem").read_bytes() for path in (stage.state / "certificates" / "one").iterdir()}
    assert key in kept
    assert len(kept) == 2
    live = stage.live("one")
    assert live.meta.issuer == "ca", "what was adopted is kept and does not go live"
    assert (out / "one.crt").read_bytes() == stage.path("one", "fullchain.pem").read_bytes()


def test_combined_file_is_kept_too(stage: Stage) -> None:
    key, certificate = other_pair(stage.root)
    out = write(stage, existing="adopt", key=None, fullchain=None, combined=str(stage.root / "out" / "{site}.pem"))
    (out / "one.pem").write_bytes(certificate + key)
    stage.settle()
    kept = {path.joinpath("privkey.pem").read_bytes() for path in (stage.state / "certificates" / "one").iterdir()}
    assert key in kept


@pytest.mark.parametrize(
    "rubbish", [b"", b"rubbish", b"-----BEGIN PRIVATE KEY-----\nrubbish\n-----END PRIVATE KEY-----\n"]
)
def test_rubbish_is_replaced_all_the_same(stage: Stage, rubbish: bytes) -> None:
    out = write(stage, existing="adopt")
    (out / "one.key").write_bytes(rubbish)
    (out / "one.crt").write_bytes(rubbish)
    stage.settle()
    assert len(list((stage.state / "certificates" / "one").iterdir())) == 1


def test_refused_where_the_target_does_not_say_so(stage: Stage) -> None:
    out = write(stage)
    (out / "one.key").write_text("somebody's")
    stage.apply()
    assert (out / "one.key").read_text() == "somebody's"
    assert not (out / "one.crt").exists()
    assert ("one", "ForeignFile") in held(stage.diff())
