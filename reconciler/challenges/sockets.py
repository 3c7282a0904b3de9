"""Sockets that listen for http-01, and why they could not be opened."""

from __future__ import annotations

import errno
import os
import socket
import sys
from contextlib import suppress
from typing import Final

from reconciler.challenges.owner import who_listens
from reconciler.errors import Failed

_BACKLOG: Final = 4096
_DEFER_SECONDS: Final = 5
_NO_FAMILY: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


def listening_sockets(address: str | None, port: int) -> list[socket.socket]:
    """Open listening sockets, on both families where no address is given. Raises Failed."""
    wanted = [address] if address is not None else ["0.0.0.0", "::"]  # noqa: S104  a CA comes from anywhere
    opened: list[socket.socket] = []
    try:
        for one in wanted:
            with suppress(_MissingFamilyError):
                opened.append(_listening(one, port))
    except OSError as error:
        for sock in opened:
            sock.close()
        raise unusable(address, port, error) from None
    if not opened:
        raise Failed("PortUnusable", f"this machine has no address to listen on for port {port}")
    return opened


class _MissingFamilyError(Exception):
    """This machine has no IPv6 (or no IPv4)."""


def _listening(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        if error.errno not in _NO_FAMILY:
            raise
        raise _MissingFamilyError from error
    try:
        # a port in TIME_WAIT may be taken again; never SO_REUSEPORT, which would take visitors from a web server
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if sys.platform == "linux":
            # who says nothing stays with the kernel and costs us nothing
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _DEFER_SECONDS)
        sock.bind((address, port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno in _NO_FAMILY and address == "::":
            raise _MissingFamilyError from error
        raise
    return sock


def unusable(address: str | None, port: int, error: OSError) -> Failed:
    """Tell why a port cannot be listened at, and what mends it."""
    place = f"port {port}" if address is None else f"port {port} of {address}"
    if error.errno == errno.EADDRINUSE:
        owner = who_listens(port)
        by = f"taken by {owner}" if owner else "taken by another process"
        return Failed("PortTaken", f"{place} is {by}; stop it, or use a webroot that it serves")
    if error.errno == errno.EACCES:
        mend = "give AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or use a webroot or a higher port"
        return Failed("PortNotAllowed", f"uid {os.geteuid()} may not listen on {place}; {mend}")
    return Failed("PortUnusable", f"cannot listen on {place}: {error.strerror}")
