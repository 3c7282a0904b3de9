"""A client that does not stop asking."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.servers.handshake import handshake

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def asking(port: int, name: str) -> Iterator[list[tuple[float, str]]]:
    """Make handshakes without a pause; gives the seconds each took and what it showed, `failed: ...` or a print."""
    seen: list[tuple[float, str]] = []
    end = threading.Event()

    def loop() -> None:
        while not end.is_set():
            began = time.monotonic()
            try:
                what = handshake(port, name).fingerprint
            except OSError as error:
                what = f"failed: {error}"
            seen.append((time.monotonic() - began, what))

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield seen
    finally:
        end.set()
        thread.join()


def failed(seen: list[tuple[float, str]]) -> list[str]:
    """Give the handshakes that failed."""
    return [what for _, what in seen if what.startswith("failed")]
