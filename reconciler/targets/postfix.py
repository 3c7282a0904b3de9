"""Postfix 3.4 and later. `CONFIGDIR/SITE.pem` holds key and full chain, `CONFIGDIR/sni` names them by hostname.

`postmap -F` makes an SNI map of that file which holds the keys themselves, as private as its source. It is made beside
the one in use, and renamed: in place, a full disk or a kill would leave half a map, by which every handshake fails. A
client gets a new certificate at the next connection, without a reload. The user's `main.cf` names the map, once::

    tls_server_sni_maps = hash:/etc/postfix/certwright.d/sni

and, for clients without a known name, a certificate of their own or the one of `defaultSite`, which needs a reload::

    smtpd_tls_chain_files = /etc/postfix/certwright.d/SITE.pem

A map that is named and not there fails every client that asks for a name: so the file stays when the last site leaves.
`postmap` takes what it is given, and `postfix check` reads no certificate: every pair is checked here first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.model.desired import PostfixTarget
from reconciler.model.fragments import block
from reconciler.model.ports import Activated, Named, Tested
from reconciler.targets.commands import first_lines, judged, named, ran, unloadable
from reconciler.targets.copying import Copying
from reconciler.targets.listing import Listing

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reconciler.model.ports import Changed, Hands, SiteOnTarget
    from reconciler.targets.paths import Rendered

MAP: Final = "sni"
_SERIOUS: Final = re.compile(r"\b(?:fatal|error|panic|warning)\b")
_LEFT_OUT: Final = "skipping this entry"
_MODE: Final = 0o600
_SUFFIXES: Final = {"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}


class Postfix(Copying[PostfixTarget]):
    """The `Target` of type `postfix`."""

    @property
    def built(self) -> Mapping[str, str]:
        """Give the map with its type, where the command says by its last word what and where that is."""
        kind, _, path = self.spec.postmap[-1].partition(":")
        known = kind in _SUFFIXES and path == f"{self.spec.config_directory}/{MAP}"
        return {f"{path}{_SUFFIXES[kind]}": kind} if known else {}

    def test(self, hands: Hands, paths: Collection[str]) -> Tested:
        """Check what the map's source names, then run the server's own test; blamed are files that either names."""
        bad = list(self._unusable(hands).values())
        if bad:
            return unloadable(bad, named(bad, paths))
        ok, lines = ran(hands, "test", self.spec.test)
        serious = [line for line in lines if _SERIOUS.search(line)] or lines
        return Tested(ok, first_lines(serious), () if ok else named(serious, paths))

    def activate(self, hands: Hands, changed: Collection[Changed]) -> Activated:
        """Build the map; reload only for the certificate of clients without a known name, or if in doubt."""
        bad = list(self._unusable(hands).values())
        if bad:
            return Activated(ok=False, output=first_lines(["the map was not built", *bad]))
        ok, lines = self._built(hands)
        left_out = [line for line in lines if _LEFT_OUT in line]
        if not ok or left_out:
            return Activated(ok=False, output=first_lines(left_out or lines))
        if changed and not self._is_default(changed):
            return Activated(ok=True, output=first_lines(lines), how="the SNI map was built anew, no reload")
        ok, lines = ran(hands, "reload", self.spec.reload.command)
        return Activated(ok, first_lines(lines))

    def _built(self, hands: Hands) -> tuple[bool, list[str]]:
        """Build the map: beside the old one, which `postmap` would write over in place, where that is what is run."""
        argv, source = self.spec.postmap, f"{self.spec.config_directory}/{MAP}"
        if argv[0].rpartition("/")[2] != "postmap" or not argv[-1].endswith(f":{source}"):
            return ran(hands, "reload", argv)
        return judged(argv, *hands.build(argv, source, _LEFT_OUT))

    def _is_default(self, changed: Collection[Changed]) -> bool:
        default = f"{self.spec.config_directory}/{self.spec.default_site}.pem"
        return self.spec.default_site is not None and any(one.path == default for one in changed)

    def _unusable(self, hands: Hands) -> Mapping[str, str]:
        return hands.unusable(self.spec.config_directory, MAP, names)

    def files(self, site: SiteOnTarget) -> Rendered:
        """Give the certificate file, and the block in the map's source."""
        listing = Listing(self.spec.config_directory, MAP, "an SNI map", _MODE)

        def lines(pair: str, names: Sequence[str]) -> str:
            return block(site.site, "".join(f"{name.removeprefix('*')} {pair}\n" for name in names), kept=True)

        return listing.files(site, lines)


def names(text: str) -> tuple[Named, ...]:
    """Give the files that a map's source names: each holds a certificate and its key."""
    words = (line.split() for line in text.splitlines() if line and line[0] not in "# \t")
    return tuple(dict.fromkeys(Named(path) for _, *paths in words for path in paths[:1]))


def paste_lines(spec: PostfixTarget) -> tuple[str, ...]:
    """Give the lines that the user pastes into their own configuration, with comments that say where."""
    default = spec.default_site
    return (
        "# in main.cf, right before the first `certwright apply` (it makes the map, and reloads):",
        f"tls_server_sni_maps = {spec.postmap[-1]}",
        "# for clients without a known name:",
        f"smtpd_tls_chain_files = {spec.config_directory}/{default or 'SITE'}.pem",
    )
