"""`diff`: what `apply` would do, and why. Nothing is changed, and no CA is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconciler.cli.completing import site_names
from reconciler.cli.failures import tell
from reconciler.cli.group import verb
from reconciler.cli.screen import Screen
from reconciler.cli.shared.planned import planned
from reconciler.errors import ManifestError

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings

USES = ("manifests", "state", "server", "selector")
FORMATS = ("text", "json", "yaml", "markdown")


@verb(uses=USES, formats=FORMATS)
@click.argument("sites", nargs=-1, metavar="[SITE]...", shell_complete=site_names)
def diff(sites: tuple[str, ...], settings: Settings) -> int:
    """Show what `apply` would do, and why: changes, files, what is held and until when, and what it costs.

    Exit 0 if there is nothing to do but to wait, 1 if there are changes, 2 if the manifests are not valid.
    """
    from reconciler.model.ports import Limits
    from reconciler.report.exit_code import exit_code_of_diff

    screen = Screen(settings)
    report, problems = planned(settings, sites, screen, Limits())
    if report is None:
        return tell(ManifestError(problems), screen)
    return exit_code_of_diff(report.plan, problems)
