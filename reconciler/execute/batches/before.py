"""What was served until now, seen before anything is changed: of that nothing new is to blame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from reconciler.execute.probes import handshakes, judging
from reconciler.model.names import Switch as Mode
from reconciler.model.observed import Revision

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler.execute.batches.batch import Batch
    from reconciler.execute.probes.judging import Expected, Key
    from reconciler.model.observed import Memory
    from reconciler.model.ports import Probe

_MOST: Final = 32
_MOMENT: Final = 0.01  # seconds; by then a test has begun
# the tests of these open no port; nginx's does, so that what does not run seems to answer as long as its test lasts
_OPENS_NOTHING: Final = frozenset({"apache", "haproxy", "dovecot", "postfix"})


@dataclass(frozen=True, slots=True)
class Before:
    """What was seen before a reload: (address, port) pairs that answered TLS, and whom a stranger's certificate met."""

    answering: frozenset[tuple[str, int]]
    astray: frozenset[Key]


def look_before(batch: Batch, *, tested: bool) -> Callable[[], Before]:
    """Begin to look what is served; where the server is `tested`, and may be meanwhile, without holding up its start.

    What is returned waits for it: to be called before the server takes anything up, or a test that is not `harmless`.
    """
    looks = batch.reload is not None and verifies(batch)
    pause = partial(batch.bench.clock.wait, _MOMENT if tested and harmless(batch) else 0.0)
    ports, names = (_ports(batch), _once_served(batch)) if looks else ((), ())
    seen = handshakes.before(ports, names, owners_of(batch), pause)
    return lambda: Before(*seen())


def harmless(batch: Batch) -> bool:
    """Tell whether a server that is only tested looks from outside as it did before."""
    return batch.spec.type in _OPENS_NOTHING


def _once_served(batch: Batch) -> Sequence[Expected]:
    """Give the names that this reload may cost what they had; none where those are many.

    Somebody may have given such a name to a block of his own since: of that no new certificate is to blame.
    """
    touched = {one.site for one in batch.files}
    concerned = (name for name in batch.seats if name in touched or has_to_load(batch, name))
    names = list(islice(concerned, _MOST + 1))
    if len(names) > _MOST:
        return ()
    memory = batch.bench.store.memory(names)
    wanted = [one for name in names for one in expected_of(batch, name) if had_it(batch, memory[name], one)]
    return wanted if len(wanted) <= _MOST else ()


def had_it(batch: Batch, memory: Memory, one: Expected) -> bool:
    """Tell whether a name was last seen with its site's certificate."""
    served = memory.served.get(batch.name)
    return served is not None and (one.probe.port, one.probe.sni) in judging.proven(served.ports)


def has_to_load(batch: Batch, name: str) -> bool:
    """Tell whether a site has something that the server has not taken up."""
    entry = batch.entry(name)
    as_loaded = entry.loaded_digest in (None, entry.digest) and not entry.restored
    return batch.unbuilt or entry.loaded != batch.live_id(name) or not as_loaded


def verifies(batch: Batch) -> bool:
    """Tell whether what is served is looked at."""
    return batch.spec.verify.mode is not Mode.OFF and bool(batch.spec.verify.ports)


def _ports(batch: Batch) -> Sequence[Probe]:
    """Give handshakes with each port; whose names they ask for does not matter."""
    seat = next(iter(batch.seats.values()), None)
    return batch.target.probes(seat) if seat is not None else ()


def owners_of(batch: Batch) -> Mapping[str, str]:
    """Give whose certificate each fingerprint is, of those in use on this target."""
    return {live.facts.fingerprint: name for name, live in batch.live.items() if isinstance(live, Revision)}


def expected_of(batch: Batch, name: str) -> list[Expected]:
    """Give the handshakes that show what is live of a site."""
    live = batch.live.get(name)
    if not isinstance(live, Revision) or name not in batch.seats:
        return []
    stored = batch.bench.store.revisions(name)
    former = frozenset(one.facts.fingerprint for one in stored) - {live.facts.fingerprint}
    probes = batch.target.probes(batch.seats[name])
    return [judging.Expected(name, probe, live.facts.fingerprint, former) for probe in probes]
