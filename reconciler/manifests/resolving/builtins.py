"""What is there unless the tree declares the name, and each type's defaults; never changed within `certwright/v1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reconciler.model.desired import StartTls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.manifests.kinds.validate import Resource

BUILTIN_WEBROOT: Final = "/run/certwright/http-01"
ISSUERS: Final = ("letsencrypt",)
IMPORTED: Final = ("imported",)
METHODS: Final = ("http",)
FILE: Final = "(built in)"

_OBJECTS: Final[tuple[tuple[str, str, dict[str, object]], ...]] = (
    ("Issuer", "letsencrypt", {"type": "acme", "directory": "letsencrypt"}),
    ("Issuer", "letsencrypt-staging", {"type": "acme", "directory": "letsencrypt-staging"}),
    ("Issuer", "ca", {"type": "ca"}),
    ("Issuer", "self-signed", {"type": "self-signed"}),
    ("Issuer", "imported", {"type": "imported"}),
    ("ChallengeMethod", "http", {"type": "http-01", "webroot": {"directory": BUILTIN_WEBROOT}}),
    ("Target", "apache", {"type": "apache"}),
    ("Target", "dovecot", {"type": "dovecot"}),
    ("Target", "haproxy", {"type": "haproxy"}),
    ("Target", "nginx", {"type": "nginx"}),
    ("Target", "postfix", {"type": "postfix"}),
)

TESTS: Final[Mapping[str, tuple[str, ...]]] = {
    "apache": ("apachectl", "-t"),
    "dovecot": ("doveconf", "-n"),
    "haproxy": ("haproxy", "-c", "-f", "/etc/haproxy/haproxy.cfg"),
    "nginx": ("nginx", "-t"),
    "postfix": ("postfix", "check"),
}
"""The test command of each target type that has one."""

RELOADS: Final[Mapping[str, tuple[str, ...]]] = {
    "apache": ("systemctl", "reload", "apache2"),  # `apachectl graceful` would start a server that is stopped
    "dovecot": ("doveadm", "reload"),
    "haproxy": ("systemctl", "reload", "haproxy"),
    "nginx": ("nginx", "-s", "reload"),
    "postfix": ("postfix", "reload"),
}
"""The reload command of each target type that has one."""

PORTS: Final[Mapping[str, tuple[int, ...]]] = {
    "apache": (443,),
    "dovecot": (993, 995),
    "nginx": (443,),
    "postfix": (465, 25),
}
"""The ports where each target type is looked at."""

STARTTLS: Final[Mapping[str, tuple[StartTls, ...]]] = {"postfix": (StartTls(25, "smtp"),)}
"""Those of them where TLS begins after a command."""


def builtin_objects() -> tuple[Resource, ...]:
    """Give the built-in objects, made by the same shapes as those of a tree."""
    from reconciler.manifests.kinds.registry import API_VERSION
    from reconciler.manifests.kinds.validate import Resource, validate_document
    from reconciler.manifests.text.documents import Document
    from reconciler.manifests.text.source import Source

    made = []
    for kind, name, spec in _OBJECTS:
        data: Any = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}
        resource = validate_document(Document(data, Source(FILE, 0, "")))
        if isinstance(resource, Resource):
            made.append(resource)
    return tuple(made)
