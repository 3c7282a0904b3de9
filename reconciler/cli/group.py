"""The verbs, found by name and imported when they are typed."""

from __future__ import annotations

import keyword
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from reconciler.cli.screen import Screen
from reconciler.cli.settings import FORMATS, Settings, merged, options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# verb: (module, what --help says); in the order in which a person meets them
VERBS: Final = {
    "init": ("init", "Write a first manifest tree for this machine."),
    "validate": ("validate", "Check the manifests, offline."),
    "diff": ("diff", "Show what `apply` would do, and why. Exit 1 if there is something."),
    "apply": ("apply", "Make it so, until only holds remain."),
    "run": ("run", "The same for ever: watch, renew in time, repair."),
    "status": ("status", "At a glance: what is Ready, what waits, what fails."),
    "get": ("get", "List sites, certificates, issuers, targets, holds, events ..."),
    "describe": ("describe", "Everything about one object, and where each value came from."),
    "explain": ("explain", "The documentation of a manifest field."),
    "why": ("why", "Every policy's verdict for a site."),
    "wait": ("wait", "Wait until a site is Ready."),
    "preflight": ("preflight", "Look from outside in whether certificates can be had."),
    "verify": ("verify", "Shake hands now: is the certificate served?"),
    "challenges": ("stages", "Stage 1: make the order of a site, print every challenge."),
    "solve": ("stages", "Stage 2: prove its names, by a method or as published elsewhere."),
    "request": ("stages", "Stage 3: fetch and install the certificate of an order that is proven."),
    "renew": ("renew", "A new certificate now; nothing else changes."),
    "retry": ("renew", "Try again now what backs off or is stalled."),
    "import": ("importing", "Bring a certificate with its key: check it, keep it, install it."),
    "rollback": ("rollback", "A stored certificate again, that is still valid."),
    "schema": ("schema", "The manifest language as JSON Schema."),
    "completion": ("completion", "The completion script of a shell."),
    "version": ("version", "Which certwright this is."),
}
_FEW: Final = ("verbose", "quiet", "no_color")
_COLUMN: Final = 10


class Helpful(click.Command):
    """Writes its help the way results are written: what takes no more of it is told as the other verbs tell it."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Give click's option with our hand to write."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _help
        return option


def _help(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001  click's protocol
    if wanted and not ctx.resilient_parsing:
        Screen().out(ctx.get_help())
        ctx.exit()


class Verb(Helpful):
    """One verb. `uses` are the global flags that mean something to it, `formats` what -o takes."""

    def __init__(self, *, uses: Sequence[str] = (), formats: Sequence[str] = ("text",), **given: Any) -> None:  # noqa: ANN401
        """Add the global flags to the verb's own."""
        super().__init__(**given)
        self.formats = tuple(formats)
        self.uses = (*uses, *(("output",) if len(self.formats) > 1 else ()), *_FEW)
        self.common = {name: option for name, option in options().items() if name in self.uses}
        if "output" in self.common:
            self.common["output"].help = f"{' | '.join(self.formats)}  [{self.formats[0]}]"
        self.params.extend(self.common.values())

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  what the verb gives: its exit code
        """Gather the global flags and call the verb with them as `settings`."""
        inner = {name: ctx.params.pop(name) for name in self.common}
        settings = merged(ctx.obj or {}, inner)
        self._check(ctx, settings)
        ctx.params["settings"] = settings
        return super().invoke(ctx)

    def _check(self, ctx: click.Context, settings: Settings) -> None:
        name = ctx.info_name
        if settings.selector is not None and "selector" not in self.uses:
            raise click.UsageError(f"`{name}` takes no -l", ctx)
        if settings.output not in FORMATS or (settings.output not in self.formats and settings.output != "text"):
            known = ", ".join(self.formats)
            raise click.UsageError(f"`{name}` cannot write {settings.output!r}; -o is one of {known}", ctx)


def verb(
    *, uses: Sequence[str] = (), formats: Sequence[str] = ("text",)
) -> Callable[[Callable[..., int]], click.Command]:
    """Make a function a verb; takes what `Verb` takes. The function gets `settings` and gives an exit code."""
    return click.command(cls=Verb, uses=uses, formats=formats)


class Verbs(Helpful, click.Group):
    """The program: knows every verb's name and sentence, imports the one that is typed."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Give the verbs."""
        return list(VERBS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import a verb."""
        if name not in VERBS:
            return None
        attribute = f"{name}_" if keyword.iskeyword(name) else name
        found: click.Command = getattr(import_module(f"reconciler.cli.verbs.{VERBS[name][0]}"), attribute)
        found.short_help = VERBS[name][1]
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which one was meant."""
        if args and args[0] not in VERBS:
            import difflib

            near = difflib.get_close_matches(args[0], VERBS, 1)
            hint = f"did you mean `{near[0]}`?" if near else "`certwright --help` lists the verbs"
            raise click.UsageError(f"there is no verb {args[0]!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing one."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name.ljust(_COLUMN), told) for name, (_, told) in VERBS.items()])


@click.pass_context
def _remember(ctx: click.Context, /, **outer: Any) -> None:  # noqa: ANN401
    ctx.obj = outer


program = Verbs(
    name="certwright",
    callback=_remember,
    params=list(options().values()),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    no_args_is_help=True,
    subcommand_metavar="VERB ...",
    help="Declarative TLS certificates: manifests in, served certificates out.",
    epilog="Exit codes: 0 it holds or was done; 1 changes (diff), or something failed or is not Ready; 2 wrong usage "
    "or an invalid manifest; 3 the state directory, a lock or the machine; 4 only timed holds, nobody's failure.",
)
