"""What nginx and Apache have in common: one configuration file a site, by layout, from a template.

`layout: live` writes nothing: the user's own blocks name `STATE/live/SITE/fullchain.pem` and `privkey.pem`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from reconciler.model.names import Part
from reconciler.model.ports import Activated, Artifact, Refusal, Tested
from reconciler.targets.commands import first_lines, named, ran
from reconciler.targets.listening import BadListen, https_port, listening
from reconciler.targets.paths import Rendered, checked, one_site_each, refused
from reconciler.targets.probing import probes_of
from reconciler.targets.rendering import Renderer, by_site, invalid, merged, texts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reconciler.model.desired import ApacheTarget, NginxTarget
    from reconciler.model.ports import Changed, Hands, Probe, SiteOnTarget
    from reconciler.targets.listening import Listen

HTTP01_DIRECTORY: Final = "/run/certwright/http-01"
SHARED: Final = "http-01"
_MODE: Final = 0o644
# what is said of a server that is not there: its file with the process id is empty, gone, or of one that has ended
_STOPPED: Final = re.compile(r"invalid PID number|\.pid\" failed|No such process|not running")
_LIVE: Final = re.compile(r"/[A-Za-z0-9._/@+-]*/live/([A-Za-z0-9.-]+)/[a-z]+\.pem", re.ASCII)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one server's configuration is written and how it speaks. `name` is for messages.

    `snippet`, `vhost` and `http01` are the built-in templates; `serious` finds the lines of its test that say why.
    """

    name: str
    snippet: str
    vhost: str
    http01: str
    serious: re.Pattern[str]


