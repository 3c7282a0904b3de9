"""The door to `logging`: plain lines on standard error, made safe, with anything that looks like a secret taken out."""

from __future__ import annotations

import logging
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from reconciler.model.text import clean

if TYPE_CHECKING:
    from typing import TextIO

NAME: Final = "certwright"
REQUESTS: Final = 5  # the level of what is sent and heard, below DEBUG
_LONGEST: Final = 2000
_SECRETS: Final = (
    # a private key, even when its end was cut off
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), "***"),
    (re.compile(r"(?i)\b(authorization\"?\s*[:=]\s*\"?(?:basic|bearer|digest)\s+)\S+"), r"\1***"),
    (
        re.compile(
            r"(?i)\b(authorization|password|passphrase|secret|hmacKey|auth_token)(\"?\s*[:=]\s*)(?!\"?(?:basic|bearer|digest)\s)\S+"
        ),
        r"\1\2***",
    ),
    # credentials in a URL (RFC 3986 section 3.2.1)
    (re.compile(r"(\w://)[^/\s@]+@"), r"\1***@"),
)


def redacted(text: str) -> str:
    """Give text without private keys, credentials of URLs and values of well-known secret fields."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


class _Lines(logging.Formatter):
    """One line a record: time in UTC, level, message; control codes made visible, at most 2000 characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Make the line; a traceback, where one is wanted, follows with its lines indented."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        line = f"{at} {record.levelname.lower():<7} {clean(redacted(record.getMessage()), _LONGEST)}"
        if record.exc_info:
            trace = redacted(self.formatException(record.exc_info)).splitlines()
            line += "".join(f"\n    {clean(one, _LONGEST)}" for one in trace)
        return line


def logger(room: str) -> logging.Logger:
    """Give the logger of a room."""
    return logging.getLogger(f"{NAME}.{room}")


def to_stderr(verbosity: int, stream: TextIO | None = None) -> None:
    """Write our records to standard error.

    Warnings from verbosity -1 on, what was done at 0, what waits at 1, each request to a CA at 2 and more. Called
    again, it replaces what it set before. Other libraries' records are not ours to print.
    """
    logging.addLevelName(REQUESTS, "REQUEST")
    root = logging.getLogger(NAME)
    for handler in list(root.handlers):
        root.removeHandler(handler)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Lines())
    root.addHandler(handler)
    root.propagate = False
    root.setLevel({-1: logging.WARNING, 0: logging.INFO, 1: logging.DEBUG}.get(max(verbosity, -1), REQUESTS))
    logging.raiseExceptions = False  # a reader of our log that went away is no reason to stop
