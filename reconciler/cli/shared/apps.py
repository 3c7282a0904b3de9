"""The application of one verb: opened with what the command line says, closed at its end."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from reconciler.cli.screen import RED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.cli.screen import Screen
    from reconciler.cli.settings import Settings
    from reconciler.model.changes import Change
    from reconciler.wiring import App


@contextmanager
def opened(
    settings: Settings,
    screen: Screen,
    verb: str,
    *,
    read_only: bool = False,
    lenient: bool = False,
    workers: int = 8,
) -> Iterator[App]:
    """Open the store and wire everything.

    `read_only` writes nothing at all; `lenient` goes on beside broken manifests.
    """
    import gc

    from reconciler.cli.hardening import harden

    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # what a pass makes lives as long as the pass: looking for it is in vain
    gc.enable()
    if screen.verbosity > 1:
        from reconciler.doors.log import to_stderr

        to_stderr(screen.verbosity)
    harden()  # whatever is wired may meet a private key
    from reconciler.wiring import Options, build

    def say(site: str, text: str) -> None:
        if screen.verbosity > 0:
            screen.tell(f"{site}: {text}")
        elif verb != "run":  # which has a log
            screen.waits.said(site, text)

    def on_bug(change: Change, bug: Exception) -> None:
        from reconciler.cli.bugs import keep_report

        kept = keep_report(bug)
        screen.tell(f"{change.subject}: a bug of certwright in `{change.verb}`: {type(bug).__name__}: {bug}", RED)
        if kept:
            screen.tell(f"a report for its makers was kept at {kept}")

    options = Options(
        manifests=settings.manifests,
        state=settings.state,
        server=settings.server,
        lock_timeout=settings.lock_timeout,
        verb=verb,
        lenient=lenient,
        read_only=read_only,
        workers=workers,
    )
    app = build(options, say, on_bug)
    try:
        yield app
    finally:
        screen.waits.over()
        app.close()
