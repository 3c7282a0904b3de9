"""R50, the store's half: keys stand in their own files and nowhere else, and only their owner may read them."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import CertwrightError
from reconciler.model.observed import AccountRecord
from reconciler.model.plain import to_plain
from reconciler.store.files import open_store
from tests.builders import SteadyClock
from tests.store.material import DIRECTORY, bundle, certificate, meta, order

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.text import Secret

KEY_FILES = {"privkey.pem", "pending.key", "key.pem"}


def canary(key: Secret) -> bytes:
    """A line of the key's text that stands in no certificate."""
    return key.reveal().splitlines()[1][20:60]


def test_keys_stand_only_in_the_files_made_for_them(tmp_path: Path) -> None:
    root = tmp_path / "state"
    given, pending, account, authority = bundle(), bundle().key, bundle().key, bundle().key
    with open_store(str(root), SteadyClock(), "0.1.0", write=True) as store:
        with store.claim("account/acme.example/default", "test", 0) as lease:
            store.put_account(lease, AccountRecord(DIRECTORY, "default"), account)
            store.put_ca(lease, "own", authority, certificate(authority))
        with store.claim("site/a", "test", 0) as lease:
            store.put_order(lease, "a", order())
            store.pending_key(lease, "a", lambda: pending)
            store.activate(lease, "a", store.put_revision(lease, "a", given, meta()), None)
            store.remember("a", lambda memory: replace(memory, renew_requested="x"))
        store.event("a", "Issued", "x", SteadyClock().now())
        shown = repr(
            (store.live(["a"]), store.accounts(), store.orders(["a"]), store.bundle("a", store.live_name("a") or ""))
        )
        assert not any(canary(key).decode() in shown for key in (given.key, pending, account, authority))
        for path in root.rglob("*"):
            if path.is_file() and not path.is_symlink():
                text = path.read_bytes()
                held = any(canary(key) in text for key in (given.key, pending, account, authority))
                assert held is (path.name in KEY_FILES), path
                assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_no_error_about_a_key_shows_it(tmp_path: Path) -> None:
    root = tmp_path / "state"
    given, other = bundle(), bundle().key
    with open_store(str(root), SteadyClock(), "0.1.0", write=True) as store:
        with store.claim("site/a", "test", 0) as lease:
            with pytest.raises(CertwrightError) as mismatch:
                store.put_revision(lease, "a", replace(given, key=other), meta())
            name = store.put_revision(lease, "a", given, meta())
            store.activate(lease, "a", name, None)
        (root / "live/a/privkey.pem").write_bytes(given.key.reveal()[:-60])
        told = repr(to_plain(store.live(["a"])["a"]))
        with pytest.raises(CertwrightError) as broken:
            store.bundle("a", name)
        with store.claim("account/acme.example/default", "test", 0) as lease:
            store.put_account(lease, AccountRecord(DIRECTORY, "default"), given.key)
            with pytest.raises(CertwrightError) as conflict:
                store.put_account(lease, AccountRecord(DIRECTORY, "default"), other)
    shown = told + "".join(f"{caught.value!s} {caught.value!r}" for caught in (mismatch, broken, conflict))
    assert not any(canary(key).decode() in shown for key in (given.key, other))


def test_keys_are_born_with_their_mode_whatever_the_umask(tmp_path: Path) -> None:
    """strace would show the same: `open` with 0600, and no chmod after it."""
    opened: list[int] = []
    real = os.open

    def watching(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & os.O_CREAT:
            opened.append(mode)
        return real(path, flags, mode, dir_fd=dir_fd)

    patch = pytest.MonkeyPatch()
    old = os.umask(0)
    try:
        patch.setattr(os, "open", watching)
        root = str(tmp_path / "state")
        with open_store(root, SteadyClock(), "0.1.0", write=True) as store, store.claim("site/a", "test", 0) as lease:
            store.put_revision(lease, "a", bundle(), meta())
    finally:
        patch.undo()
        os.umask(old)
    assert set(opened) == {0o600}
