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

from reconciler.targets.builtin import HTTP01, SNIPPET, VHOST
from reconciler.targets.web import HTTP01_DIRECTORY, SHARED, Dialect, WebServer

if TYPE_CHECKING:
    from reconciler.model.desired import NginxTarget

__all__ = ["HTTP01_DIRECTORY", "Nginx", "paste_lines"]

_DIALECT: Final = Dialect("nginx", SNIPPET, VHOST, HTTP01, re.compile(r"\[(?:error|crit|alert|emerg)\]"))


class Nginx(WebServer):
    """The `Target` of type `nginx`."""

    dialect = _DIALECT


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
    return (
        "# in the server block of each site, beside `listen 443 ssl;`:",
        f"include {directory}/SITE.conf;",
        "# in the server block of port 80, where a redirect must stand in a `location /`:",
        f"include {directory}/{SHARED}.conf;",
    )
