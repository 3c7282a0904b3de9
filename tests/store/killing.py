"""Lives a whole life in a child that kills itself at its n-th call that writes, for every n; checks what is left.

Run as a program with a directory: prints how many points were tried, fails with the first that broke a promise.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.model.observed import AccountRecord, Inventory, Memory, NoRevision, Revision, Undo
from reconciler.store import layout
from reconciler.store.files import FileStore, open_store
from tests.builders import SteadyClock
from tests.store.material import DESIRED, DIRECTORY, authority, bundle, meta, order
from tests.store.tree import check_modes, names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.model.ports import Lease
    from reconciler.model.text import Secret

CALLS = ("write", "pwrite", "fsync", "rename", "symlink", "unlink", "mkdir", "rmdir", "fchmod", "posix_fadvise")
URL = "https://acme.example/order/1"
BUNDLES = [bundle(), bundle()]
METAS = [meta(), meta("RenewalDue")]
THING = Undo("f00", "a", "token", "", "tok")


def life(store: FileStore) -> Iterator[str]:
    """Everything that the store can do for a site; each name is told when its call has returned."""
    with store.claim("account/acme.example/default", "apply", 0) as lease:
        store.put_account(lease, AccountRecord(DIRECTORY, "default"), BUNDLES[0].key)
        yield "account"
    with store.claim("account/ca/own", "apply", 0) as lease:
        store.put_ca(lease, "own", *authority())
        yield "ca"
    with store.claim("site/a", "apply", 0) as lease:
        store.put_meaning(lease, DESIRED)
        yield "meaning"
        store.put_order(lease, "a", order())
        yield "intent"
        store.pending_key(lease, "a", lambda: BUNDLES[0].key)
        yield "key"
        store.put_order(lease, "a", order(URL))
        yield "url"
        store.put_undo(THING)
        yield "undo"
        store.put_token("tok", "tok.thumb")
        store.drop_token("tok")
        store.undone(THING)
        yield from _issued(store, lease)
    with store.claim("target/web", "apply", 0) as lease:
        store.put_switch(lease, "web", b"former")
        yield "switch"
        store.put_inventory(lease, "web", {"a": Inventory("a", loaded="r")})
        store.put_switch(lease, "web", None)
        yield "installed"
        store.put_inventory(lease, "web", {"a": None})
        store.drop_target(lease, "web")
    with store.claim("site/a", "apply", 0) as lease:
        store.archive(lease, "a")
        yield "archived"


def _requesting(text: str) -> Callable[[Memory], Memory]:
    return lambda memory: replace(memory, renew_requested=text)


def _issued(store: FileStore, lease: Lease) -> Iterator[str]:
    before = store.live_name("a")
    for number, (given, about) in enumerate(zip(BUNDLES, METAS, strict=True)):
        name = store.put_revision(lease, "a", given, about)
        yield f"stored {number}"
        store.activate(lease, "a", name, before)
        before = name
        yield f"live {number}"
        store.remember("a", _requesting(str(number)))
        yield f"remembered {number}"
    store.drop_order(lease, "a", keep_key=False)
    yield "dropped"
    store.trim(lease, "a", 1, ())
    yield "trimmed"
    kept = [store.put_import(lease, "a", given) for given in BUNDLES][-1]
    yield "imported"
    store.drop_imports(lease, "a", kept)
    yield "forgotten"


def arm(at: int, reached: list[int]) -> None:
    """Count calls that write, and die at the `at`-th: in the middle of a `write`, before any other."""

    def dying(real: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:  # noqa: ANN401  stands in for any of them
            reached[0] += 1
            if reached[0] == at:
                if name == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **options)

        return call

    for name in CALLS:
        setattr(os, name, dying(getattr(os, name), name))


def die_at(root: str, at: int) -> tuple[bool, list[str]]:
    """Live in a child until the `at`-th call; tell whether it was killed, and what had returned before."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        told = os.fdopen(writer, "w", buffering=1)
        # the pipe's own writes do not pass through `os.write`
        arm(at, [0])
        store = open_store(root, SteadyClock(), "0.1.0", write=True)
        for step in life(store):
            told.write(f"{step}\n")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        steps = pipe.read().split("\n")[:-1]
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0, f"call {at}: the child failed"
    return os.WIFSIGNALED(status), steps


