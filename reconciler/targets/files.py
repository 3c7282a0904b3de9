"""Plain files anywhere: copies of a revision's parts, and a command that makes their reader take them up.

In a path `{site}`, `{server}` and `{values.KEY}` stand for one part or a piece of one; `{hostname}` is the site's first
name, a wildcard `*.d` written `_wildcard.d`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reconciler.doors.files.api import FileFailed, check_mode
from reconciler.model.desired import FilesTarget
from reconciler.model.ports import Artifact, Refusal
from reconciler.targets.copying import Copying
from reconciler.targets.paths import Rendered, checked, refused
from reconciler.targets.rendering import merged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.desired import FileRule
    from reconciler.model.ports import SiteOnTarget

_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_OTHERS: Final = 0o007


class Files(Copying[FilesTarget]):
    """The `Target` of type `files`."""

    def files(self, site: SiteOnTarget) -> Rendered:
        """Give a file for each rule; none has a text, since all are material."""
        known = _known(site, merged(self.spec.values, site.use.values))
        artifacts: list[Artifact] = []
        for rule in self.spec.files:
            made = _artifact(rule, known)
            if isinstance(made, Refusal):
                return made
            artifacts.append(made)
        return tuple(artifacts)


def _artifact(rule: FileRule, known: Mapping[str, object]) -> Artifact | Refusal:
    path = _filled(rule.path, known)
    if isinstance(path, Refusal):
        return path
    try:
        mode = check_mode(rule.mode)
    except FileFailed as error:
        return refused(str(error))
    if rule.part.is_secret and mode & _OTHERS:
        return refused(
            f"{path} holds the private key, so its mode {mode:04o} must give others nothing; use 0600 or 0640"
        )
    return Artifact(path, rule.part, mode, rule.owner, rule.group)


def _known(site: SiteOnTarget, values: Mapping[str, object]) -> dict[str, object]:
    first = site.hostnames[0] if site.hostnames else ""
    hostname = f"_wildcard.{first[2:]}" if first.startswith("*.") else first
    return {
        "site": site.site,
        "hostname": hostname,
        "server": site.server,
        **{f"values.{key}": value for key, value in values.items()},
    }


def _filled(template: str, known: Mapping[str, object]) -> str | Refusal:
    """Put values for the placeholders and check the outcome part by part; a value may hold no `/`."""
    filled: dict[str, str] = {}
    for name in _PLACEHOLDER.findall(template):
        value = known.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            return refused(
                f"{{{name}}} in the path {template} has no value that is a text or a number: "
                "write it into `values` of the Target or of the Site's entry in `targets`"
            )
        if "/" in str(value):
            return refused(f"{{{name}}} in the path {template} holds a `/`; a value stays within one part of a path")
        filled[name] = str(value)
    return checked(_PLACEHOLDER.sub(lambda found: filled[found[1]], template))
