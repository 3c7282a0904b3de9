"""`apply`: one convergence until only holds remain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.completing import files, site_names
from reconciler.cli.group import verb
from reconciler.cli.screen import Screen

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings
    from reconciler.cli.shared.converging import Wish

_USES = ("manifests", "state", "server", "selector", "lock_timeout")


@verb(uses=_USES, formats=("text", "json", "yaml"))
@click.argument("sites", nargs=-1, metavar="[SITE]...", shell_complete=site_names)
@click.option("--dry-run", is_flag=True, help="The same as `diff`, but exit 0.")
@click.option(
    "--plan", metavar="FILE", shell_complete=files, help="Do the changes of a saved `diff -o json`, and no others."
)
@click.option("--keep-going", is_flag=True, help="Hold only the broken manifests; do the rest.")
@click.option("--allow-removals", type=click.IntRange(0), metavar="N", help="Allow N sites to be removed.")
@click.option("--allow-reissues", type=click.IntRange(0), metavar="N", help="Allow N good certificates to be replaced.")
@click.option("--accept-machine", is_flag=True, help="Renew here from now on a state that another machine used last.")
@click.option("--change-source", is_flag=True, help="Let the state follow this tree from now on.")
def apply(sites: tuple[str, ...], settings: Settings, *, dry_run: bool, **given: Any) -> int:  # noqa: ANN401
    """Make it so: issue, install, reload, remove, until only holds remain.

    Exit 0 if all is as declared, 1 if something failed or is not Ready, 2 if the manifests are not valid (nothing was
    touched), 4 if something waits for a limit that is nobody's failure.
    """
    from reconciler.cli.shared.converging import Wish, converge
    from reconciler.model.ports import Limits

    wish = Wish(
        given["plan"],
        given["keep_going"],
        given["allow_removals"],
        given["allow_reissues"],
        given["change_source"],
        given["accept_machine"],
    )
    _check(sites, settings, wish, dry_run=dry_run)
    screen = Screen(settings)
    limits = Limits(removals=wish.removals, reissues=wish.reissues)
    if dry_run:
        return _dry_run(sites, settings, screen, limits)

    return converge(sites, settings, screen, limits, wish)


def _check(sites: tuple[str, ...], settings: Settings, wish: Wish, *, dry_run: bool) -> None:
    if wish.change_source and (sites or settings.selector or "-" in settings.manifests):
        raise click.UsageError("--change-source needs the whole tree: no SITE, no -l, no `-f -`")
    if dry_run and (wish.plan or wish.change_source or wish.accept_machine or wish.keep_going):
        raise click.UsageError("--dry-run changes nothing: it goes with SITE, -l and the --allow flags alone")
    if wish.plan is not None and (sites or settings.selector):
        raise click.UsageError("--plan says which changes are done: it takes no SITE and no -l")
    if wish.plan == "-" and "-" in settings.manifests:
        raise click.UsageError("standard input can be the plan or the manifests, not both")


def _dry_run(sites: tuple[str, ...], settings: Settings, screen: Screen, limits: Any) -> int:  # noqa: ANN401
    from reconciler.cli.failures import tell
    from reconciler.cli.shared.planned import planned
    from reconciler.errors import ManifestError

    report, problems = planned(settings, sites, screen, limits)
    return 0 if report is not None else tell(ManifestError(problems), screen)
