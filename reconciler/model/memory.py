"""What we remember of a site between passes: failures, chosen instants, proofs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reconciler.model.targets import Verify

_RIGHT: Final = ("", "Served")
NO_SPEC: Final = "not declared"
"""The digest that failures of a site bear which is declared no more; no spec has it."""


@dataclass(frozen=True, slots=True)
class LastFailure:
    """The newest failure, in the other side's own (cleaned) words. `reason` is a documented CamelCase word."""

    at: datetime
    reason: str
    detail: str
    hostname: str | None = None
    method: str | None = None
    type: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Failures:
    """Failures in a row of one piece of work, and when it is tried again. `digest` is the spec they happened to.

    `limit` is when the CA said that it may be asked again, where that is why we wait: a person may be as early as that.
    """

    local: int = 0
    ca: int = 0
    since: datetime | None = None
    next_attempt: datetime | None = None
    last: LastFailure | None = None
    digest: str = ""
    stalled: str | None = None
    limit: datetime | None = None

    @property
    def count(self) -> int:
        """Count both kinds."""
        return self.local + self.ca


@dataclass(frozen=True, slots=True)
class NameMemory:
    """What is remembered of one hostname whose proof failed: how often by which method, and when it is tried again.

    `dropped`: the certificate in use was issued without it, so that orders that have another cause leave it out too.
    """

    failures: Failures = field(default_factory=Failures)
    methods: Mapping[str, int] = field(default_factory=dict)
    dropped: bool = False


@dataclass(frozen=True, slots=True)
class RenewalChoice:
    """The renewal instant of one revision: chosen once, then kept."""

    revision: str
    at: datetime
    reason: str
    lookahead: str = ""


@dataclass(frozen=True, slots=True)
class PortSeen:
    """What the handshakes with one port showed, the worst of them. `fingerprint` is None if there was no certificate.

    `names` are those that were asked for and showed what they should.
    """

    port: int
    fingerprint: str | None
    reason: str
    message: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Served:
    """The last proof of a site on a target: what was expected (`revision`) and what each port showed.

    It tells nothing of a port that is declared since, nor of any that was asked in another `way` (`Verify.way`) than is
    declared now; a port that is declared no more tells nothing of the site.
    """

    target: str
    revision: str
    at: datetime
    ports: tuple[PortSeen, ...]
    ok: bool
    way: str = ""

    def asked(self, verify: Verify) -> tuple[PortSeen, ...]:
        """Give what the declared ports showed, as far as they were asked as they are declared."""
        same = self.way in ("", verify.way)
        return tuple(one for one in self.ports if same and one.port in verify.ports)

    def wrong(self, verify: Verify) -> tuple[PortSeen, ...]:
        """Give what was not right at the declared ports."""
        return tuple(one for one in self.asked(verify) if one.reason not in _RIGHT)

    def unasked(self, verify: Verify) -> tuple[int, ...]:
        """Give the declared ports that were not asked."""
        asked = {one.port for one in self.asked(verify)}
        return tuple(port for port in verify.ports if port not in asked)


@dataclass(frozen=True, slots=True)
class Pin:
    """A person went back to a stored `revision`; it stays while it is live and the site's spec has this `digest`."""

    revision: str
    digest: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What we remember of a site between passes. Goes to `status/<site>.json`; `version` counts its writes.

    `failures` has the key `issue` or `target/<name>`; `names` are hostnames whose proof failed. `renew_requested` is
    set by the verb `renew` and cleared by success.
    """

    version: int = 0
    failures: Mapping[str, Failures] = field(default_factory=dict)
    renewal: RenewalChoice | None = None
    handled_renew_at: str | None = None
    handled_retry_at: str | None = None
    renew_requested: str | None = None
    expired_since_attempt: datetime | None = None
    served: Mapping[str, Served] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, NameMemory] = field(default_factory=dict)
    pinned: Pin | None = None
    v: int = 1
