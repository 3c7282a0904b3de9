"""What all solvers share: checks of what they are given, and the identity of what they put into the world."""

from __future__ import annotations

import hashlib
import re
from typing import Final, Literal

from reconciler.errors import Failed
from reconciler.model.observed import Undo
from reconciler.model.text import clean
from reconciler.model.tokens import is_key_authorization, is_token

_THUMBPRINT_LENGTH: Final = 43
_HOSTNAME: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)
_LONGEST_HOSTNAME: Final = 253


def checked_token(token: str) -> str:
    """Give a token back (RFC 8555 section 8.3). Raises Failed(BadToken): it may be a path or a command."""
    if not is_token(token):
        raise Failed("BadToken", f"not a token: {clean(repr(token), 60)}", blame="ca")
    return token


def checked_hostname(hostname: str) -> str:
    """Give a name back that may stand in a path. Raises Failed(HostnameUnfit)."""
    if len(hostname) > _LONGEST_HOSTNAME or _HOSTNAME.fullmatch(hostname) is None:
        message = f"{clean(hostname, 100)} cannot stand in a directory's path; use a webroot without {{hostname}}"
        raise Failed("HostnameUnfit", message)
    return hostname


def proves(content: bytes, token: str) -> bool:
    """Tell whether `content` is a key authorization for `token`: what only an ACME client writes under that name."""
    return content.startswith(f"{token}.".encode()) and is_key_authorization(content)


def begins_proof(content: bytes, token: str) -> bool:
    """Tell whether `content`, which may be empty, is what a process leaves that was killed while it wrote a proof."""
    whole = f"{token}.".encode() + b"x" * _THUMBPRINT_LENGTH
    return len(content) < len(whole) and proves(content + whole[len(content) :], token)


def undo_for(
    kind: Literal["token", "webroot", "alpn"], site: str, place: str, name: str, made: tuple[str, ...] = ()
) -> Undo:
    """Make the record of a thing; the same thing gets the same id, so that presenting it twice leaves one record."""
    digest = hashlib.sha256(f"{kind}\0{site}\0{place}\0{name}".encode()).hexdigest()
    return Undo(id=digest[:32], site=site, kind=kind, place=place, name=name, made=made)
