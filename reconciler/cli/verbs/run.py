"""`run`: the same pass for ever."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from reconciler.cli.group import verb
from reconciler.cli.screen import Screen

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings


@verb(uses=("manifests", "state", "server", "lock_timeout"))
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="Sites worked on at once, for each issuer.",
)
@click.option("--no-watch", is_flag=True, help="Take no watches from the kernel; edits are found by walking the tree.")
def run(settings: Settings, *, workers: int, no_watch: bool) -> int:
    """Watch the manifests and keep everything as they say: converge after each edit, renew in time, repair drift.

    Ends with 0 on SIGTERM and SIGINT. A second `run` over the same state is refused.
    """
    if "-" in settings.manifests:
        raise click.UsageError("run watches files: it cannot take the manifests from standard input")
    from reconciler.cli.shared.apps import opened
    from reconciler.cli.shared.scopes import begin
    from reconciler.doors.log import to_stderr
    from reconciler.execute.executor import Pace
    from reconciler.loop.run import Running
    from reconciler.loop.run import run as run_forever

    screen = Screen(settings)
    to_stderr(screen.verbosity)
    with opened(settings, screen, "run", lenient=True, workers=workers) as app:
        return run_forever(
            Running(
                engine=app.engine,
                execute=app.executor(Pace(workers, patience=0.0, gather=True)),
                feed=app.store,
                leases=app.store,
                clock=app.clock,
                stop=app.clock.stop,
                roots=settings.manifests,
                state=os.path.realpath(settings.state),  # as the store names its own files
                begin=lambda: begin(app, settings, screen),
                tidy=app.store.tidy,
                watching=not no_watch,
            )
        )
