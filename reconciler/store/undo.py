"""`undo/` and `tokens/`: what we put into the world for a challenge.

Written down before it is done, and kept although its site is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reconciler.errors import StoreError
from reconciler.model.observed import Undo
from reconciler.model.tokens import is_published_name
from reconciler.store import atomic, reading
from reconciler.store.layout import is_segment
from reconciler.store.part import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.store.part import Ground

_INSIDE: Final = frozenset({"token", "alpn"})
# a token and a thumbprint, with room
_LARGEST: Final = 4096


class Undoing(Part):
    """Reads and writes undo records and http-01 answers."""

    def __init__(self, ground: Ground) -> None:
        """Have written nothing yet."""
        super().__init__(ground)
        self._mine: dict[str, Undo] = {}

    def undo(self, only: str | None = None) -> tuple[Undo, ...]:
        """Give what is still in the world and must be taken away; `only`: that of one id, if it is still there."""
        if only is None:
            return tuple(self._undo())
        thing = self._undo_of(only) if is_segment(only) else None
        return () if thing is None else (thing,)

    def put_undo(self, thing: Undo) -> None:
        """Write down what must be undone, before it is done.

        What is in the store itself need not survive a loss of power: nor need its record.
        """
        self._save(self._layout.undo(thing.id), thing, durable=thing.kind not in _INSIDE)
        self._mine[thing.id] = thing

    def undone(self, thing: Undo) -> None:
        """Forget it. A loss of power may bring the record back: what is gone already is taken away once more."""
        self._must_be_writable()
        self._mine.pop(thing.id, None)
        atomic.remove(self._layout.undo(thing.id), durable=False)

    def put_token(self, token: str, key_authorization: str) -> None:
        """Publish an http-01 answer to every process that listens; the undo record comes first.

        It need not survive a loss of power: whoever resumes the order presents it again.
        """
        self._scratch.write(self._layout.token(token), key_authorization.encode(), durable=False)

    def drop_token(self, token: str) -> None:
        """Take it away."""
        self._must_be_writable()
        atomic.remove(self._layout.token(token), durable=False)

    def token(self, token: str) -> bytes | None:
        """Give the answer to a token, None if it is not known. Any text may be asked for; no other file is opened."""
        return reading.read(self._layout.token(token), _LARGEST) if is_published_name(token) else None

    def tokens(self) -> frozenset[str]:
        """Give the tokens that are published now."""
        return frozenset(filter(is_published_name, reading.names(self._layout.fixed("tokens"))))

    def _undo(self) -> Iterator[Undo]:
        for name in sorted(reading.stems(reading.names(self._layout.fixed("undo")))):
            thing = self._mine.get(name) or (self._undo_of(name) if is_segment(name) else None)
            if thing is not None:
                yield thing

    def _undo_of(self, name: str) -> Undo | None:
        path = self._layout.undo(name)
        if reading.read(path) == b"":
            # only one that was not synced can be empty: its answer was in the store, and went the same way
            if self.writable:
                atomic.remove(path, durable=False)
            return None
        try:
            thing = self._load(Undo, path)
        except StoreError as error:
            raise StoreError(f"{error} after looking for what it names") from None
        if thing is not None and thing.id != name:
            text = f"{path} is damaged: it is not what its name says; move it away after looking for what it names"
            raise StoreError(text)
        return thing
