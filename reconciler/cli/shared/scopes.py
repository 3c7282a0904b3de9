"""What a pass looks at: the sites named or selected, and whether it may take away what is no longer declared."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from reconciler.cli.failures import tell_problems
from reconciler.cli.names import check
from reconciler.cli.screen import RED
from reconciler.cli.shared.selectors import selector
from reconciler.errors import ManifestError, OddFile, Problem, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.cli.screen import Screen
    from reconciler.cli.settings import Settings
    from reconciler.manifests.tree import ManifestTree
    from reconciler.model.ports import Scope
    from reconciler.wiring import App

_STDIN: Final = "-"


def check_undamaged(app: App, site: str) -> None:
    """Refuse to work on one site by name where something odd stands at its path in the store. Raises OddFile."""
    for text in app.store.damage((site,)).values():
        raise OddFile(text)


def scope_of(app: App, settings: Settings, sites: Collection[str], screen: Screen) -> Scope:
    """Give the scope: these sites, those that -l selects, or all. Reads the tree: ManifestError, UsageError."""
    from reconciler.model.ports import Scope

    digests = app.tree.glance()
    sites = [name.removeprefix("site/") for name in sites]
    if not digests and not app.tree.problems:
        _refuse_nothing(app, settings, screen)
    check_declared(app, screen, sites, digests)
    _tell_moved(app, screen)
    if settings.selector is not None:
        chosen = selected(app, settings, sites or digests)
        return Scope(sites=frozenset(chosen), follows=_is_followed(app, settings))
    if sites:
        return Scope(sites=frozenset(sites), follows=_is_followed(app, settings))
    full = _follows(app, settings, screen)
    return Scope(full=full, follows=full)


def check_declared(
    app: App, screen: Screen, names: Collection[str], declared: Collection[str], kind: str = "Site"
) -> None:
    """Refuse names that are not declared; where part of the tree is broken, it may be there, and that is told first."""
    try:
        check(names, declared, kind)
    except UsageError as unknown:
        if not app.tree.problems:
            raise
        tell_problems(app.tree.problems, screen)
        raise UsageError(f"beside what is broken, {unknown}") from None


def beside_problems(app: App, screen: Screen, sites: Collection[str] = ()) -> None:
    """Tell what is wrong with a tree of which only these sites are looked at, and go on by their last good meaning.

    Raises ManifestError where one has none.
    """
    problems = app.tree.problems
    if not problems:
        return
    if not app.tree.declared(sites).sites.keys() >= set(sites):
        raise ManifestError(problems)
    tell_problems(problems, screen)
    screen.tell("what these declare goes by what it last meant", RED)


def selected(app: App, settings: Settings, among: Collection[str]) -> list[str]:
    """Give the sites that -l selects; UsageError if there is none."""
    wanted = selector(settings.selector)
    declared = app.tree.declared(among)
    chosen = [name for name, site in declared.sites.items() if wanted.matches(dict(site.labels))]
    if not chosen:
        raise UsageError(f"no Site has the labels {settings.selector!r}")
    return chosen


def problems_of_nothing(settings: Settings, tree: ManifestTree) -> tuple[Problem, ...]:
    """Say of each -f that it holds no manifest; empty if there is any."""
    from reconciler.manifests.walking import STDIN_NAME

    if not tree.written.is_bare:
        return ()
    told = "holds no manifest (*.yaml, *.yml); `certwright init NAME` writes a first one"
    piped = "holds no manifest: did the command that writes it fail?"
    return tuple(
        Problem(STDIN_NAME, 0, 0, piped) if root == _STDIN else Problem(root, 0, 0, told) for root in settings.manifests
    )


def _refuse_nothing(app: App, settings: Settings, screen: Screen) -> None:
    problems = problems_of_nothing(settings, app.tree)
    if problems:
        raise ManifestError(problems)
    screen.note(f"no Site is declared in {', '.join(settings.manifests)}")


def tree_name(settings: Settings) -> str | None:
    """Give the name by which a state directory knows the tree it follows; None for standard input, which none can."""
    if _STDIN in settings.manifests:
        return None
    # not by pathlib, to which a loop of links is a bug
    paths = ", ".join(sorted(os.path.realpath(root) for root in settings.manifests))
    return f"{paths} (server {settings.server})" if settings.server else paths


def _is_followed(app: App, settings: Settings) -> bool:
    """Tell whether this state follows this tree already."""
    source = app.store.source()
    return source is not None and source.tree == tree_name(settings)


def _follows(app: App, settings: Settings, screen: Screen) -> bool:
    """Tell whether this state follows this tree: only then is what is not declared taken away."""
    name, source = tree_name(settings), app.store.source()
    if name is None:
        return False
    if source is None or source.tree == name:
        return True
    screen.note(
        f"this state follows {source.tree}: sites that only that tree declares stay as they are "
        "(`certwright apply --change-source` moves it to this tree)"
    )
    return False


def _tell_moved(app: App, screen: Screen) -> None:
    if app.store.moved():
        screen.note(
            "this state was last used on another machine: good certificates are not renewed until a sixth of their "
            "lifetime is left (`certwright apply --accept-machine` makes this machine the one that renews)"
        )


def begin(app: App, settings: Settings, screen: Screen) -> bool:
    """Tell whether `run` may take away what is not declared; a state that follows no tree yet follows this one."""
    _tell_moved(app, screen)
    full = _follows(app, settings, screen)
    if full:
        follow(app, settings)
    return full


def follow(app: App, settings: Settings) -> None:
    """Make the state follow this tree, if it follows none or was told to move."""
    name = tree_name(settings)
    if name is not None:
        app.store.follow(name)
