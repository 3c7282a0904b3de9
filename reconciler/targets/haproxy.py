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
from reconciler.model.names import Hostname, Part
from reconciler.model.ports import Activated, Artifact, Refusal, Tested
from reconciler.targets.commands import default_reload, default_test, first_lines, named, ran
from reconciler.targets.copying import Copying
from reconciler.targets.paths import Rendered, checked, refused

if TYPE_CHECKING:
    from collections.abc import Collection

    from reconciler.model.ports import Changed, Hands, SiteOnTarget

LIST: Final = "crt-list.txt"
_NAME: Final = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", re.ASCII)
_SITE: Final = re.compile(r"[a-z0-9][a-z0-9.-]*", re.ASCII)
_SERIOUS: Final = re.compile(r"\[ALERT\]")
_MATERIAL_MODE: Final = 0o600
_LIST_MODE: Final = 0o644


class Haproxy(Copying[HaproxyTarget]):
    """The `Target` of type `haproxy`."""

    def test(self, hands: Hands, paths: Collection[str]) -> Tested:
        """Run the server's own test, which loads every certificate; blamed are files that its alerts name."""
        ok, lines = ran(hands, "test", self.spec.test or default_test("haproxy"))
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
        ok, lines = ran(hands, "reload", self.spec.reload.command or default_reload("haproxy"))
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
        directory = self.spec.config_directory
        material, listed = checked(f"{directory}/{site.site}.pem"), checked(f"{directory}/{LIST}")
        if isinstance(material, Refusal):
            return material
        if isinstance(listed, Refusal):
            return listed
        names = [name for name in site.hostnames if not Hostname(name).is_address]
        bad = next((name for name in names if not _NAME.fullmatch(name)), None)
        if bad is not None or not _SITE.fullmatch(site.site):
            return refused(f"{(bad or site.site)[:60]!a} cannot stand in a crt-list")
        text = block(site.site, f"{' '.join((material, *names))}\n", first=self.spec.default_site == site.site)
        return (
            Artifact(material, Part.COMBINED, _MATERIAL_MODE, own_directory=True),
            Artifact(listed, Part.CONFIG, _LIST_MODE, text=text, fragment=True),
        )


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
