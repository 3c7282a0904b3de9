"""`validate`: the manifests alone, offline. No path outside the tree is opened, not even the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.cli.failures import tell
from reconciler.cli.group import verb
from reconciler.cli.screen import GREEN, Screen
from reconciler.cli.shared.scopes import problems_of_nothing
from reconciler.cli.writing import write
from reconciler.errors import ManifestError, Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reconciler.cli.settings import Settings
    from reconciler.model.ports import Rewrite

_WHICH_SERVER: Final = "--server"


class NoCache:
    """A cache that keeps nothing."""

    def signatures(self, namespace: str) -> Mapping[str, str]:
        """Give none."""
        del namespace
        return {}

    def rows(self, namespace: str, keys: Collection[str] | None = None) -> Mapping[str, tuple[str, str]]:
        """Give none."""
        del namespace, keys
        return {}

    def put(self, namespace: str, rows: Mapping[str, tuple[str, str]], *, drop: Collection[str] = ()) -> bool:
        """Keep none."""
        del namespace, rows, drop
        return False

    def put_all(self, writes: Mapping[str, Rewrite], row: tuple[str, str], seen: str | None) -> bool:
        """Keep none."""
        del writes, row, seen
        return False


@verb(uses=("manifests", "server"), formats=("text", "json", "yaml"))
def validate(settings: Settings) -> int:
    """Check the manifests: syntax, fields, references, conflicts; of all Servers of the tree.

    Templates are not rendered, and no file that a manifest names is read: `diff` does both. Exit 0 if they are valid,
    2 if not; all that is wrong is told at once.
    """
    screen = Screen(settings)
    problems, count = _checked(settings)
    if settings.output != "text":
        write(screen, _value(problems, count), settings.output)
        return tell(ManifestError(problems), screen) if problems else 0
    if problems:
        return tell(ManifestError(problems), screen)
    screen.out(f"valid: {count:,} site{'' if count == 1 else 's'}", GREEN)
    return 0


def _checked(settings: Settings) -> tuple[tuple[Problem, ...], int]:
    """Give the problems and the number of sites."""
    from reconciler.manifests.settings import Settings as TreeSettings
    from reconciler.manifests.tree import ManifestTree

    tree = ManifestTree(TreeSettings(settings.manifests, settings.server, lenient=False), NoCache())
    try:
        sites = len(tree.refresh())
    except ManifestError as error:
        # which Server this machine is does not matter here: all of them are checked
        rest = tuple(one for one in error.problems if one.file != _WHICH_SERVER or settings.server is not None)
        return rest, 0 if rest else sum(one.kind == "Site" for one in tree.written.resources())
    return (problems_of_nothing(settings, tree) if not sites else ()), sites


def _value(problems: tuple[Problem, ...], count: int) -> dict[str, Any]:
    from reconciler.report.plan_json import problem_json

    errors = [problem_json(problem) for problem in problems]
    return {"apiVersion": "certwright/v1", "kind": "Validation", "ok": not errors, "sites": count, "errors": errors}
