"""What can go wrong between a client and a CA: each fault turns one exchange into another. The front applies them."""

from __future__ import annotations

import gzip as _gzip
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """What the client asked. `path` includes the query."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What the client gets.

    `declared` overrules Content-Length, `cut` sends only that many bytes of the body and then closes, `drop` closes at
    once, `drip` sends pieces of (size in bytes, pause in seconds).
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    declared: int | None = None
    cut: int | None = None
    drop: bool = False
    drip: tuple[int, float] | None = None

    def with_header(self, name: str, value: str | None) -> Reply:
        """Set a header, or remove it with None."""
        kept = tuple(pair for pair in self.headers if pair[0].lower() != name.lower())
        return replace(self, headers=kept if value is None else (*kept, (name, value)))


Forward = Callable[[], Reply]  # runs the request at the CA
Act = Callable[[Request, Forward], Reply]


@dataclass(slots=True)
class Fault:
    """Apply `act` to requests whose path matches the pattern `path` anywhere, and whose method is `method` if given.

    The first `skip` of them pass, the next `times` are met (None: all), the rest pass. `met` counts.
    """

    act: Act
    path: str = ""
    method: str | None = None
    times: int | None = 1
    skip: int = 0
    met: int = field(default=0, init=False)

    def takes(self, request: Request) -> bool:
        """Tell whether this request is met, and count it; the caller holds a lock."""
        if (self.method and self.method != request.method) or not re.search(self.path, request.path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None and self.met >= self.times:
            return False
        self.met += 1
        return True


def refuse(status: int, *, retry_after: str | None = None, problem: str | None = None, detail: str = "injected") -> Act:
    """Answer with `status` and never ask the CA; `problem` is the end of an ACME error URN (RFC 8555 section 6.7)."""
    headers: tuple[tuple[str, str], ...] = (("Retry-After", retry_after),) if retry_after is not None else ()
    if problem is None:
        return lambda _request, _forward: Reply(status, (*headers, ("Content-Type", "text/plain")), detail.encode())
    body = json.dumps({"type": f"urn:ietf:params:acme:error:{problem}", "detail": detail, "status": status}).encode()
    return lambda _request, _forward: Reply(status, (*headers, ("Content-Type", "application/problem+json")), body)


def drop_before(_request: Request, _forward: Forward) -> Reply:
    """Close the connection; the CA never saw the request."""
    return Reply(0, drop=True)


def drop_after(_request: Request, forward: Forward) -> Reply:
    """Let the CA execute the request, then close the connection without a word of its answer."""
    return replace(forward(), drop=True)


def delay(seconds: float) -> Act:
    """Pass the answer on, so much later."""

    def act(_request: Request, forward: Forward) -> Reply:
        reply = forward()
        time.sleep(seconds)
        return reply

    return act


def truncate(size: int) -> Act:
    """Declare the whole body, send `size` bytes of it, close."""
    return lambda _request, forward: replace(forward(), cut=size)


def html(status: int = 200) -> Act:
    """Answer with a web page, as a captive portal or a maintenance page does."""
    body = b"<!doctype html><html><body><h1>We'll be back</h1></body></html>"
    return lambda _request, _forward: Reply(status, (("Content-Type", "text/html"),), body)


def redirect(location: str, status: int = 302) -> Act:
    """Send the client elsewhere."""
    return lambda _request, _forward: Reply(status, (("Location", location),))


def edit_json(change: Callable[[Any], Any]) -> Act:
    """Replace the CA's JSON by what `change` makes of it (another value, or the same one changed)."""

    def act(_request: Request, forward: Forward) -> Reply:
        reply = forward()
        return replace(reply, body=json.dumps(change(json.loads(reply.body))).encode())

    return act


def set_fields(**fields: object) -> Act:
    """Replace top-level fields of the CA's JSON."""
    return edit_json(lambda value: {**value, **fields})


def set_tokens(token: str) -> Act:
    """Replace the token of every challenge in an authorization."""

    def change(value: Any) -> Any:  # noqa: ANN401  JSON may be anything
        for challenge in value.get("challenges", [value]):
            if "token" in challenge:
                challenge["token"] = token
        return value

    return edit_json(change)


def set_body(body: bytes) -> Act:
    """Let the CA execute the request, keep its headers, replace the body; a refusal (of a nonce) goes through."""

    def act(_request: Request, forward: Forward) -> Reply:
        reply = forward()
        return replace(reply, body=body) if reply.status < 400 else reply

    return act


def set_header(name: str, value: str | None) -> Act:
    """Set a header of the CA's answer (`Date`, `Replay-Nonce`, `Location`, `Retry-After`), or remove it with None."""
    return lambda _request, forward: forward().with_header(name, value)


def oversize(size: int) -> Act:
    """Answer with a JSON text of at least `size` bytes."""
    body = b'{"x":"' + b"a" * size + b'"}'
    return lambda _request, _forward: Reply(200, (("Content-Type", "application/json"),), body)


def drip(size: int = 1, pause: float = 0.1) -> Act:
    """Pass the answer on in pieces of `size` bytes, `pause` seconds between."""
    return lambda _request, forward: replace(forward(), drip=(size, pause))


def gzip(_request: Request, forward: Forward) -> Reply:
    """Compress the answer, asked for or not."""
    reply = forward()
    return replace(reply, body=_gzip.compress(reply.body)).with_header("Content-Encoding", "gzip")


def gzip_bomb(size: int) -> Act:
    """Answer with a small body that unpacks to `size` bytes."""
    packed = _gzip.compress(b" " * size)
    headers = (("Content-Type", "application/json"), ("Content-Encoding", "gzip"))
    return lambda _request, _forward: Reply(200, headers, packed)
