"""nginx. We own whole files in one directory of ours; the user's configuration includes them and is never edited.

`layout: snippet` (the default): `CONFIGDIR/SITE.conf` holds the two certificate lines and nothing else. The user pastes
into the server block that serves the site on port 443::

    include /etc/nginx/certwright.d/SITE.conf;

and, for http-01 by the built-in webroot, into the server block of port 80 (any redirect then belongs into a
`location /`, since a `return` of the server block comes before every location)::

    include /etc/nginx/certwright.d/http-01.conf;

The files are named one by one: a wildcard would put every site's certificate into one block. `http-01.conf` stands as
long as the target has a site, used or not, since an include of a missing file stops nginx.

`layout: vhost`: `CONFIGDIR/SITE.conf` holds whole server blocks, from the built-in template or the user's. The user
pastes into `http {}`::

    include /etc/nginx/certwright.d/*.conf;

`layout: live`: nothing is written; the user's blocks name `STATE/live/SITE/fullchain.pem` and `privkey.pem`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.model.names import Part
from reconciler.model.ports import Artifact, Refusal, Tested
from reconciler.targets.builtin import HTTP01, SNIPPET, VHOST
from reconciler.targets.commands import default_reload, default_test, first_lines, named, ran
from reconciler.targets.listening import BadListen, https_port, listening
from reconciler.targets.paths import Rendered, checked, one_site_each, refused
from reconciler.targets.probing import probes_of
from reconciler.targets.rendering import Renderer, by_site, invalid, merged, texts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reconciler.model.desired import NginxTarget
    from reconciler.model.ports import Hands, Probe, SiteOnTarget

HTTP01_DIRECTORY: Final = "/run/certwright/http-01"
_SHARED: Final = "http-01"
_MODE: Final = 0o644
_SERIOUS: Final = re.compile(r"\[(?:error|crit|alert|emerg)\]")
_LIVE: Final = re.compile(r"/[A-Za-z0-9._/@+-]*/live/([A-Za-z0-9.-]+)/[a-z]+\.pem", re.ASCII)


class Nginx:
    """The `Target` of type `nginx`."""

    copies = False

    def __init__(self, spec: NginxTarget, renderer: Renderer, http01_directory: str = HTTP01_DIRECTORY) -> None:
        """Take what renders templates, and the built-in http-01 method's webroot."""
        self.spec = spec
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
        """Give `http-01.conf` for the user's port 80 blocks (snippet only), if there are sites."""
        if self.spec.layout != "snippet" or not sites:
            return ()
        path = self._path(_SHARED)
        text = texts(self._renderer, _SHARED, HTTP01, {"": {"http01_webroot": self._http01_directory}})[""]
        if isinstance(path, Refusal) or isinstance(text, Refusal):
            return ()
        return (Artifact(path, Part.CONFIG, _MODE, text=text),)

    def test(self, hands: Hands, paths: Collection[str]) -> Tested:
        """Run the server's own test; blamed are files that its error names, or that name the certificate it names.

        With `layout: live` there is no file of ours; the certificate's own path under `live` is blamed then.
        """
        ok, lines = ran(hands, "test", self.spec.test or default_test("nginx"))
        return Tested(ok, first_lines(lines), () if ok else self._blamed(lines, paths))

    def activate(self, hands: Hands) -> Tested:
        """Reload. nginx answers before it has loaded anything, so only a handshake proves it."""
        ok, lines = ran(hands, "reload", self.spec.reload.command or default_reload("nginx"))
        return Tested(ok, first_lines(lines))

    def probes(self, site: SiteOnTarget) -> tuple[Probe, ...]:
        """Give a handshake for each port of `verify`."""
        return probes_of(self.spec.verify, site)

    def _blamed(self, lines: Sequence[str], paths: Collection[str]) -> tuple[str, ...]:
        serious = [line for line in lines if _SERIOUS.search(line)]
        found = named(serious, paths)
        if found:
            return found
        live = (match for line in serious for match in _LIVE.finditer(line))
        files = ((f"{self.spec.config_directory}/{match[1]}.conf", match[0]) for match in live)
        return tuple(dict.fromkeys(ours if ours in paths else material for ours, material in files))

    def _template(self) -> tuple[str, str]:
        """Give name and text."""
        if self.spec.layout == "snippet":
            return "builtin", SNIPPET
        return self.spec.template.name, VHOST if self.spec.template.text is None else self.spec.template.text

    def _file(self, site: str, text: str | Refusal) -> Rendered:
        if isinstance(text, Refusal):
            return text
        if site == _SHARED:
            return refused(f"the name {_SHARED} is taken by a file of the target itself; rename the site")
        path = self._path(site)
        return path if isinstance(path, Refusal) else (Artifact(path, Part.CONFIG, _MODE, text=text),)

    def _path(self, name: str) -> str | Refusal:
        return checked(f"{self.spec.config_directory}/{name}.conf")

    def _variables(self, site: SiteOnTarget) -> dict[str, object] | Refusal:
        values = merged(self.spec.values, site.use.values)
        try:
            tls, plain = listening(self.spec.verify, values)
            extra = _extra(values)
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
            "listen": [at.variables for at in tls],
            "http_listen": [at.variables for at in plain],
            "https_port": https_port(tls),
            "default": self.spec.default_site == site.site,
            "extra": extra,
            "http01_webroot": site.http01_webroot or "",
        }


def paste_lines(spec: NginxTarget, live: str = "STATE/live") -> tuple[str, ...]:
    """Give the lines that the user pastes into their own configuration, with comments that say where.

    `live` is the directory of the live pointers.
    """
    directory = spec.config_directory
    if spec.layout == "vhost":
        return (
            "# in http {}; names of more than some 45 characters need `server_names_hash_bucket_size 256;` beside it:",
            f"include {directory}/*.conf;",
        )
    if spec.layout == "live":
        return (
            "# in the server block of each site:",
            f"ssl_certificate {live}/SITE/fullchain.pem;",
            f"ssl_certificate_key {live}/SITE/privkey.pem;",
        )
    default = spec.default_site
    return (
        "# in the server block of each site, beside `listen 443 ssl;`:",
        f"include {directory}/SITE.conf;",
        *(("# in the block with `default_server`:", f"include {directory}/{default}.conf;") if default else ()),
        "# in the server block of port 80, where a redirect must stand in a `location /`:",
        f"include {directory}/{_SHARED}.conf;",
    )


def _extra(values: Mapping[str, object]) -> list[str] | Refusal:
    """Read `values.extra`: files with directives of the user's that take the place of the answer 204.

    Raw directives are not taken: text in a value must never become configuration.
    """
    given = values.get("extra", [])
    files: list[str] = []
    for entry in given if isinstance(given, list) else [given]:
        path = checked(str(entry))
        if isinstance(path, Refusal):
            return invalid(
                "values.extra must be the absolute path of a file with nginx directives, or a list of such paths: "
                + path.message
            )
        files.append(path)
    return files
