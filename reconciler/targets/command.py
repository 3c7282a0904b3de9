"""Whatever else: a command of the user's own gets JSON on standard input, and puts the certificate to use.

It runs when the certificate is a new one or what else it is given differs, and must bear to be run twice with the same:
`{"site", "hostnames", "server", "target", "values", "key", "certificate", "chain", "fullchain", "revision",
"fingerprint", "notAfter", "placeholder"}`; the four are paths below `STATE/live`. It exits with 0 when it is done.
When a site leaves, nothing is run.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reconciler.model.names import Part
from reconciler.model.ports import Activated, Artifact, Refusal, Tested
from reconciler.targets.commands import first_lines, named, ran
from reconciler.targets.paths import Rendered, refused
from reconciler.targets.probing import probes_of
from reconciler.targets.rendering import by_site, merged

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reconciler.model.desired import ExecTarget
    from reconciler.model.ports import Changed, Hands, Probe, SiteOnTarget


class Command:
    """The `Target` of type `exec`."""

    copies = True

    def __init__(self, spec: ExecTarget) -> None:
        """Take the spec."""
        self.spec = spec

    def render(self, sites: Sequence[SiteOnTarget]) -> Mapping[str, tuple[Artifact, ...] | Refusal]:
        """Give each site's task: all of it that does not depend on the certificate in use."""
        return {name: self._task(site) for name, site in by_site(sites).items()}

    def shared(self, sites: Sequence[SiteOnTarget]) -> tuple[Artifact, ...]:  # noqa: ARG002  the protocol's
        """Give nothing: every task is a site's."""
        return ()

    def test(self, hands: Hands, paths: Collection[str]) -> Tested:
        """Run the declared test, if any."""
        ok, lines = ran(hands, "test", self.spec.test)
        return Tested(ok, first_lines(lines), () if ok else named(lines, paths))

    def replaces(self, changed: Collection[Changed]) -> bool:  # noqa: ARG002  the protocol's
        """Tell that a declared test is always run."""
        return False

    def activate(self, hands: Hands, changed: Collection[Changed]) -> Activated:  # noqa: ARG002  the protocol's
        """Run the declared reload, if any."""
        ok, lines = ran(hands, "reload", self.spec.reload.command)
        return Activated(ok, first_lines(lines))

    def probes(self, site: SiteOnTarget) -> tuple[Probe, ...]:
        """Give a handshake for each declared port; there is none by default."""
        return probes_of(self.spec.verify, site)

    def _task(self, site: SiteOnTarget) -> Rendered:
        if "/" in site.site:
            return refused(f"{site.site[:60]!a} is no name of a site")
        task = {
            "site": site.site,
            "hostnames": list(site.hostnames),
            "server": site.server,
            "target": self.spec.name,
            "values": merged(self.spec.values, site.use.values),
            "key": f"{site.live}/privkey.pem",
            "certificate": f"{site.live}/cert.pem",
            "chain": f"{site.live}/chain.pem",
            "fullchain": f"{site.live}/fullchain.pem",
        }
        program = self.spec.install[0]
        path = f"{program if program.startswith('/') else f'/{program}'}@{site.site}"
        return (Artifact(path, Part.TASK, 0, text=json.dumps(task, sort_keys=True)),)
