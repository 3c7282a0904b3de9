"""`init`: a first tree for this machine, and what to do next."""

from __future__ import annotations

import shlex
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.group import verb
from reconciler.cli.screen import BOLD, Screen
from reconciler.errors import Failed, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.cli.settings import Settings
    from reconciler.cli.shared.first_tree import First

_FILE_MODE = 0o644
_SERVERS = (
    ("nginx", "nginx"),
    ("apache2", "apache"),
    ("httpd", "apache"),
    ("haproxy", "haproxy"),
    ("dovecot", "dovecot"),
    ("postfix", "postfix"),
)


@verb(uses=("manifests", "state"))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--email", metavar="ADDRESS", help="Contact of your account at the CA.")
@click.option("--agree-tos", is_flag=True, help="You agree to the CA's terms of service.")
@click.option("--staging", is_flag=True, help="Let's Encrypt's test CA: certificates that no browser believes.")
def init(names: tuple[str, ...], settings: Settings, *, email: str | None, agree_tos: bool, staging: bool) -> int:
    """Write a small commented manifest tree: this machine, and one Site with these hostnames (default: the machine's).

    Nothing that exists is overwritten; nothing is asked of any CA.
    """
    from reconciler.cli.shared.first_tree import First, tree

    screen = Screen(settings)
    root = _root(settings)
    hostnames = tuple(_hostname(name) for name in names) or (_own_hostname(),)
    first = First(hostnames, email, agree_tos, staging, servers=_servers())
    files = tree(first)
    _check_valid(files)
    _write(root, files)
    for name in files:
        screen.out(f"wrote {root}/{name}")
    _next_steps(screen, settings, root, first)
    return 0


def _root(settings: Settings) -> str:
    if len(settings.manifests) != 1 or settings.manifests[0] == "-":
        raise click.UsageError("init writes one directory: name it with one -f")
    root = str(Path(settings.manifests[0]).absolute())
    try:
        with suppress(FileNotFoundError):
            Path(root).stat()  # a loop of links is neither there nor not there
        found = sorted(path for path in Path(root).rglob("*") if path.suffix in (".yaml", ".yml"))
    except OSError as error:
        raise UsageError(f"{root} cannot be read: {error.strerror}") from None
    if Path(root).exists() and not Path(root).is_dir():
        raise UsageError(f"{root} is a file; init writes a directory")
    if found:
        raise UsageError(f"{root} has manifests already ({found[0]}); init starts a tree and never changes one")
    return root


def _hostname(name: str) -> str:
    from reconciler.doors.hostnames import parse_hostname

    try:
        return parse_hostname(name, public=True)[0]
    except ValueError as error:
        raise UsageError(str(error)) from None


def _own_hostname() -> str:
    own = socket.getfqdn()
    try:
        return _hostname(own)
    except UsageError:
        told = f"this machine calls itself {own}, which no public CA signs; name the hostnames:"
        raise UsageError(f"{told} certwright init www.example.com") from None


def _servers() -> tuple[str, ...]:
    """Give the built-in Targets of the servers that are installed here; of those for the web the first is used."""
    from reconciler.doors.processes.api import resolve_program

    found = []
    for program, target in _SERVERS:
        with suppress(Failed):
            resolve_program(program)
            found.append(target)
    return tuple(dict.fromkeys(found))


def _check_valid(files: Mapping[str, str]) -> None:
    """Read what will be written as it will be read: a wildcard or a bad address is told before anything is there."""
    from reconciler.errors import ManifestError
    from reconciler.manifests.kinds.validate import Resource, validate_document
    from reconciler.manifests.text.documents import read_documents

    problems = []
    for name, text in files.items():
        if name.endswith(".yaml"):
            reading = read_documents(text.encode(), name)
            checked = [validate_document(document) for document in reading.documents]
            problems += [*reading.problems]
            problems += [one for found in checked if not isinstance(found, Resource) for one in found.problems]
    if problems:
        raise ManifestError(problems)


def _write(root: str, files: Mapping[str, str]) -> None:
    from reconciler.doors.files import api
    from reconciler.errors import StoreError

    try:
        for name, text in files.items():
            path = f"{Path(root).resolve()}/{name}"
            with api.open_directory(str(Path(path).parent), make=True):
                api.write_file(path, text.encode(), mode=_FILE_MODE)
    except Failed as failure:
        raise StoreError(str(failure)) from None


def _next_steps(screen: Screen, settings: Settings, root: str, first: First) -> None:
    from reconciler.cli.shared.first_tree import paste

    for server in first.servers:
        screen.out()
        used = "" if server in first.used else f" if you add {server} to `targets`"
        screen.out(
            f"Paste into {server}'s own configuration{used} (loaded by the first apply, so do not reload before):", BOLD
        )
        for line in paste(server, first.site, settings.state):
            screen.out(f"    {line}")
    given = [*(["-f", root] if settings.manifests != ("/etc/certwright/manifests",) else [])]
    given += ["--state", settings.state] if settings.state != "/var/lib/certwright" else []
    command = shlex.join(["certwright", *given])
    screen.out()
    screen.out("Then:", BOLD)
    if not first.agreed:
        screen.out(f"    edit {root}/server.yaml: agreeToTerms: true   # no account is made without it")
    for words in (
        "validate",
        "diff     # what would be done",
        "apply    # do it",
        "run      # keep it so: renew, repair",
    ):
        screen.out(f"    {command} {words}")
