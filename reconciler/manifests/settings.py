"""How a manifest tree is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reconciler.model.desired import DesiredSite


@dataclass(frozen=True, slots=True)
class Settings:
    """How a tree is read: its roots; which Server this machine is (None: found out); `lenient` keeps what is good.

    `hostname` is the machine's own. `read_template` gives a template's text or None where it must not be opened.
    `last_good` gives the meaning of sites that a broken file declared before.
    """

    roots: tuple[str, ...]
    server: str | None = None
    hostname: str = ""
    lenient: bool = False
    read_template: Callable[[str], str | None] = lambda _path: None
    last_good: Callable[[Iterable[str]], Mapping[str, DesiredSite]] = lambda _names: {}
