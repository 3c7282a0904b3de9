"""Live pointers that a batch takes back: a server that reads `live` has no copy of its own that could be put back.

Only to what that server had before, which it is known to start with; it may have expired or be a placeholder, for a
server that cannot start serves nobody. A site's lease is asked for under the target's here, and never the other way
round; it is waited for only shortly, so nobody waits for ever, and a site that another process works on stays as it is.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reconciler.errors import Conflict, HeldBy
from reconciler.model.observed import Revision

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from reconciler.execute.batches.batch import Batch

_WAIT: Final = 5.0
_FILES: Final = ("fullchain.pem", "cert.pem", "chain.pem", "privkey.pem")


@dataclass(frozen=True, slots=True)
class Move:
    """A pointer that was moved: `before` is what the server had, `after` what is live and it has not loaded yet."""

    before: Revision
    after: Revision


@dataclass(slots=True)
class Pointers:
    """The moves of some sites. `back` and `forward` may be repeated and take any subset of the sites."""

    batch: Batch
    moves: Mapping[str, Move]
    gone_back: set[str] = field(default_factory=set)

    def owners(self) -> Mapping[str, str]:
        """Give the site of each path that a server's message may name: its live files, and ours that name them."""
        found: dict[str, str] = {}
        for site in self.moves:
            files = (file.path for file in self.batch.entry(site).files if not file.fragment)
            found.update(dict.fromkeys(files, site))
            if site in self.batch.seats:
                found.update((f"{self.batch.seats[site].live}/{name}", site) for name in _FILES)
        return found

    def back(self, sites: Collection[str] | None = None) -> None:
        """Let the servers find what they had before."""
        for site in sorted(self._of(sites) - self.gone_back):
            if self._moved(site, self.moves[site].after, self.moves[site].before):
                self.gone_back.add(site)

    def forward(self, sites: Collection[str] | None = None) -> None:
        """Let them find what is new again."""
        for site in sorted(self._of(sites) & self.gone_back):
            if self._moved(site, self.moves[site].before, self.moves[site].after):
                self.gone_back.discard(site)

    def _of(self, sites: Collection[str] | None) -> set[str]:
        return set(self.moves) if sites is None else set(self.moves) & set(sites)

    def _moved(self, site: str, now: Revision, to: Revision) -> bool:
        bench = self.batch.bench
        with suppress(HeldBy, Conflict), bench.store.claim(f"site/{site}", bench.verb, _WAIT) as lease:
            bench.store.activate(lease, site, to.id, now.id)
            self.batch.live = {**self.batch.live, site: to}
            return True
        return False


def not_loaded(batch: Batch) -> Pointers:
    """Give the moves that this target's server has not taken up yet, also of sites that are not in this pass."""
    names = {*batch.seats, *batch.bench.store.installed_on(batch.name)}
    return _moves(batch, names, {name: (batch.entry(name).loaded,) for name in names})


def of_proof(batch: Batch, sites: Iterable[str]) -> Pointers:
    """Give the moves that a reload may have made worse: back to what was loaded before it, or last seen served."""
    remembered = batch.bench.store.memory(sites)
    served = {name: memory.served.get(batch.name) for name, memory in remembered.items()}
    seen = {name: proof.revision if proof is not None and proof.ok else None for name, proof in served.items()}
    return _moves(batch, remembered, {name: (batch.entry(name).loaded, seen[name]) for name in remembered})


def _moves(batch: Batch, names: Iterable[str], former: Mapping[str, tuple[str | None, ...]]) -> Pointers:
    if batch.target.copies:
        return Pointers(batch, {})
    store, found = batch.bench.store, {}
    for name, live in store.live(sorted(names)).items():
        wanted = [one for one in former[name] if one is not None and isinstance(live, Revision) and one != live.id]
        if isinstance(live, Revision) and wanted:
            stored = {one.id: one for one in store.revisions(name)}
            before = next((stored[one] for one in wanted if one in stored), None)
            if before is not None:
                found[name] = Move(before, live)
    return Pointers(batch, found)
