"""What can go wrong, and who must act. The type of a failure decides what follows, never its text.

::

    CertwrightError
    ├── UsageError            a person typed something wrong: exit 2
    ├── ManifestError         manifests need an edit; carries every problem found: exit 2
    ├── StoreError            the state directory, a lock or the machine failed us: exit 3
    │   ├── NewerStore        written by a newer version: refused
    │   ├── OddFile           something else stands where a file of the store belongs: that site is held
    │   ├── HeldBy            another process holds the lock and the deadline passed
    │   ├── LeaseLost         the lease this write carried is stale
    │   └── Conflict          compare-and-set lost: somebody else wrote first
    ├── Waiting               not now, but at a known time: asked again then
    ├── Transient             the next seconds may heal it: retried inside the call
    ├── Failed                this attempt failed: backs off, retried at a persisted time
    │   └── NamesFailed       the proof of some names of an order failed; carries a Failed for each
    └── Stalled               nothing we do helps until a manifest or the world changes

Anything else that is raised is a bug; it is caught at the border of its site and told as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class CertwrightError(Exception):
    """Root of every failure that is not a bug; `str()` is one sentence for a person."""


class UsageError(CertwrightError):
    """Wrong usage or an unknown name on the command line."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a manifest. `line` and `column` count from 1; 0 means the whole file."""

    file: str
    line: int
    column: int
    message: str
    excerpt: str = ""

    def __str__(self) -> str:
        """Give `file:line:column: message`, the way editors and compilers do."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}"


class ManifestError(CertwrightError):
    """The tree has problems; all that were found are in `problems`, in the order of the files."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the problems sorted and without repeats."""
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class StoreError(CertwrightError):
    """The state directory, a lock or the machine failed us."""


class NewerStore(StoreError):
    """The state directory was written by a newer version."""


class OddFile(StoreError):
    """What stands at a path of the store is no file (or directory) of ours, or cannot be read by us."""

    reason = "StoreDamaged"


class HeldBy(StoreError):
    """Another process holds what we need."""

    def __init__(self, what: str, pid: int, verb: str, since: str) -> None:
        """Name the holder so that the message can: `what` is a lock (`run`, `site mysite`), `since` RFC 3339."""
        self.what, self.pid, self.verb, self.since = what, pid, verb, since
        super().__init__(f"{what} is held by process {pid} (certwright {verb}) since {since}")


class LeaseLost(StoreError):
    """The lease that a write carried is no longer ours."""


class Conflict(StoreError):
    """A compare-and-set lost: the value is no longer the one expected."""


class Waiting(CertwrightError):
    """Not now, but at `until` (aware UTC)."""

    def __init__(self, reason: str, message: str, until: datetime) -> None:
        """`reason` is a CamelCase word of the documented list."""
        self.reason, self.until = reason, until
        super().__init__(message)


class Transient(CertwrightError):
    """The next seconds may heal it; `retry_after` in seconds if the other side said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Keep the other side's own wish."""
        self.retry_after = retry_after
        super().__init__(message)


class Failed(CertwrightError):
    """This attempt failed. `blame` picks the backoff: `local` 5 s to 5 min, `ca` 1 min to 1 day.

    `hostname`, `method`, `type` (a problem URN) and `url` say where, if known; `until` overrules the backoff.
    """

    def __init__(  # noqa: PLR0913  one failure has this many facts
        self,
        reason: str,
        message: str,
        *,
        blame: Literal["local", "ca"] = "local",
        hostname: str | None = None,
        method: str | None = None,
        type: str | None = None,  # noqa: A002  RFC 8555 section 6.7 calls it that
        url: str | None = None,
        until: datetime | None = None,
    ) -> None:
        """`reason` is a CamelCase word of the documented list."""
        self.reason, self.blame = reason, blame
        self.hostname, self.method, self.type, self.url, self.until = hostname, method, type, url, until
        super().__init__(message)


class NamesFailed(Failed):
    """The proof of one or more names failed: `failures` has one `Failed` for each, in the order asked."""

    def __init__(self, failures: Sequence[Failed]) -> None:
        """Speak with the words of the first; each must have its `hostname`."""
        self.failures: tuple[Failed, ...] = tuple(failures)
        first, others = self.failures[0], [failure.hostname or "" for failure in self.failures[1:]]
        more = f"; likewise {', '.join(others[:5])}" if others else ""
        rest = f" and {len(others) - 5} more" if len(others) > 5 else ""  # noqa: PLR2004  enough for one line
        super().__init__(
            first.reason,
            f"{first}{more}{rest}",
            blame=first.blame,
            hostname=first.hostname,
            method=first.method,
            type=first.type,
            url=first.url,
            until=first.until,
        )


class Stalled(CertwrightError):
    """Nothing we do helps until a manifest or the world changes; `ends_when` says what must change.

    `hostname` is set where it concerns one name of an order.
    """

    def __init__(self, reason: str, message: str, ends_when: str, hostname: str | None = None) -> None:
        """`reason` is a CamelCase word of the documented list."""
        self.reason, self.ends_when, self.hostname = reason, ends_when, hostname
        super().__init__(message)
