"""The text of a first manifest tree. Nothing is written here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA: Final = ".schema.json"

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
    """What the tree is made of; hostnames as A-labels. `server` is a built-in Target."""

    hostnames: tuple[str, ...]
    email: str | None
    agreed: bool
    staging: bool
    server: str | None

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
        targets=f"    targets: [{first.server}]" if first.server else _NO_TARGET,
    )
    names = "\n".join(f"    - {json.dumps(name)}" for name in first.hostnames)
    site = _SITE.format(schema=f"../{SCHEMA}", name=json.dumps(first.site), hostnames=names)
    return {
        SCHEMA: schema_text(schemas()["manifest.json"]),
        "server.yaml": server,
        f"sites/{first.site}.yaml": site,
    }


def paste(first: First, state: str) -> tuple[str, ...]:
    """Give the lines for the web server's own configuration; none without one."""
    if first.server is None:
        return ()
    from reconciler.model.desired import ApacheTarget, NginxTarget
    from reconciler.targets.pasting import paste_lines

    spec = ApacheTarget(name="apache") if first.server == "apache" else NginxTarget(name="nginx")
    return tuple(line.replace("SITE", first.site) for line in paste_lines(spec, f"{state}/live"))
