"""HAProxy 2.6 and later. `CONFIGDIR/SITE.pem` holds key and full chain, `CONFIGDIR/crt-list.txt` names them all.

The user's bind line names the list, once::

    bind :443 ssl crt-list /etc/haproxy/certwright.d/crt-list.txt

With `socket`, a runtime socket of level admin (`stats socket /run/haproxy/admin.sock mode 600 level admin`), a replaced
certificate is put to use by `set ssl cert` and `commit ssl cert`, in a millisecond and without a reload; it stands on
the disk by then. New and removed sites, what the socket refuses, or a socket that does not answer: test and reload.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.model.desired import HaproxyTarget
from reconciler.model.fragments import block
from reconciler.model.names import Part
from reconciler.model.ports import Activated, Tested
from reconciler.targets.commands import first_lines, named, ran
from reconciler.targets.copying import Copying
from reconciler.targets.listing import Listing

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.model.ports import Changed, Hands, SiteOnTarget
    from reconciler.targets.paths import Rendered

LIST: Final = "crt-list.txt"
_SERIOUS: Final = re.compile(r"\[ALERT\]")
_LIST_MODE: Final = 0o644


class Haproxy(Copying[HaproxyTarget]):
    """The `Target` of type `haproxy`."""

    def test(self, hands: Hands, paths: Collection[str]) -> Tested:
        """Run the server's own test, which loads every certificate; blamed are files that its alerts name."""
        ok, lines = ran(hands, "test", self.spec.test)
        alerts = [line for line in lines if _SERIOUS.search(line)] or lines
        return Tested(ok, first_lines(alerts), () if ok else named(alerts, paths))

    def replaces(self, changed: Collection[Changed]) -> bool:
        """Tell whether certificates are replaced and nothing else, so that the runtime socket does for them."""
        if self.spec.socket is None or not changed:
            return False
        return all(one.how == "replace" and one.part is Part.COMBINED for one in changed)

    def activate(self, hands: Hands, changed: Collection[Changed]) -> Activated:
        """Replace by the runtime socket where that does, and tell what it refused; else reload."""
        if self.replaces(changed):
            refusal = next((why for one in changed if (why := self._replaced(hands, one.path))), None)
            return Activated(refusal is None, refusal or "", how="replaced by the runtime socket")
        ok, lines = ran(hands, "reload", self.spec.reload.command)
        return Activated(ok, first_lines(lines))

    def _replaced(self, hands: Hands, path: str) -> str | None:
        """Replace one certificate in the running server; give why that did not work, if it did not."""
        socket = self.spec.socket or ""
        ok, answer = hands.ask(socket, f"set ssl cert {path} <<", path)
        if not ok:
            return answer
        if not answer.startswith("Transaction "):
            hands.ask(socket, f"abort ssl cert {path}")
            return answer
        ok, answer = hands.ask(socket, f"commit ssl cert {path}")
        if ok and "Success!" in answer:
            return None
        hands.ask(socket, f"abort ssl cert {path}")
        return answer

    def files(self, site: SiteOnTarget) -> Rendered:
        """Give the certificate file, and the block in the list."""
        first = self.spec.default_site == site.site
        listing = Listing(self.spec.config_directory, LIST, "a crt-list", _LIST_MODE)
        return listing.files(site, lambda pair, names: block(site.site, f"{' '.join((pair, *names))}\n", first=first))


def paste_lines(spec: HaproxyTarget) -> tuple[str, ...]:
    """Give the lines that the user pastes into their own configuration, with comments that say where."""
    socket = spec.socket or "/run/haproxy/admin.sock"
    why = "replaced certificates are taken up by it" if spec.socket else "with it and `socket` in the Target, no reload"
    return (
        "# in the frontend, with `strict-sni` if clients without a known name shall get none:",
        f"bind :443 ssl crt-list {spec.config_directory}/{LIST}",
        f"# in `global`; {why}:",
        f"stats socket {socket} mode 600 level admin",
    )
