"""Which command starts a server that no longer runs, as far as its reload command tells: said to a person, not run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reconciler.model.desired import TargetSpec

_RELOADS: Final = frozenset({"reload", "force-reload", "reload-or-restart", "try-reload-or-restart", "graceful"})
_MANAGERS: Final = frozenset({"systemctl", "service", "rc-service", "apachectl", "apache2ctl"})
_STARTS: Final = {
    "apache": "apachectl start",
    "dovecot": "dovecot",
    "haproxy": "systemctl start haproxy",
    "nginx": "nginx",
    "postfix": "postfix start",
}


def how_to_start(spec: TargetSpec) -> str:
    """Say how a person starts the server of a target."""
    words = spec.reload.command or ()
    program = words[0].rpartition("/")[2] if words else ""
    if program in _MANAGERS and _RELOADS.intersection(words[1:]):
        return f"start it (`{' '.join('start' if word in _RELOADS else word for word in words)}`)"
    usual = _STARTS.get(spec.type)
    return f"start it (as by `{usual}`)" if usual is not None else "start it"
