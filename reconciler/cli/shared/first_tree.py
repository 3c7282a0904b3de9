"""The text of a first manifest tree. Nothing is written here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA: Final = ".schema.json"
_WEB: Final = frozenset({"nginx", "apache", "haproxy"})

_SERVER: Final = """\
# yaml-language-server: $schema={schema}
# This machine, and what every Site inherits. `certwright explain server` documents every field.
apiVersion: certwright/v1
kind: Server
metadata:
  name: {name}
spec:
{email}
{terms}
  defaults:
{issuers}
{targets}
"""
_SITE: Final = """\
# yaml-language-server: $schema={schema}
# One certificate, and where it is served. Copy this file for each further one.
apiVersion: certwright/v1
kind: Site
metadata:
  name: {name}
spec:
  hostnames:
{hostnames}
"""
_NO_TARGET: Final = """\
    # No server was found here that certificates could be put to use in.
    # A Target of type `files` writes them where you say: `certwright explain target`
    # targets: [NAME]"""


@dataclass(frozen=True, slots=True)
class First:
    """What the tree is made of; hostnames as A-labels. `servers` are the built-in Targets that were found here."""

    hostnames: tuple[str, ...]
    email: str | None
    agreed: bool
    staging: bool
    servers: tuple[str, ...]

    @property
    def used(self) -> tuple[str, ...]:
        """Give the Targets that the tree names: one web server, since two cannot have one port.

        Dovecot and Postfix are only offered: their certificates have the mail server's own names.
        """
        return tuple(name for name in self.servers if name in _WEB)[:1]

    @property
    def site(self) -> str:
        """Give the name of the Site."""
        return self.hostnames[0].replace("*.", "wildcard.")


def tree(first: First) -> Mapping[str, str]:
    """Give the files by their path in the tree."""
    from reconciler.schema import schema_text, schemas

    email = (
        f"  email: {json.dumps(first.email)}"
        if first.email
        else "  # email: you@example.com    # where the CA writes to"
    )
    terms = (
        "  agreeToTerms: true"
        if first.agreed
        else "  agreeToTerms: false        # true: you agree to the CA's terms of service"
    )
    issuers = "    issuers: [letsencrypt]"
    if first.staging:
        issuers = "    issuers: [letsencrypt-staging]   # a test CA; without this line: the CA that browsers believe"
    server = _SERVER.format(
        schema=SCHEMA,
        name="server",
        email=email,
        terms=terms,
        issuers=issuers,
        targets=_targets(first),
    )
    names = "\n".join(f"    - {json.dumps(name)}" for name in first.hostnames)
    site = _SITE.format(schema=f"../{SCHEMA}", name=json.dumps(first.site), hostnames=names)
    return {
        SCHEMA: schema_text(schemas()["manifest.json"]),
        "server.yaml": server,
        f"sites/{first.site}.yaml": site,
    }


def _targets(first: First) -> str:
    """Write the line of the targets, and beside it what else was found here."""
    others = [name for name in first.servers if name not in first.used]
    if not first.servers:
        return _NO_TARGET
    line = f"    targets: [{', '.join(first.used)}]" if first.used else "    # targets: []"
    return line + (f"   # found here too, and yours to add: {', '.join(others)}" if others else "")


def paste(server: str, site: str, state: str) -> tuple[str, ...]:
    """Give the lines for a server's own configuration, as its built-in Target has them."""
    from reconciler.manifests.resolving.builtins import builtin_objects
    from reconciler.manifests.resolving.specs import ObjectResolver
    from reconciler.targets.pasting import paste_lines

    [built_in] = [one for one in builtin_objects() if (one.kind, one.name) == ("Target", server)]
    spec = ObjectResolver(None, lambda _path: None, []).target(built_in)
    return tuple(line.replace("SITE", site) for line in paste_lines(spec, f"{state}/live"))
