"""What `wiring` gives the steps: the pure rules of `plan` by which attempts are remembered, and makers of keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from reconciler.errors import CertwrightError
    from reconciler.model.desired import DesiredSite, MethodSpec, Renewal
    from reconciler.model.observed import Failures, Live, Memory, NameMemory, RenewalChoice, Revision
    from reconciler.model.ports import Issued
    from reconciler.model.text import Secret


class Rules(Protocol):
    """The pure rules of `plan` that an attempt is remembered by; `wiring` gives them."""

    def after_failure(
        self,
        failures: Failures | None,
        error: CertwrightError,
        now: datetime,
        digest: str,
        not_after: datetime | None = None,
    ) -> Failures:
        """Count a failure and choose the next attempt; failures of another spec `digest` are forgotten."""
        ...

    def ways(self, desired: DesiredSite, live: Live, memory: Memory) -> Mapping[str, tuple[MethodSpec, ...]]:
        """Give each name's methods in the order in which they are to be tried now."""
        ...

    def after_names(
        self, desired: DesiredSite, live: Live, memory: Memory, error: CertwrightError, now: datetime
    ) -> tuple[Mapping[str, NameMemory], bool]:
        """Remember what a failure says of single names; and tell whether it is worth while to go on at once."""
        ...

    def names_issued(self, desired: DesiredSite, memory: Memory, issued: tuple[str, ...]) -> Mapping[str, NameMemory]:
        """Give what is remembered of names once a certificate for some of them is there."""
        ...

    def choose_renewal(
        self, site: str, revision: Revision, renewal: Renewal, kept: RenewalChoice | None
    ) -> RenewalChoice:
        """Choose the instant at which a new revision is renewed."""
        ...


@dataclass(frozen=True, slots=True)
class Makers:
    """What makes keys and placeholders: `key(key_type)`, `key_type(key)`, `placeholder(site, key, now)`."""

    key: Callable[[str], Secret]
    key_type: Callable[[Secret], str]
    placeholder: Callable[[DesiredSite, Secret, datetime], Issued]
