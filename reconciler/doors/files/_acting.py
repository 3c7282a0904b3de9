"""Acting as a tenant: one thread of its own whose file rights are, for the length of one piece of work, another user's.

Linux keeps the file-system user of each thread apart, so only this thread changes; the kernel then refuses it whatever
it would refuse that user, and what it makes is born his. Never `os.seteuid` and its like: they change the whole
process. The supplementary groups are dropped by the bare system call for the same reason, since the C library's
`setgroups` tells all threads.
"""

from __future__ import annotations

import os
import platform
import pwd
import sys
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar

from reconciler.doors.files._failures import FileFailed, acting, acts

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Sequence
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")
_SETGROUPS: Final = {"x86_64": 116, "aarch64": 159, "riscv64": 159, "loongarch64": 159, "ppc64le": 81, "s390x": 206}
_NOBODY: Final = 65534
_NOW: Final = 0xFFFFFFFF  # (uid_t)-1: changes nothing and gives who it is
_RESTORE_FAILED: Final = 70


def may_act() -> bool:
    """Tell whether we may act as somebody else: root alone."""
    return os.geteuid() == 0


@cache
def group_of(uid: int) -> int:
    """Give the primary group of a user; for one without an account on this machine a group that has no rights."""
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return _NOBODY


def as_owner(uid: int, work: Callable[[], T]) -> T:
    """Do `work` with the file rights of `uid`, his primary group and no other; give what it gives, raise as it does.

    Raises FileFailed(PermissionDenied) where the kernel does not let us; the work is then not begun. If our own rights
    cannot be taken up again, the process ends at once with code 70.
    """
    if platform.machine() not in _SETGROUPS or sys.maxsize < 1 << 32:
        raise _may_not(uid, f"the system calls of {platform.machine()} are not known to it; use a directory of root's")
    if acts():
        raise AssertionError("work in a tenant's tree began another walk, which would wait for itself")
    gid = group_of(uid)  # looked up by us: as the tenant we may not be able to
    return _hands(os.getpid()).submit(_acted, uid, gid, work).result()


@cache
def _hands(process: int) -> ThreadPoolExecutor:  # noqa: ARG001  a forked child has no threads of its parent's
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(1, "tenant-hands", _take_every_cpu)


def _take_every_cpu() -> None:
    """Let the calling thread, which outlives the pass, not stay on the one CPU that its starter shares (`one_cpu`)."""
    with suppress(OSError):
        all_of_us = os.sched_getaffinity(os.getpid())
        if os.sched_getaffinity(0) != all_of_us:  # a filter of system calls may kill who sets it
            os.sched_setaffinity(0, all_of_us)


def _acted(uid: int, gid: int, work: Callable[[], T]) -> T:
    groups = os.getgroups()
    try:
        if not _become(uid, gid, ()):
            raise _may_not(uid, "it lacks CAP_SETUID or CAP_SETGID; add them to CapabilityBoundingSet= of the unit")
        with acting(uid):
            return work()
    finally:
        if not _become(os.geteuid(), os.getegid(), groups):
            os._exit(_RESTORE_FAILED)


def _become(uid: int, gid: int, groups: Sequence[int]) -> bool:
    """Change this thread alone, and tell whether it is so now; the groups while we still have the right."""
    libc = _libc()
    if sorted(os.getgroups()) != sorted(groups):
        import ctypes

        libc.syscall(_SETGROUPS[platform.machine()], len(groups), (ctypes.c_uint32 * len(groups))(*groups))
    libc.setfsgid(gid)
    libc.setfsuid(uid)
    return (libc.setfsuid(_NOW), libc.setfsgid(_NOW), sorted(os.getgroups())) == (uid, gid, sorted(groups))


def _may_not(uid: int, why: str) -> FileFailed:
    return FileFailed("PermissionDenied", f"certwright cannot act as uid {uid}, whose tree it is: {why}")


@cache
def _libc() -> ctypes.CDLL:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    for name in ("setfsuid", "setfsgid"):
        getattr(libc, name).argtypes = [ctypes.c_uint32]
        getattr(libc, name).restype = ctypes.c_uint32
    libc.syscall.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p]
    libc.syscall.restype = ctypes.c_long
    return libc
