r"""Apache httpd 2.4. We own whole files in one directory of ours; the user's configuration includes them, never edited.

`layout: snippet` (the default): `CONFIGDIR/SITE.conf` holds the two certificate lines. The user pastes into the virtual
host that serves the site on port 443, beside `SSLEngine on`::

    Include /etc/apache2/certwright.d/SITE.conf

and, for http-01 by the built-in webroot, into the virtual host of port 80 (a redirect there must spare
`/.well-known/acme-challenge/`)::

    Include /etc/apache2/certwright.d/http-01.conf

`layout: vhost`: `CONFIGDIR/SITE.conf` holds whole virtual hosts. The user has the `Listen` lines, and pastes::

    IncludeOptional /etc/apache2/certwright.d/*.conf

`layout: live`: nothing is written; the user's blocks name `STATE/live/SITE/fullchain.pem` and `privkey.pem`.

**Apache's own test reads no certificate.** It passes a garbage or mismatched one, and the reload then ends the whole
server. So every certificate and key that a file in `configDirectory` names is checked here first, and again right
before the reload: what is on disk may have changed meanwhile.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from reconciler.model.ports import Activated, Named, Tested
from reconciler.targets.apache_templates import HTTP01, SNIPPET, VHOST
from reconciler.targets.commands import first_lines, unloadable
from reconciler.targets.web import SHARED, Dialect, WebServer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from reconciler.model.desired import ApacheTarget
    from reconciler.model.ports import Changed, Hands
    from reconciler.targets.listening import Listen

_DIALECT: Final = Dialect("Apache", SNIPPET, VHOST, HTTP01, re.compile(r"^(?!.*(?:\[warn\]|Warning:|AH00558))"))
_SUFFIX: Final = ".conf"
_CONTINUED: Final = re.compile(r"\\\r?\n")
_DIRECTIVE: Final = re.compile(
    r"""^[ \t]*(?:(?P<name>SSL(?:CA)?Certificate(?:Key|Chain)?File)[ \t]+(?P<value>"[^"\n]*"|'[^'\n]*'|\S+)"""
    r"""|(?P<block></?VirtualHost\b))""",
    re.IGNORECASE | re.MULTILINE,
)
_EVERY: Final = "*"
_STARTED: Final = 0.005


class Apache(WebServer):
    """The `Target` of type `apache`."""

    dialect = _DIALECT

    def test(self, hands: Hands, paths: Collection[str]) -> Tested:
        """Check what the files name, while the server's own test runs; it is started first, and not held up."""

        def checked() -> Mapping[str, str]:
            time.sleep(_STARTED)
            return self._unusable(hands)

        with ThreadPoolExecutor(max_workers=1) as pool:
            checking = pool.submit(checked)
            tested = super().test(hands, paths)
        bad = checking.result()
        return unloadable(bad.values(), tuple(bad)) if bad else tested

    def activate(self, hands: Hands, changed: Collection[Changed]) -> Activated:
        """Reload, unless a certificate has become unusable since the test: that would end the server."""
        bad = self._unusable(hands)
        if bad:
            return Activated(ok=False, output=first_lines(["not reloaded", *bad.values()]))
        return super().activate(hands, changed)

    def listens(self, tls: Sequence[Listen]) -> Sequence[Listen]:
        """Leave `[::]` out beside `*`, which is every address of both families here."""
        ports = {at.port for at in tls if at.address == _EVERY}
        return [at for at in tls if at.address != "::" or at.port not in ports]

    def _unusable(self, hands: Hands) -> Mapping[str, str]:
        return {} if self.spec.layout == "live" else hands.unusable(self.spec.config_directory, _SUFFIX, names)


def names(text: str) -> tuple[Named, ...]:
    """Give the certificates and keys that a configuration names; within a virtual host they pair in order."""
    found: list[Named] = []
    for block in _blocks(_CONTINUED.sub(" ", text)):
        pairs = zip_longest(block.get("sslcertificatefile", ()), block.get("sslcertificatekeyfile", ()))
        found += [Named(certificate, key) for certificate, key in pairs if certificate is not None]
        others = (*block.get("sslcertificatechainfile", ()), *block.get("sslcacertificatefile", ()))
        found += [Named(path, alone=True) for path in others]
    return tuple(dict.fromkeys(found))


def _blocks(text: str) -> Iterator[dict[str, list[str]]]:
    block: dict[str, list[str]] = {}
    for match in _DIRECTIVE.finditer(text):
        if match["block"]:
            yield block
            block = {}
        else:
            block.setdefault(match["name"].lower(), []).append(match["value"].strip("\"'"))
    yield block


def paste_lines(spec: ApacheTarget, live: str = "STATE/live") -> tuple[str, ...]:
    """Give the lines that the user pastes into their own configuration, with comments that say where.

    `live` is the directory of the live pointers.
    """
    directory, default = spec.config_directory, spec.default_site
    if spec.layout == "vhost":
        first = (
            "# the first virtual host answers clients without a known name:",
            f"IncludeOptional {directory}/{default}.conf",
        )
        return (
            "# beside your `Listen 80` and `Listen 443`; mod_ssl and mod_alias are needed:",
            *(first if default else ()),
            f"IncludeOptional {directory}/*.conf",
        )
    if spec.layout == "live":
        return (
            "# in the virtual host of each site, beside `SSLEngine on`:",
            f"SSLCertificateFile {live}/SITE/fullchain.pem",
            f"SSLCertificateKeyFile {live}/SITE/privkey.pem",
        )
    return (
        "# in the virtual host of each site on port 443, beside `SSLEngine on`:",
        f"Include {directory}/SITE.conf",
        "# in the virtual host of port 80, where a redirect must spare /.well-known/acme-challenge/:",
        f"Include {directory}/{SHARED}.conf",
    )
