"""What HAProxy and Postfix have in common: a site's pair in one file, and its lines in a file that all sites share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.model.names import Hostname, Part
from reconciler.model.ports import Artifact, Refusal
from reconciler.targets.paths import Rendered, checked, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.model.ports import SiteOnTarget

_NAME: Final = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*", re.ASCII)
_SITE: Final = re.compile(r"[a-z0-9][a-z0-9.-]*", re.ASCII)
_MATERIAL_MODE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Listing:
    """The shared file `DIRECTORY/NAME` with its mode; `what` it is, for messages."""

    directory: str
    name: str
    what: str
    mode: int

    def files(self, site: SiteOnTarget, block: Callable[[str, Sequence[str]], str]) -> Rendered:
        """Give the pair's file and the site's block; `block` makes that of the pair's path and the names."""
        material, listed = checked(f"{self.directory}/{site.site}.pem"), checked(f"{self.directory}/{self.name}")
        if isinstance(material, Refusal):
            return material
        if isinstance(listed, Refusal):
            return listed
        names = [name for name in site.hostnames if not Hostname(name).is_address]
        bad = next((name for name in names if not _NAME.fullmatch(name)), None)
        if bad is not None or not _SITE.fullmatch(site.site):
            return refused(f"{(bad or site.site)[:60]!a} cannot stand in {self.what}")
        return (
            Artifact(material, Part.COMBINED, _MATERIAL_MODE, own_directory=True),
            Artifact(listed, Part.CONFIG, self.mode, text=block(material, names), fragment=True),
        )
