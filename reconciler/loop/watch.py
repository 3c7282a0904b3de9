"""The door to `watchdog`: the kernel's word that something changed in a directory. A hint, never a fact.

One inotify descriptor, one thread, one watch a directory; no word about reading and opening. What cannot be watched
(the kernel's limit, another kind of file system) is found by the loop's own walks.
"""

from __future__ import annotations

import os
from collections import deque
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

_LIMIT_FILE: Final = Path("/proc/sys/fs/inotify/max_user_watches")
_MOST_DIRECTORIES: Final = 500_000


class Hint(Enum):
    """What a watcher says: something happened in the manifest tree, at installed files, or words were lost."""

    TREE = "tree"
    WORLD = "world"
    LOST = "lost"


def half_of_limit() -> int:
    """Give half of the watches that the kernel allows this user; 0 where it has none."""
    try:
        return int(_LIMIT_FILE.read_text(encoding="ascii")) // 2
    except (OSError, ValueError):
        return 0


def directories(roots: Iterable[str]) -> Iterator[str]:
    """Give the directories of manifest trees; of a tree that is a file, its directory. Names with a dot are skipped."""
    pending = [str(Path(root).absolute()) for root in roots if root != "-"]
    count = 0
    while pending and count < _MOST_DIRECTORIES:
        path = pending.pop()
        try:
            with os.scandir(path) as entries:
                pending += [one.path for one in entries if one.name[0] != "." and one.is_dir(follow_symlinks=False)]
        except NotADirectoryError:
            path = str(Path(path).parent)
        except OSError:
            path = str(Path(path).parent)  # not there yet: its coming is seen above it
        count += 1
        yield path


class Watcher:
    """Watches directories and says so to `hint`, from its own thread. `limit` is the most watches that it takes."""

    def __init__(self, hint: Callable[[Hint], None], limit: int) -> None:
        """Open the descriptor; OSError where the kernel has none to give."""
        from watchdog.observers.inotify_c import InotifyConstants as Kind
        from watchdog.observers.inotify_c import InotifyFD, Mask

        self._hint, self._limit = hint, limit
        self._known: dict[str, tuple[int, Hint]] = {}
        self._gone: deque[int] = deque()
        self._callbacks = {kind: _Callback(kind, hint, self._gone.append) for kind in (Hint.TREE, Hint.WORLD)}
        changed = Kind.IN_CLOSE_WRITE | Kind.IN_MOVE | Kind.IN_CREATE | Kind.IN_DELETE | Kind.IN_ATTRIB
        self._mask = Mask(changed | Kind.IN_DELETE_SELF | Kind.IN_MOVE_SELF | Kind.IN_ONLYDIR)
        self._kernel: Any = InotifyFD()
        self._kernel.daemon = True
        self._kernel.start()

    def watch(self, tree: Iterable[str], world: Iterable[str]) -> int:
        """Watch exactly these directories, those of the tree first; give how many of them cannot be watched."""
        self._forget()
        # two ways to one directory are one watch of the kernel
        wanted: dict[str, Hint] = {os.path.realpath(path): Hint.TREE for path in tree}
        for path in world:
            wanted.setdefault(os.path.realpath(path), Hint.WORLD)
        for path, (descriptor, kind) in list(self._known.items()):
            if wanted.get(path) is not kind:
                self._drop(path, descriptor, kind)
        return sum(not self._add(path, kind) for path, kind in wanted.items())

    def close(self) -> None:
        """Give the descriptor up and end the thread."""
        self._kernel.stop()
        self._kernel.join(timeout=5.0)

    @property
    def count(self) -> int:
        """How many directories are watched."""
        return len(self._known)

    def _add(self, path: str, kind: Hint) -> bool:
        if path in self._known:
            return True
        if len(self._known) >= self._limit or not os.access(path, os.R_OK):
            return False
        callback = self._callbacks[kind]
        try:
            descriptor = self._kernel.add_callback(os.fsencode(path), self._mask, callback, id(callback))
        except OSError:
            return False
        self._known[path] = (descriptor, kind)
        return True

    def _drop(self, path: str, descriptor: int, kind: Hint) -> None:
        del self._known[path]
        if all(descriptor != other for other, _ in self._known.values()):
            self._kernel.remove_callbacks([(descriptor, id(self._callbacks[kind]))])

    def _forget(self) -> None:
        """Forget directories that went away, so that what comes in their place is watched again."""
        gone = set[int]()
        while self._gone:
            gone.add(self._gone.popleft())
        if gone:
            self._known = {path: (number, kind) for path, (number, kind) in self._known.items() if number not in gone}


class _Callback:
    """What watchdog calls: says one word for any number of events."""

    def __init__(self, kind: Hint, hint: Callable[[Hint], None], forget: Callable[[int], None]) -> None:
        self._kind, self._hint, self._forget = kind, hint, forget

    def on_event(self, event: Any) -> None:  # noqa: ANN401  watchdog's own type
        """Something happened in a directory; what is only ours while it is written (a name with a dot) is no news."""
        if not event.name.startswith(b".") or event.is_directory:
            self._hint(self._kind)

    def on_watch_deleted(self, wd: int) -> None:
        """A directory is gone."""
        self._forget(wd)
        self._hint(self._kind)

    def on_queue_overflow(self) -> None:
        """The kernel dropped events."""
        self._hint(Hint.LOST)


def gathered(places: Iterable[str], store: str) -> Mapping[str, None]:
    """Give the directories of installed files that are worth a watch: those outside the store, and its `live`.

    The store's own files are written by us all the time; other processes' writes come by its feed, and what a person
    does to them by hand is found by the walk.
    """
    inside = store.rstrip("/") + "/"
    outside = (path for path in sorted(places) if path and not f"{path}/".startswith(inside))
    return dict.fromkeys((f"{inside}live", *outside))
