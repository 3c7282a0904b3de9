"""One request to a CA: bounded in time, size and depth, never redirected, never compressed."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from reconciler.doors import log
from reconciler.doors.retrying import LONGEST_SLEEP, retry_transient
from reconciler.errors import Failed, Transient
from reconciler.issuers.acme import wire
from reconciler.issuers.acme.connections import Connections
from reconciler.issuers.acme.origin import misbehaves
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.issuers.acme.origin import Origin
    from reconciler.model.ports import Clock

Wanted = Literal["json", "chain", "nothing"]

SECONDS: Final = 30.0
_LIMITS: Final[Mapping[Wanted, int]] = {"json": 256 * 1024, "chain": 1024 * 1024, "nothing": 64 * 1024}
_TYPES: Final[Mapping[Wanted, frozenset[str]]] = {
    "json": frozenset({"application/json"}),
    "chain": frozenset({"application/pem-certificate-chain"}),
    "nothing": frozenset(),
}
_DEPTH: Final = 16
_ATTEMPTS: Final = 4
_OK: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole. Header names are lower case; of repeated ones the values in order."""

    status: int
    headers: Mapping[str, tuple[str, ...]]
    body: bytes
    url: str
    kind: str = field(default="")

    def header(self, name: str) -> str | None:
        """Give the first value of a header, None if it is absent."""
        values = self.headers.get(name)
        return values[0] if values else None

    def json(self) -> dict[str, Any]:
        """Read the body as a JSON object of at most 16 levels. Raises Failed(CaMisbehaves)."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            raise misbehaves(f"{clean(self.url, 200)} answered with broken JSON", self.url) from None
        # as many brackets as levels are allowed: it cannot be deeper
        flat = self.body.count(b"{") + self.body.count(b"[") <= _DEPTH
        if not isinstance(value, dict) or (not flat and _deeper(value, _DEPTH)):
            raise misbehaves(f"{clean(self.url, 200)} answered with JSON of a shape that no step has", self.url)
        return value


class Broken(Transient):
    """The connection broke after the request was sent: the CA may have done what it asks for."""


class Transport:
    """The way to one CA. Safe for threads; `context` is asked for at each new connection, so a new bundle is seen."""

    def __init__(
        self,
        origin: Origin,
        context: Callable[[], ssl.SSLContext],
        clock: Clock,
        *,
        connections: int,
        user_agent: str,
        seconds: float = SECONDS,
    ) -> None:
        self.origin, self._clock, self._seconds = origin, clock, seconds
        self._log = log.logger("acme")
        self._pool = Connections(origin, context, clock.monotonic, connections)
        host = str(origin).partition("//")[2]
        self._asking = wire.lines(
            {"Host": host, "User-Agent": user_agent, "Accept-Encoding": "identity", "Accept-Language": "en"}
        )
        self._posting = self._asking + wire.lines({"Content-Type": "application/jose+json"})

    def send(self, method: Literal["GET", "HEAD", "POST"], url: str, body: bytes | None, wanted: Wanted) -> Answer:
        """Send one request and read the answer whole, within 30 s; any status but a redirect is an answer.

        Raises Transient (no or half an answer; Broken if the request was sent), Failed: CaMisbehaves, CaUntrusted,
        AddressNotAllowed, CaBundleUnreadable.
        """
        target = self.origin.target(url)
        message = wire.request(method, target, self._asking if body is None else self._posting, body)
        began, connection = self._clock.monotonic(), self._pool.take()
        connection.deadline.start(self._seconds)
        sent = Transient
        try:
            connection.open()
            sent = Broken
            answer = _answer(connection.exchange(method, message, _LIMITS[wanted]), url)
            if self._log.isEnabledFor(log.REQUESTS):
                self._note(method, answer, self._clock.monotonic() - began)
        except ssl.SSLCertVerificationError as error:
            raise _untrusted(self.origin, error) from None
        except wire.TooLargeError:
            raise misbehaves(f"{clean(url, 200)} answered with more than any step needs", url) from None
        except TimeoutError:
            raise sent(f"{self.origin} did not answer within {self._seconds:g} s") from None
        except (OSError, ValueError) as error:
            raise sent(f"the connection to {self.origin} failed: {_cause(error)}") from None
        finally:
            if connection.keep:
                self._pool.give(connection)
            else:
                connection.close()
        return _judged(answer, wanted)

    def patiently(self, once: Callable[[], Answer]) -> Answer:
        """Repeat what raises Transient, four times within half a minute. The usual good case costs nothing."""
        try:
            return once()
        except Transient as failure:
            if (failure.retry_after or 0) > LONGEST_SLEEP:
                raise
            first = [failure]

        def again() -> Answer:
            if first:
                raise first.pop()
            return once()

        clock = self._clock
        return retry_transient(
            again, attempts=_ATTEMPTS, deadline_seconds=SECONDS, wait=clock.wait, now=clock.monotonic
        )

    def _note(self, method: str, answer: Answer, seconds: float) -> None:
        """Log the exchange, without what was sent (a signature); of an answer only a refusal is shown."""
        what = f"{answer.status} {answer.kind or 'no content'}, {len(answer.body)} bytes, {seconds * 1000:.0f} ms"
        problem = "" if answer.status in _OK else f": {clean(answer.body.decode(errors='replace'), 500)}"
        self._log.log(log.REQUESTS, "%s %s -> %s%s", method, clean(answer.url, 300), what, problem)

    def close(self) -> None:
        """Close what lies idle."""
        self._pool.close()


def _answer(whole: wire.Whole, url: str) -> Answer:
    kind = whole.headers.get("content-type", ("",))[0].partition(";")[0].strip().lower()
    return Answer(whole.status, whole.headers, whole.body, url, kind)


def _judged(answer: Answer, wanted: Wanted) -> Answer:
    """Refuse what no step of ACME answers with."""
    place = clean(answer.url, 200)
    if answer.status in _REDIRECTS:
        raise misbehaves(f"{place} answered with a redirect ({answer.status}), which is never followed", answer.url)
    encoding = answer.header("content-encoding")
    if encoding is not None and encoding.strip().lower() != "identity":
        raise misbehaves(f"{place} answered with content encoding {clean(encoding, 40)}", answer.url)
    kinds = _TYPES[wanted]
    if answer.status in _OK and kinds and answer.kind not in kinds:
        told = clean(answer.kind or "no content type", 60)
        raise misbehaves(f"{place} answered with {told} where {', '.join(sorted(kinds))} belongs", answer.url)
    return answer


def _untrusted(origin: Origin, error: ssl.SSLCertVerificationError) -> Failed:
    why = clean(str(error.verify_message or "it does not verify"), 200)
    message = f"the server certificate of {origin} is not trusted: {why}; for a private CA declare its caBundle"
    return Failed("CaUntrusted", message, blame="ca", url=str(origin))


def _cause(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return clean(error.strerror, 120)
    return clean(str(error) or type(error).__name__, 120)


def _deeper(value: object, levels: int) -> bool:
    """Tell whether containers nest deeper than `levels`."""
    row = [value]
    while row and levels > 0:
        row = [inner for item in row for inner in _inside(item)]
        levels -= 1
    return bool(row)


def _inside(item: object) -> list[Any]:
    inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return [value for value in inner if isinstance(value, (dict, list))]
