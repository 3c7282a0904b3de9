"""The directory of this process in `tmp/`, and the sweep of those that dead processes left.

A directory is alive as long as somebody holds its flock: the kernel gives it up with the process, so neither a process
id that was used again nor one of another container is ever mistaken. `folder` is the store's `tmp`.
"""

from __future__ import annotations

import fcntl
import os
import secrets

from reconciler.store import atomic
from reconciler.store.reading import names
from reconciler.store.trouble import told

_TRIES = 20


def acquire(folder: str) -> atomic.Scratch:
    """Make and lock this process's own directory in `tmp/`."""
    for _ in range(_TRIES):
        path = f"{folder}/{os.getpid()}-{secrets.token_hex(4)}"
        atomic.make_directory(path, durable=False)
        descriptor = _lock(path)
        # a sweep may have come between the two lines above
        if descriptor is not None and _still_there(path, descriptor):
            return atomic.Scratch(descriptor)
        if descriptor is not None:
            os.close(descriptor)
    with told("keep a directory in", folder):
        raise FileNotFoundError(2, "swept again and again")


def sweep(folder: str) -> int:
    """Delete what dead processes left in `tmp/`; give how many leftovers."""
    swept = 0
    for name in names(folder):
        path = f"{folder}/{name}"
        descriptor = _lock(path)
        if descriptor is None:
            continue
        try:
            atomic.remove_tree(path)
            swept += 1
        finally:
            os.close(descriptor)
    return swept


def release(folder: str, scratch: atomic.Scratch) -> None:
    """Give the directory up and delete it; what is in it was never finished."""
    path = f"{folder}/{_name_of(folder, scratch)}"
    try:
        atomic.remove_tree(path)
    finally:
        os.close(scratch.descriptor)


def _name_of(folder: str, scratch: atomic.Scratch) -> str:
    mine = os.fstat(scratch.descriptor).st_ino
    with os.scandir(folder) as entries:
        return next((entry.name for entry in entries if entry.inode() == mine), "gone")


def _lock(path: str) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _still_there(path: str, descriptor: int) -> bool:
    try:
        return os.lstat(path).st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
