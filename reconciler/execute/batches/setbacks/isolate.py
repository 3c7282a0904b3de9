"""Finds the sites that break a server's test, so that they alone are held and the others go live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from reconciler.model.ports import Clock, Tested

_TESTS: Final = 16
_SECONDS: Final = 300.0


class Movable(Protocol):
    """What is switched site by site: files, or live pointers."""

    def owners(self) -> Mapping[str, str]:
        """Give the site of each path that a server's message may name."""
        ...

    def forward(self, sites: Collection[str] | None = None) -> None:
        """Put what is new of these sites in place, of all if None."""
        ...

    def back(self, sites: Collection[str] | None = None) -> None:
        """Put back what was there before."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which sites are in place now, which broke the test (with its words); the test of a broken target."""

    good: tuple[str, ...] = ()
    bad: tuple[tuple[str, str], ...] = ()
    broken: Tested | None = None


class Isolation:
    """One search: the present state first, then the sites that the message names, then halves of what is left.

    Where it names none of them, all of them once more: another process, or a worker, may have mended what it meant.
    """

    def __init__(self, switch: Movable, test: Callable[[], Tested], clock: Clock) -> None:
        """Start with all switched forward and the test failed."""
        self._switch, self._test, self._clock = switch, test, clock
        self._owners = switch.owners()
        self._tests = 0
        self._deadline = clock.monotonic() + _SECONDS
        self._good: list[str] = []
        self._bad: list[tuple[str, str]] = []

    def search(self, sites: Sequence[str], first: Tested) -> Verdict:
        """Leave the good sites switched forward and the bad ones put back; of no other site anything is moved."""
        self._switch.back(set(sites))
        present = self._asked()
        if not present.ok:
            return Verdict(broken=present if first.blamed else first)
        self._group(list(sites), first if self._named(sites, first) else None)
        return Verdict(tuple(self._good), tuple(self._bad))

    def _named(self, sites: Sequence[str], tested: Tested) -> list[str]:
        """Give those of these sites that a test names; where it names none, what broke it may be gone by now."""
        named = {self._owners.get(blamed, blamed) for blamed in tested.blamed}
        return [site for site in sites if site in named]

    def _asked(self) -> Tested:
        self._tests += 1
        return self._test()

    def _exhausted(self) -> bool:
        return self._tests >= _TESTS or self._clock.monotonic() > self._deadline

    def _group(self, group: list[str], failed: Tested | None) -> None:
        """Put a group forward: whole if it passes, else without those that are blamed, else by halves."""
        if not group:
            return
        tested = failed
        if tested is None:
            if self._exhausted():
                self._bad.extend((site, "not tried: too many tests in a row failed") for site in group)
                return
            self._switch.forward(set(group))
            tested = self._asked()
        if tested.ok:
            self._good.extend(group)
            return
        self._switch.back(set(group))
        self._split(group, tested)

    def _split(self, group: list[str], tested: Tested) -> None:
        blamed = self._named(group, tested)
        if len(group) == 1 or len(blamed) == len(group):
            self._bad.extend((site, tested.output) for site in group)
            return
        if blamed:
            self._bad.extend((site, tested.output) for site in blamed)
            self._group([site for site in group if site not in blamed], None)
            return
        middle = len(group) // 2
        self._group(group[:middle], None)
        self._group(group[middle:], None)
