r"""The built-in nginx templates. Good for nginx 1.18 and later, so neither `http2` form nor newer directives are used.

Variables, for a template of the user's own as well:

====================  =================================================================================================
`site`                the site's name
`hostnames`           list of its names, wildcards as `*.d`, addresses bare
`key`                 path of the private key; always of the certificate that is in use
`certificate`         path of the certificate alone; `chain`: of the intermediates; `fullchain`: of both
`values`              the target's values under the site's
`target`              the target's name
`address`, `ports`    of `verify`
`listen`              list of `{address, port, v6}` for TLS; `http_listen`: the same for plain HTTP
`https_port`          the port that a redirect to https names
`default`             true for the `defaultSite`
`extra`               list of files to include, from `values.extra`
`http01_webroot`      directory of the built-in http-01 method if the site uses it, else empty
====================  =================================================================================================
"""

from __future__ import annotations

from typing import Final

_HEAD: Final = "# Written by certwright for the site {{ site }}. Changes made here are put back.\n"

_CERTIFICATE: Final = """\
ssl_certificate {{ fullchain }};
ssl_certificate_key {{ key }};
"""

# The outer location answers 404 to all but a token; `return` is not inherited by the inner one.
_HTTP01: Final = r"""location ^~ /.well-known/acme-challenge/ {
    location ~ "^/\.well-known/acme-challenge/[A-Za-z0-9_-]+$" {
        root {{ http01_webroot }};
        try_files $uri =404;
        default_type text/plain;
        auth_basic off;
        allow all;
    }
    return 404;
}
"""

_ADDRESS: Final = "{% if at.v6 %}[{{ at.address }}]{% else %}{{ at.address }}{% endif %}:{{ at.port }}"
_NAMES: Final = (
    "    server_name{% for name in hostnames %} "
    "{% if ':' in name %}[{{ name }}]{% else %}{{ name }}{% endif %}{% endfor %};\n"
)


def _indented(text: str) -> str:
    return "".join(f"    {line}" for line in text.splitlines(keepends=True))


SNIPPET: Final = _HEAD + _CERTIFICATE

HTTP01: Final = (
    "# Written by certwright for http-01 challenges (RFC 8555 section 8.3). Changes made here are put back.\n"
    + _HTTP01.replace("=404", "{% if http01_more %}@certwright-1{% else %}=404{% endif %}")
    + """\
{% for root in http01_more %}
location @certwright-{{ loop.index }} {
    root {{ root }};
    try_files $uri {% if loop.last %}=404{% else %}@certwright-{{ loop.index + 1 }}{% endif %};
    default_type text/plain;
    auth_basic off;
    allow all;
}
{% endfor %}
"""
)

VHOST: Final = (
    _HEAD
    + "server {\n{% for at in listen %}\n    listen "
    + _ADDRESS
    + " ssl{% if default %} default_server{% endif %};\n{% endfor %}\n"
    + _NAMES
    + "\n"
    + _indented(_CERTIFICATE)
    + """\
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_prefer_server_ciphers off;
    ssl_session_cache shared:certwright:10m;
    ssl_session_timeout 1d;
    ssl_session_tickets off;

{% if extra %}
{% for file in extra %}
    include {{ file }};
{% endfor %}
{% else %}
    location / {
        return 204;
    }
{% endif %}
}
{% if http01_webroot %}

server {
{% for at in http_listen %}
    listen """
    + _ADDRESS
    + ";\n{% endfor %}\n"
    + _NAMES
    + "\n"
    + _indented(_HTTP01)
    + """
    location / {
        return 301 https://$host{% if https_port != 443 %}:{{ https_port }}{% endif %}$request_uri;
    }
}
{% endif %}
"""
)
