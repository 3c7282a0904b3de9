"""Whatever else: a command of the user's own gets JSON on standard input, and puts the certificate to use.

It runs when the certificate is a new one or what else it is given differs, and must bear to be run twice with the same:
`{"site", "hostnames", "server", "target", "values", "key", "certificate", "chain", "fullchain", "revision",
"fingerprint", "notAfter", "placeholder"}`; the four are paths below `STATE/live`. It exits with 0 when it is done.
When a site leaves, nothing is run.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reconciler.model.desired import ExecTarget
from reconciler.model.names import Part
from reconciler.model.ports import Artifact
from reconciler.targets.copying import Copying
from reconciler.targets.paths import Rendered, refused
from reconciler.targets.rendering import merged

if TYPE_CHECKING:
    from reconciler.model.ports import SiteOnTarget


class Command(Copying[ExecTarget]):
    """The `Target` of type `exec`."""

    def files(self, site: SiteOnTarget) -> Rendered:
        """Give the site's task: all of it that does not depend on the certificate in use."""
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
