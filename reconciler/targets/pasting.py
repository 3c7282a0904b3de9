"""What a user pastes into the configuration of each type of server; nothing where our files need no line of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.targets import apache, dovecot, haproxy, nginx, postfix

if TYPE_CHECKING:
    from reconciler.model.desired import TargetSpec


def paste_lines(spec: TargetSpec, live: str) -> tuple[str, ...]:
    """Give the lines, with comments that say where; `live` is the directory of the live pointers."""
    if spec.type == "apache":
        return apache.paste_lines(spec, live)
    if spec.type == "dovecot":
        return dovecot.paste_lines(spec)
    if spec.type == "postfix":
        return postfix.paste_lines(spec)
    if spec.type == "haproxy":
        return haproxy.paste_lines(spec)
    if spec.type == "nginx":
        return nginx.paste_lines(spec, live)
    return ()
