"""The global flags: accepted before and after the verb, filled up from the environment, then from the defaults."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from reconciler.cli.completing import directories, files, formats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_MANIFESTS: Final = "/etc/certwright/manifests"
DEFAULT_STATE: Final = "/var/lib/certwright"
FORMATS: Final = ("text", "wide", "json", "yaml", "name", "markdown")
_LOCK_TIMEOUT: Final = 60.0
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhd]?)", re.ASCII)


class Duration(click.ParamType[float]):
    """A time such as `60s`, `2m`, `6h`; a bare number is seconds. Gives seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """Read it."""
        if isinstance(value, int | float):
            return float(value)
        match = _DURATION.fullmatch(str(value))
        if match is None:
            self.fail(f"{str(value)!r} is no time; write 60s, 2m or 6h", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True, slots=True)
class Settings:
    """The global flags as one verb sees them. `given` are those that say what it is about, as typed."""

    manifests: tuple[str, ...]
    state: str
    server: str | None = None
    selector: str | None = None
    output: str = "text"
    lock_timeout: float = _LOCK_TIMEOUT
    verbosity: int = 0
    color: bool | None = None
    given: tuple[str, ...] = ()


def options() -> dict[str, click.Option]:
    """Give the global flags by name, made anew: click keeps state in them."""
    made = (
        click.Option(
            ["-f", "--manifests"],
            multiple=True,
            metavar="PATH",
            shell_complete=files,
            help="Manifest tree: a directory, a file or -; repeatable. "
            f"[$CERTWRIGHT_MANIFESTS, else {DEFAULT_MANIFESTS}]",
        ),
        click.Option(
            ["--state"],
            metavar="DIR",
            shell_complete=directories,
            help=f"The store. [$CERTWRIGHT_STATE, else {DEFAULT_STATE}]",
        ),
        click.Option(["--server"], metavar="NAME", help="Which Server of the tree this machine is. [by its hostname]"),
        click.Option(["-l", "--selector"], metavar="LABELS", help="Sites with these labels: tier=customer,env!=dev"),
        click.Option(
            ["-o", "--output"], metavar="FORMAT", shell_complete=formats, help="How the result is written. [text]"
        ),
        click.Option(
            ["--lock-timeout"],
            type=Duration(),
            metavar="TIME",
            help="How long to wait for another process that works on the same thing. [60s]",
        ),
        click.Option(["-v", "--verbose"], count=True, help="Say more; twice: each request to a CA too."),
        click.Option(["-q", "--quiet"], is_flag=True, help="Results and failures only."),
        click.Option(["--no-color"], is_flag=True, help="No colour. [$NO_COLOR]"),
    )
    return {str(option.name): option for option in made}


def merged(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> Settings:
    """Make the settings of what stood before the verb and after it; what stands after wins, -f and -v add up."""

    def last(name: str) -> Any:  # noqa: ANN401
        return inner.get(name) if inner.get(name) is not None else outer.get(name)

    named = (*outer.get("manifests", ()), *inner.get("manifests", ()))
    quiet = outer.get("quiet") or inner.get("quiet")
    plain = outer.get("no_color") or inner.get("no_color") or os.environ.get("NO_COLOR")
    timeout = last("lock_timeout")
    return Settings(
        manifests=named or _from_environment() or (DEFAULT_MANIFESTS,),
        state=_absolute(last("state") or os.environ.get("CERTWRIGHT_STATE") or DEFAULT_STATE),
        server=last("server"),
        selector=last("selector"),
        output=last("output") or "text",
        lock_timeout=_LOCK_TIMEOUT if timeout is None else timeout,
        verbosity=-1 if quiet else (outer.get("verbose") or 0) + (inner.get("verbose") or 0),
        color=False if plain else None,
        given=_given(named, last("state"), last("server")),
    )


def _given(manifests: Sequence[str], state: str | None, server: str | None) -> tuple[str, ...]:
    """Give what was typed; what the environment says goes without saying."""
    words = [word for path in manifests for word in ("-f", path if path == "-" else _absolute(path))]
    words += ["--state", _absolute(state)] if state else []
    words += ["--server", server] if server else []
    return tuple(words)


def _absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100  pathlib costs a reader its start


def _from_environment() -> tuple[str, ...]:
    return tuple(filter(None, os.environ.get("CERTWRIGHT_MANIFESTS", "").split(os.pathsep)))
