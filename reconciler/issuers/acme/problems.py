"""A CA's refusals (RFC 7807, RFC 8555 section 6.7) and what follows from each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import CertwrightError, Failed, Stalled, Transient, Waiting
from reconciler.issuers.acme.times import http_time, in_utc
from reconciler.model.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from reconciler.issuers.acme.transport import Answer

_PREFIX: Final = "urn:ietf:params:acme:error:"
_NOT_THE_ORDER: Final = frozenset({"rateLimited", "accountDoesNotExist", "userActionRequired"})
_ABOUT_NAMES: Final = frozenset({"rejectedIdentifier", "unsupportedIdentifier", "caa", "dns"})
_SERVER_ERRORS: Final = range(500, 600)
_TOO_MANY: Final = 429
_LONGEST: Final = timedelta(days=8)
_MOST_SUBPROBLEMS: Final = 100
_LINK: Final = re.compile(r"<(https://[\x21-\x3d\x3f-\x7e]{1,500})>\s*;[^,<]*\brel=\"?help\"?", re.ASCII)
_VISIT: Final = re.compile(r"https://[\x21-\x7e]{1,900}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Subproblem:
    """What is wrong with one name of an order (RFC 8555 section 6.7.1). Texts are cleaned."""

    hostname: str | None
    type: str
    detail: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document, cleaned. `type` is the whole URN, empty if there was no document; `retry_after` in UTC."""

    status: int
    type: str
    detail: str
    subproblems: tuple[Subproblem, ...] = ()
    retry_after: datetime | None = None
    help: str | None = None
    visit: str | None = None
    url: str = ""

    @property
    def code(self) -> str:
        """Give the last part of an ACME problem's type (`badNonce`), the whole type of any other."""
        return self.type.removeprefix(_PREFIX)

    @property
    def of_the_order(self) -> bool:
        """Tell whether this says something about the thing asked for, and not about us or the moment."""
        return self.status != _TOO_MANY and self.code not in _NOT_THE_ORDER

    def sentence(self) -> str:
        """Say it for a person, with what the CA says of single names and its own page of help."""
        parts = [self.detail if self.detail.strip() else f"HTTP status {self.status}"]
        parts += [f"{sub.hostname or 'a name'}: {sub.detail}" for sub in self.subproblems[:3] if sub.detail]
        if self.help is not None:
            parts.append(f"see {self.help}")
        return clean("; ".join(parts), 500)


