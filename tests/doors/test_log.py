from __future__ import annotations

import io
import logging

import pytest

from reconciler.doors import log


@pytest.fixture(name="stream")
def _stream() -> io.StringIO:
    return io.StringIO()


def test_a_record_is_one_safe_line(stream: io.StringIO) -> None:
    log.to_stderr(0, stream)
    log.logger("run").info("a\x1b[31m\nb%s", "")
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    assert lines[0].endswith(r"a\x1b[31m\x0ab")
    assert " info " in lines[0]


@pytest.mark.parametrize(
    ("verbosity", "shown"), [(-1, {"warning"}), (0, {"info", "warning"}), (1, {"debug", "info", "warning"})]
)
def test_levels(stream: io.StringIO, verbosity: int, shown: set[str]) -> None:
    log.to_stderr(verbosity, stream)
    for level in ("debug", "info", "warning"):
        logging.getLogger("certwright.run").log(logging.getLevelName(level.upper()), "x")
    assert {line.split()[1] for line in stream.getvalue().splitlines()} == shown


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----\nSECRETS\n-----END PRIVATE KEY-----",
        "-----BEGIN EC PRIVATE KEY-----\nSECRETS",
        "https://user:SECRETS@ca.example/dir",
        "Authorization: SECRETS",
        "Authorization: Bearer SECRETS",
        '"password": "SECRETS"',
        "hmacKey=SECRETS",
    ],
)
def test_secrets_are_taken_out(stream: io.StringIO, text: str) -> None:
    log.to_stderr(0, stream)
    log.logger("run").warning("failed with %s", text)
    log.logger("run").error("failed", exc_info=ValueError(text))
    assert "SECRETS" not in stream.getvalue()
    assert "***" in stream.getvalue()


def test_a_reader_that_went_away_stops_nothing() -> None:
    stream = io.StringIO()
    log.to_stderr(0, stream)
    stream.close()
    log.logger("run").info("unheard")