class WebServer:
    """A `Target` whose sites are configuration files. What a server type is apart from that, its subclass says."""

    copies = False
    built: Mapping[str, str] = MappingProxyType({})
    dialect: ClassVar[Dialect]

    def __init__(
        self, spec: NginxTarget | ApacheTarget, renderer: Renderer, http01_directory: str = HTTP01_DIRECTORY
    ) -> None:
        """Take what renders templates, and the built-in http-01 method's webroot."""
        self.spec: Any = spec
        self._renderer = renderer
        self._http01_directory = http01_directory

    def render(self, sites: Sequence[SiteOnTarget]) -> Mapping[str, tuple[Artifact, ...] | Refusal]:
        """Give each site's one file, none for `layout: live`."""
        known = by_site(sites)
        if self.spec.layout == "live":
            return dict.fromkeys(known, ())
        variables = {name: self._variables(site) for name, site in known.items()}
        good = {name: given for name, given in variables.items() if not isinstance(given, Refusal)}
        rendered = texts(self._renderer, *self._template(), good)
        files: dict[str, Rendered] = {
            name: given if isinstance(given, Refusal) else self._file(name, rendered[name])
            for name, given in variables.items()
        }
        return one_site_each(files)

    def shared(self, sites: Sequence[SiteOnTarget]) -> tuple[Artifact, ...]:
        """Give `http-01.conf` for the user's port 80 blocks (snippet only), if there are sites.

        It serves what lies in the built-in webroot, else in one of those that the tree's methods declare.
        """
        if self.spec.layout != "snippet" or not sites:
            return ()
        path = self._path(SHARED)
        usable = [found for found in map(checked, self.spec.webroots) if isinstance(found, str)]
        variables = {"": {"http01_webroot": self._http01_directory, "http01_more": usable}}
        text = texts(self._renderer, SHARED, self.dialect.http01, variables)[""]
        if isinstance(path, Refusal) or isinstance(text, Refusal):
            return ()
        return (Artifact(path, Part.CONFIG, _MODE, text=text),)

    def test(self, hands: Hands, paths: Collection[str]) -> Tested:
        """Run the server's own test; blamed are files that its error names, or that name the certificate it names.

        With `layout: live` there is no file of ours; the certificate's own path under `live` is blamed then.
        """
        ok, lines = ran(hands, "test", self.spec.test)
        return Tested(ok, first_lines(lines), () if ok else self._blamed(lines, paths))

    def replaces(self, changed: Collection[Changed]) -> bool:  # noqa: ARG002  the protocol's
        """Tell that nothing is taken up without a reload."""
        return False

    def activate(self, hands: Hands, changed: Collection[Changed]) -> Activated:  # noqa: ARG002  the protocol's
        """Reload. The server answers before it has loaded anything, so only a handshake proves it."""
        ok, lines = ran(hands, "reload", self.spec.reload.command)
        stopped = not ok and any(_STOPPED.search(line) for line in lines)
        return Activated(ok, first_lines(lines) + (f"; is {self.dialect.name} running?" if stopped else ""))

    def probes(self, site: SiteOnTarget) -> tuple[Probe, ...]:
        """Give a handshake for each port of `verify`."""
        return probes_of(self.spec.verify, site)

    def listens(self, tls: Sequence[Listen]) -> Sequence[Listen]:
        """Give the addresses of a block, of those that are to be listened at."""
        return tls

    def _blamed(self, lines: Sequence[str], paths: Collection[str]) -> tuple[str, ...]:
        serious = [line for line in lines if self.dialect.serious.search(line)]
        found = named(serious, paths)
        if found:
            return found
        live = (match for line in serious for match in _LIVE.finditer(line))
        files = ((f"{self.spec.config_directory}/{match[1]}.conf", match[0]) for match in live)
        return tuple(dict.fromkeys(ours if ours in paths else material for ours, material in files))

    def _template(self) -> tuple[str, str]:
        """Give name and text."""
        if self.spec.layout == "snippet":
            return "builtin", self.dialect.snippet
        own = self.spec.template
        return own.name, self.dialect.vhost if own.text is None else own.text

    def _file(self, site: str, text: str | Refusal) -> Rendered:
        if isinstance(text, Refusal):
            return text
        if site == SHARED:
            return refused(f"the name {SHARED} is taken by a file of the target itself; rename the site")
        path = self._path(site)
        return path if isinstance(path, Refusal) else (Artifact(path, Part.CONFIG, _MODE, text=text),)

    def _path(self, name: str) -> str | Refusal:
        if "/" in name:
            return refused(f"{name[:60]!a} is no name of a file")
        return checked(f"{self.spec.config_directory}/{name}.conf")

    def _variables(self, site: SiteOnTarget) -> dict[str, object] | Refusal:
        values = merged(self.spec.values, site.use.values)
        try:
            tls, plain = listening(self.spec.verify, values)
            extra = _extra(values, self.dialect.name)
        except BadListen as error:
            return invalid(str(error))
        if isinstance(extra, Refusal):
            return extra
        return {
            "site": site.site,
            "hostnames": list(site.hostnames),
            "key": f"{site.live}/privkey.pem",
            "certificate": f"{site.live}/cert.pem",
            "chain": f"{site.live}/chain.pem",
            "fullchain": f"{site.live}/fullchain.pem",
            "values": values,
            "target": self.spec.name,
            "address": self.spec.verify.address,
            "ports": list(self.spec.verify.ports),
            "listen": [at.variables for at in self.listens(tls)],
            "http_listen": [at.variables for at in self.listens(plain)],
            "https_port": https_port(tls),
            "default": self.spec.default_site == site.site,
            "extra": extra,
            "http01_webroot": site.http01_webroot or "",
        }


def _extra(values: Mapping[str, object], server: str) -> list[str] | Refusal:
    """Read `values.extra`: files with directives of the user's that take the place of the answer 204.

    Raw directives are not taken: text in a value must never become configuration.
    """
    given = values.get("extra", [])
    files: list[str] = []
    for entry in given if isinstance(given, list) else [given]:
        path = checked(str(entry))
        if isinstance(path, Refusal):
            return invalid(
                f"values.extra must be the absolute path of a file with {server} directives, or a list of such paths: "
                + path.message
            )
        files.append(path)
    return files
