"""Dovecot 2.3. We own whole files in one directory of ours.

The user's configuration includes them, once, at its end::

    !include_try /etc/dovecot/certwright.d/*.conf

`CONFIGDIR/SITE.conf` holds a `local_name` block for each hostname, which names key and full chain under `STATE/live`:
the server reads both as root. Until it reloads it serves what it has read. `ssl = required` (or `yes`), `ssl_cert` and
`ssl_key` for clients without a known name are the user's, unless `defaultSite` names a site whose certificate they get.

**Dovecot's own test reads no certificate.** With a garbage one only its names fail, but they do fail: so what our files
name is checked here first, and again right before the reload.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reconciler.model.names import Hostname, Part
from reconciler.model.ports import Activated, Artifact, Named, Refusal, Tested
from reconciler.targets.commands import first_lines, named, ran, unloadable
from reconciler.targets.paths import Rendered, checked, one_site_each, refused
from reconciler.targets.probing import probes_of
from reconciler.targets.rendering import Renderer, by_site, merged, texts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reconciler.model.desired import DovecotTarget
    from reconciler.model.ports import Changed, Hands, Probe, SiteOnTarget

_MODE: Final = 0o644
_SUFFIX: Final = ".conf"
_SERIOUS: Final = re.compile(r"\b(?:Fatal|Error|Panic)\b")
_SETTING: Final = re.compile(
    r"^[ \t]*(?:ssl_(?P<name>cert|key)[ \t]*=[ \t]*<[ \t]*(?P<path>\S+)|(?P<brace>[^#\n]*[{}])[ \t]*$)", re.MULTILINE
)

BUILTIN: Final = """\
# Written by certwright for the site {{ site }}. Changes made here are put back.
{% if default %}
ssl_cert = <{{ fullchain }}
ssl_key = <{{ key }}
{% endif %}
{% for name in hostnames if ':' not in name %}
local_name {{ name }} {
  ssl_cert = <{{ fullchain }}
  ssl_key = <{{ key }}
}
{% endfor %}
"""
"""The built-in template. Variables: those of the web servers, without where to listen."""


class Dovecot:
    """The `Target` of type `dovecot`."""

    copies = False
    built: Mapping[str, str] = MappingProxyType({})

    def __init__(self, spec: DovecotTarget, renderer: Renderer) -> None:
        """Take what renders templates."""
        self.spec = spec
        self._renderer = renderer

    def render(self, sites: Sequence[SiteOnTarget]) -> Mapping[str, tuple[Artifact, ...] | Refusal]:
        """Give each site's one file."""
        variables = {name: self._variables(site) for name, site in by_site(sites).items()}
        own = self.spec.template
        rendered = texts(self._renderer, own.name, BUILTIN if own.text is None else own.text, variables)
        return one_site_each({name: self._file(name, text) for name, text in rendered.items()})

    def shared(self, sites: Sequence[SiteOnTarget]) -> tuple[Artifact, ...]:  # noqa: ARG002  the protocol's
        """Give nothing: every file is a site's."""
        return ()

    def test(self, hands: Hands, paths: Collection[str]) -> Tested:
        """Check what the files name, then have the configuration read; blamed are files that its error names."""
        bad = self._unusable(hands)
        if bad:
            return unloadable(bad.values(), tuple(bad))
        ok, lines = ran(hands, "test", self.spec.test)
        if ok:
            return Tested(ok=True, output="")  # it printed the whole configuration
        serious = [line for line in lines if _SERIOUS.search(line)] or lines
        return Tested(ok=False, output=first_lines(serious), blamed=named(serious, paths))

    def replaces(self, changed: Collection[Changed]) -> bool:  # noqa: ARG002  the protocol's
        """Tell that nothing is taken up without a reload."""
        return False

    def activate(self, hands: Hands, changed: Collection[Changed]) -> Activated:  # noqa: ARG002  the protocol's
        """Reload, unless a certificate has become unusable since the test."""
        bad = self._unusable(hands)
        if bad:
            return Activated(ok=False, output=first_lines(["not reloaded", *bad.values()]))
        ok, lines = ran(hands, "reload", self.spec.reload.command)
        return Activated(ok, first_lines(lines))

    def probes(self, site: SiteOnTarget) -> tuple[Probe, ...]:
        """Give a handshake for each port of `verify`."""
        return probes_of(self.spec.verify, site)

    def _unusable(self, hands: Hands) -> Mapping[str, str]:
        return hands.unusable(self.spec.config_directory, _SUFFIX, names)

    def _file(self, site: str, text: str | Refusal) -> Rendered:
        if isinstance(text, Refusal):
            return text
        if "/" in site:
            return refused(f"{site[:60]!a} is no name of a file")
        path = checked(f"{self.spec.config_directory}/{site}{_SUFFIX}")
        return path if isinstance(path, Refusal) else (Artifact(path, Part.CONFIG, _MODE, text=text),)

    def _variables(self, site: SiteOnTarget) -> dict[str, object]:
        return {
            "site": site.site,
            "hostnames": [name for name in site.hostnames if not Hostname(name).is_address],
            "key": f"{site.live}/privkey.pem",
            "certificate": f"{site.live}/cert.pem",
            "chain": f"{site.live}/chain.pem",
            "fullchain": f"{site.live}/fullchain.pem",
            "values": merged(self.spec.values, site.use.values),
            "target": self.spec.name,
            "address": self.spec.verify.address,
            "ports": list(self.spec.verify.ports),
            "default": self.spec.default_site == site.site,
        }


def names(text: str) -> tuple[Named, ...]:
    """Give the certificates and keys that a configuration names, a pair a block."""
    found: list[Named] = []
    block: dict[str, str] = {}
    for match in _SETTING.finditer(text):
        if match["brace"]:
            block = {}
            continue
        block[match["name"]] = match["path"]
        if len(block) == 2:  # noqa: PLR2004  a certificate and its key
            found.append(Named(block["cert"], block["key"]))
    return tuple(dict.fromkeys(found))


def paste_lines(spec: DovecotTarget) -> tuple[str, ...]:
    """Give the lines that the user pastes into their own configuration, with comments that say where."""
    return (
        "# at the end of dovecot.conf, beside your own `ssl = required`, `ssl_cert` and `ssl_key`:",
        f"!include_try {spec.config_directory}/*.conf",
    )
