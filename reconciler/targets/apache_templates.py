r"""The built-in templates for Apache httpd 2.4.11 and later. The variables are those of `builtin`.

`Listen` is the user's: a second one for the same port stops the server. mod_ssl and mod_alias are needed, and
mod_rewrite where `http-01.conf` serves more webroots than the built-in one.
"""

from __future__ import annotations

from typing import Final

_HEAD: Final = "# Written by certwright for the site {{ site }}. Changes made here are put back.\n"

_CERTIFICATE: Final = """\
SSLCertificateFile {{ fullchain }}
SSLCertificateKeyFile {{ key }}
"""

# A token alone is looked for; what else is asked for there is not found, whatever the user's own root holds.
_HTTP01: Final = r"""AliasMatch "^(/\.well-known/acme-challenge/[A-Za-z0-9_-]+)$" "{{ http01_webroot }}$1"
RedirectMatch 404 "^/\.well-known/acme-challenge/(?![A-Za-z0-9_-]+$)"
<Directory "{{ http01_webroot }}/.well-known/acme-challenge">
    Options None
    AllowOverride None
    Require all granted
    ForceType text/plain
</Directory>
"""

_ADDRESS: Final = " {% if at.v6 %}[{{ at.address }}]{% else %}{{ at.address }}{% endif %}:{{ at.port }}"
_NAME: Final = "{% if ':' in NAME %}[{{ NAME }}]{% else %}{{ NAME }}{% endif %}"
# A wildcard is no name of a server's own, but an alias matches by it.
_NAMES: Final = (
    f"    ServerName {_NAME.replace('NAME', 'hostnames[0]')}\n\n"
    "{% for name in hostnames %}\n{% if not loop.first or '*' in name %}\n"
    f"    ServerAlias {_NAME.replace('NAME', 'name')}\n\n"
    "{% endif %}\n{% endfor %}\n"
)


def _indented(text: str) -> str:
    return "".join(f"    {line}" for line in text.splitlines(keepends=True))


SNIPPET: Final = _HEAD + _CERTIFICATE

HTTP01: Final = (
    "# Written by certwright for http-01 challenges (RFC 8555 section 8.3). Changes made here are put back.\n"
    + _HTTP01
    + r"""{% if http01_more %}
<IfModule mod_rewrite.c>
    RewriteEngine On
{% for root in http01_more %}
    RewriteCond "{{ root }}$0" -f
    RewriteRule "^/\.well-known/acme-challenge/[A-Za-z0-9_-]+$" "{{ root }}$0" [END]
{% endfor %}
</IfModule>
{% for root in http01_more %}
<Directory "{{ root }}/.well-known/acme-challenge">
    Options None
    AllowOverride None
    Require all granted
    ForceType text/plain
</Directory>
{% endfor %}
{% endif %}
"""
)

VHOST: Final = (
    _HEAD
    + "<VirtualHost{% for at in listen %}"
    + _ADDRESS
    + "{% endfor %}>\n"
    + _NAMES
    + "    SSLEngine on\n"
    + _indented(_CERTIFICATE)
    + """\
    SSLProtocol all -SSLv3 -TLSv1 -TLSv1.1
    SSLHonorCipherOrder off
    SSLSessionTickets off

{% if extra %}
{% for file in extra %}
    Include {{ file }}
{% endfor %}
{% else %}
    Redirect 204 /
{% endif %}
</VirtualHost>
{% if http01_webroot %}

<VirtualHost{% for at in http_listen %}"""
    + _ADDRESS
    + "{% endfor %}>\n"
    + _NAMES
    + "    UseCanonicalName Off\n"
    + _indented(_HTTP01)
    + r"""
    <LocationMatch "^/(?!\.well-known/acme-challenge/)">
        Redirect 301 "https://%{SERVER_NAME}{% if https_port != 443 %}:{{ https_port }}{% endif %}%{REQUEST_URI}"
    </LocationMatch>
</VirtualHost>
{% endif %}
"""
)