def no_key() -> Secret:
    """Stand where a key must be there already."""
    raise AssertionError("the order lost its key")


def check(root: str, steps: list[str]) -> None:
    """Check what must hold wherever the child died, and that what had returned is on disk."""
    with open_store(root, SteadyClock(), "0.1.0", write=True) as store:
        assert len(names(f"{root}/tmp")) == 1, "tmp was not swept"
        check_modes(root)
        live = store.live(["a"])["a"]
        assert isinstance(live, NoRevision | Revision), live
        folder = Path(root, "certificates", "a")
        found = names(folder) if folder.is_dir() else []
        assert found == sorted(revision.id for revision in store.revisions("a")), "half a revision"
        _check_imports(root, steps)
        _check_order(store, steps)
        _check_returned(store, steps, live)


def _check_imports(root: str, steps: list[str]) -> None:
    """A copy is whole or not there: but for one that is just being deleted."""
    copies = Path(root, "imports", "a")
    found = [sorted(path.name for path in one.iterdir()) for one in copies.iterdir()] if copies.is_dir() else []
    whole = found.count(sorted(layout.IMPORT_FILES))
    assert len(found) - whole <= int("imported" in steps)
    if "imported" in steps and "installed" not in steps:
        assert whole >= 1


def _check_order(store: FileStore, steps: list[str]) -> None:
    with store.claim("site/a", "check", 0) as lease:
        found = store.orders(["a"]).get("a")
        assert found in (None, order(), order(URL))
        if found == order(URL) or ("key" in steps and "remembered 1" not in steps):
            assert store.pending_key(lease, "a", no_key) == BUNDLES[0].key


def _check_returned(store: FileStore, steps: list[str], live: object) -> None:
    done = set(steps)
    gone = "installed" in done
    assert "account" not in done or store.account_key(DIRECTORY, "default") == BUNDLES[0].key
    assert "ca" not in done or store.ca("own") == authority()
    assert "meaning" not in done or gone or store.meaning(["a"]) == {"a": DESIRED}
    assert "intent" not in done or "remembered 1" in done or store.orders(["a"])
    assert "url" not in done or "remembered 1" in done or store.orders(["a"]) == {"a": order(URL)}
    assert "undo" not in done or "stored 0" in done or store.undo() in ((THING,), ())
    assert "live 0" not in done or gone or isinstance(live, Revision)
    if "live 1" in done and not gone:
        assert isinstance(live, Revision)
        assert live.meta == METAS[1]
    assert "remembered 0" not in done or gone or store.memory(["a"])["a"] != Memory()
    assert "switch" not in done or gone or store.switching("web") in (b"former", None)
    assert "archived" not in done or store.sites() == frozenset()
    assert store.undo() in ((), (THING,))


def converge(root: str) -> None:
    """One pass after the restart reaches the end."""
    with open_store(root, SteadyClock(), "0.1.0", write=True) as store:
        for _ in life(store):
            pass
        assert store.sites() == frozenset()
        assert store.orders(["a"]) == {}
        assert store.undo() == ()
        assert len(names(f"{root}/archive/a")) >= 2
        assert all(layout.is_revision(name) for name in names(f"{root}/archive/a"))
        check_modes(root)


def main(base: Path) -> int:
    """Try every point; give how many there were."""
    at = 0
    base.mkdir(exist_ok=True)
    while True:
        at += 1
        root = str(base / str(at))
        killed, steps = die_at(root, at)
        try:
            check(root, steps)
            converge(root)
        except Exception as error:
            error.add_note(f"killed at call {at}, after {steps[-1:]}")
            raise
        if not killed:
            return at - 1


if __name__ == "__main__":
    sys.stdout.write(f"{main(Path(sys.argv[1]))}\n")