class Refused(CertwrightError):
    """A CA's refusal on its way to the place that knows what it means."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.sentence())


def problem_of(answer: Answer, now: datetime) -> Problem:
    """Read the refusal in an answer of status 400 or more; one without a problem document still has its status."""
    document: dict[str, Any] = {}
    if answer.kind in {"application/problem+json", "application/json"}:
        try:
            document = answer.json()
        except Failed:
            document = {}
    kind = clean(answer.kind or "no content", 60)
    detail = _text(document, "detail", 500) or f"HTTP status {answer.status} with {kind}"
    links = ",".join(answer.headers.get("link", ()))
    help_page = _LINK.search(links[:4096])
    return problem_from(
        document,
        status=answer.status,
        detail=detail,
        retry_after=retry_after(answer, now),
        help_page=help_page.group(1) if help_page else None,
        url=answer.url,
    )


def problem_from(
    document: dict[str, Any],
    *,
    status: int = 0,
    detail: str = "",
    retry_after: datetime | None = None,
    help_page: str | None = None,
    url: str = "",
) -> Problem:
    """Read a problem document, also one inside an order or a challenge."""
    raw = document.get("detail")
    visit = _VISIT.search(raw[:4096]) if isinstance(raw, str) else None
    found = document.get("subproblems")
    inner = [item for item in found[:_MOST_SUBPROBLEMS] if isinstance(item, dict)] if isinstance(found, list) else []
    number = document.get("status")
    return Problem(
        status=status or (number if isinstance(number, int) else 0),
        type=_text(document, "type", 200),
        detail=detail or _text(document, "detail", 500),
        subproblems=tuple(_subproblem(item) for item in inner),
        retry_after=retry_after,
        help=help_page,
        visit=visit.group().rstrip(".,;)\"'") if visit else None,
        url=clean(url, 200),
    )


def retry_after(answer: Answer, now: datetime) -> datetime | None:
    """Read Retry-After (RFC 9110 section 10.2.3), seconds or a date, as UTC from now to eight days ahead."""
    value = (answer.header("retry-after") or "").strip()
    if not value or len(value) > 64:  # noqa: PLR2004  no date is longer
        return None
    if value.isdecimal() and value.isascii():
        return now + min(timedelta(seconds=int(value[:9])), _LONGEST)
    date = http_time(value)
    # a date without a zone is UTC by RFC 9110 section 5.6.7, wherever this machine stands
    return None if date is None else min(max(in_utc(date), now), now + _LONGEST)


def raise_for(answer: Answer, now: datetime) -> None:
    """Raise Transient for what the next seconds may heal, Refused for other refusals; nothing for a good answer."""
    if answer.status < 400:  # noqa: PLR2004  RFC 9110 section 15
        return
    problem = problem_of(answer, now)
    if answer.status in _SERVER_ERRORS:
        wish = None if problem.retry_after is None else (problem.retry_after - now).total_seconds()
        raise Transient(f"{problem.url} answered {answer.status}: {problem.sentence()}", wish)
    raise Refused(problem)


def failure_of(problem: Problem) -> CertwrightError:
    """Say what follows from a refusal that nobody on the way knew better."""
    text = problem.sentence()
    if problem.url and not problem.type:  # no words of an ACME server's: whoever answered, it was asked there
        text = f"{problem.url} answered {problem.status}: {text}"
    if problem.code == "rateLimited" or problem.status == _TOO_MANY:
        return _limited(problem, text)
    match problem.code:
        case "userActionRequired":
            page = problem.visit or problem.help or "the CA's page"
            return Stalled("UserActionRequired", text, f"a person has done what {page} asks for")
        case "accountDoesNotExist":
            message = f"the CA does not know our account: {text}"
            return Stalled("AccountMissing", message, "the account's key is restored, or another account is named")
        case "externalAccountRequired":
            return Stalled("ExternalAccount", text, "the Issuer declares eab")
        case _:
            hostname = next((sub.hostname for sub in problem.subproblems if sub.hostname), None)
            kind = problem.type or None
            return Failed(
                "CaRefused", text, blame="ca", hostname=hostname, type=kind, url=problem.url, until=problem.retry_after
            )


def of_names(problem: Problem, hostnames: Sequence[str]) -> tuple[str, ...]:
    """Give those of our names that a refusal is about: by its subproblems, else by being named in its detail.

    No consequence hangs on the text but which names are tried again by themselves.
    """
    told = {sub.hostname for sub in problem.subproblems if sub.hostname}
    if not told and problem.code in _ABOUT_NAMES:
        told = {word.strip("\"'[](),.;:") for word in problem.detail.split()}
    return tuple(name for name in hostnames if name in told or name.removeprefix("*.") in told)


def named(problem: Problem, hostname: str, reason: str, *, url: str | None = None) -> Failed:
    """Give the failure of one name of an order."""
    own = next((sub for sub in problem.subproblems if sub.hostname in {hostname, hostname.removeprefix("*.")}), None)
    words = own.detail if own is not None and own.detail else problem.sentence()
    kind = (own.type if own is not None else "") or problem.type or None
    place = url or problem.url or None
    text = f"{hostname}: {words}"
    return Failed(reason, text, blame="ca", hostname=hostname, type=kind, url=place, until=problem.retry_after)


def unavailable(failure: Transient, now: datetime) -> Failed:
    """Say that a CA gave no answer although it was asked several times."""
    until = now + timedelta(seconds=failure.retry_after) if failure.retry_after else None
    return Failed("CaUnavailable", str(failure), blame="ca", until=until)


def _limited(problem: Problem, text: str) -> CertwrightError:
    """Tell an ordinary limit from a paused account: same type, but a pause has no end and a page to visit.

    Of a limit that has neither, nobody knows the end: it is asked again as what the CA cannot do now.
    """
    if problem.retry_after is not None:
        return Waiting("RateLimited", text, problem.retry_after)
    if problem.code == "rateLimited" and problem.visit is not None:
        page = problem.visit
        return Stalled("Paused", f"{text} ({page})" if page not in text else text, f"a person has visited {page}")
    return Failed("CaUnavailable", text, blame="ca", type=problem.type or None, url=problem.url)


def _subproblem(item: dict[str, Any]) -> Subproblem:
    identifier = item.get("identifier")
    name = identifier.get("value") if isinstance(identifier, dict) else None
    hostname = clean(name, 253) if isinstance(name, str) else None
    return Subproblem(hostname, _text(item, "type", 200), _text(item, "detail", 300))


def _text(document: dict[str, Any], key: str, limit: int) -> str:
    value = document.get(key)
    return clean(value, limit) if isinstance(value, str) else ""
