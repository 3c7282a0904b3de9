"""All writes of the store but sqlite's: killed anywhere they leave the old state or the new, and rubbish in `tmp/`.

The operations: make a directory; write in `tmp`, sync, rename; make a symbolic link in `tmp`, rename; move what is
finished; delete; tighten a mode. Lock files and databases are made empty; a lock's line about its holder is written in
place and proves nothing.

The store is a directory of ours that nobody else may enter (`opening`), so paths are not walked part by part here.
"""

from __future__ import annotations

import itertools
import os
import stat
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from reconciler.store.layout import DIRECTORY_MODE, FILE_MODE
from reconciler.store.trouble import told

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OTHERS: Final = 0o077


class Scratch:
    """The one way to new files: `descriptor` is this process's own directory in `tmp/`, on the store's file system."""

    def __init__(self, descriptor: int) -> None:
        """Take the open directory; it stays open as long as this value lives."""
        self.descriptor = descriptor
        self._numbers = itertools.count()

    def write(self, path: str, data: bytes, *, durable: bool = True) -> None:
        """Put a whole file in place of what stood there. Not `durable`: a loss of power may lose or empty it."""
        with told("write", path):
            name = str(next(self._numbers))
            try:
                _fill(name, self.descriptor, data, durable=durable)
                os.rename(name, path, src_dir_fd=self.descriptor)
            except BaseException:
                _forget(name, self.descriptor)
                raise
        if durable:
            sync(os.path.dirname(path))

    def write_directory(self, path: str, files: Mapping[str, bytes]) -> None:
        """Make a directory appear with all its files, or not at all; StoreError if one with files is there."""
        with told("write", path):
            name = str(next(self._numbers))
            os.mkdir(name, DIRECTORY_MODE, dir_fd=self.descriptor)
            try:
                _fill_directory(name, self.descriptor, files)
                os.rename(name, path, src_dir_fd=self.descriptor)
            except BaseException:
                _forget_directory(name, self.descriptor)
                raise
        sync(os.path.dirname(path))

    def link(self, path: str, target: str) -> None:
        """Put a symbolic link in place of the one that stood there."""
        with told("write", path):
            name = str(next(self._numbers))
            os.symlink(target, name, dir_fd=self.descriptor)
            try:
                os.rename(name, path, src_dir_fd=self.descriptor)
            except BaseException:
                _forget(name, self.descriptor)
                raise
        sync(os.path.dirname(path))


def _fill(name: str, directory: int, data: bytes, *, durable: bool) -> None:
    descriptor = _written(name, directory, data)
    try:
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _written(name: str, directory: int, data: bytes) -> int:
    descriptor = os.open(name, _NEW, FILE_MODE, dir_fd=directory)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _fill_directory(name: str, parent: int, files: Mapping[str, bytes]) -> None:
    directory = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        with ExitStack() as closing:
            opened = []
            for file, data in files.items():
                opened.append(_written(file, directory, data))
                closing.callback(os.close, opened[-1])
            # starts the writing of all at once: the disk's journal is then forced once, not once a file
            for descriptor in opened:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            for descriptor in opened:
                os.fsync(descriptor)
        os.fsync(directory)
    finally:
        os.close(directory)


def _forget(name: str, directory: int) -> None:
    try:
        os.unlink(name, dir_fd=directory)
    except OSError:
        return  # swept at the next start


def _forget_directory(name: str, parent: int) -> None:
    try:
        directory = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            for file in os.listdir(directory):
                os.unlink(file, dir_fd=directory)
        finally:
            os.close(directory)
        os.rmdir(name, dir_fd=parent)
    except OSError:
        return  # swept at the next start


def sync(path: str) -> None:
    """Make what happened in a directory survive a loss of power."""
    with told("sync", path):
        descriptor = os.open(path, _DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_directory(path: str, *, durable: bool = True) -> bool:
    """Make one directory, 0700; False if it is there."""
    with told("make", path):
        try:
            os.mkdir(path, DIRECTORY_MODE)
        except FileExistsError:
            return False
    if durable:
        sync(os.path.dirname(path))
    return True


def move(path: str, to: str) -> None:
    """Move a finished file or directory; if it is not there, nothing happens."""
    with told("move", path):
        try:
            os.rename(path, to)
        except FileNotFoundError:
            if os.path.lexists(path):
                raise
            return
    sync(os.path.dirname(to))
    sync(os.path.dirname(path))


def remove(path: str, *, durable: bool = True) -> bool:
    """Delete a file or link; False if there was none."""
    with told("delete", path):
        try:
            os.unlink(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
    if durable:
        sync(os.path.dirname(path))
    return True


def remove_directory(path: str) -> bool:
    """Delete an empty directory; False if it is not there or not empty."""
    with told("delete", path):
        try:
            os.rmdir(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if not os.path.isdir(path) or not os.listdir(path):
                raise error from None
            return False
    return True


def remove_tree(path: str) -> None:
    """Delete a directory and all below it; links are deleted, not followed."""
    with told("delete", path):
        for folder, folders, files in os.walk(path, topdown=False, followlinks=False):
            for name in files:
                os.unlink(os.path.join(folder, name))
            for name in folders:
                inner = os.path.join(folder, name)
                if os.path.islink(inner):
                    os.unlink(inner)
                else:
                    os.rmdir(inner)
    remove_directory(path)


def create_empty(path: str) -> None:
    """Make an empty file, 0600, if none is there: a lock file or a database."""
    with told("make", path):
        try:
            os.close(os.open(path, _NEW, FILE_MODE))
        except FileExistsError:
            return


def open_lock(path: str) -> int:
    """Open a lock file, made if it is missing; give its descriptor."""
    with told("open", path):
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)


def note_holder(descriptor: int, line: bytes) -> None:
    """Write who holds a lock into its open file; the flock is the lock, this is for the message."""
    os.pwrite(descriptor, line, 0)


def tighten(path: str) -> bool:
    """Take all rights of group and others from a file or directory; False if they had none or it is gone."""
    with told("tighten", path):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            if not mode & _OTHERS:
                return False
            os.fchmod(descriptor, mode & ~_OTHERS)
        finally:
            os.close(descriptor)
    return True
