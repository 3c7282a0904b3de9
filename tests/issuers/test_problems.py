from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import CertwrightError, Failed, Stalled, Transient, Waiting
from reconciler.issuers.acme.problems import Refused, failure_of, problem_from, problem_of, raise_for, retry_after
from reconciler.issuers.acme.transport import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
URN = "urn:ietf:params:acme:error:"


def _answer(status: int = 400, body: bytes = b"{}", kind: str = "application/problem+json", **headers: str) -> Answer:
    found = {name.replace("_", "-"): (value,) for name, value in headers.items()}
    return Answer(status, found, body, "https://ca.test/x", kind)


@pytest.fixture(name="berlin")
def _berlin() -> Iterator[None]:
    former = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    if former is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = former
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        (format_datetime(NOW + timedelta(seconds=120), usegmt=True), 120),
        (format_datetime((NOW + timedelta(seconds=120)).astimezone(timezone(timedelta(hours=5)))), 120),
        ("Mon, 23 Nov 2026 12:02:00", 120),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0),
        ("99999999999", 8 * 86400),
        ("Mon, 23 Nov 2099 12:00:00 GMT", 8 * 86400),
        ("Fri, 31 Dec 9999 23:59:59 -0100", 8 * 86400),
        ("Mon, 01 Jan 0001 00:00:00 +0100", 0),
    ],
)
def test_retry_after_is_right_in_every_zone(value: str, seconds: int) -> None:
    assert retry_after(_answer(retry_after=value), NOW) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "soon", "-5", "1.5", "١٢٠", "x" * 1000])
def test_what_is_no_time_is_none(value: str) -> None:
    assert retry_after(_answer(retry_after=value), NOW) is None


@given(st.text(max_size=80))
def test_no_header_breaks_the_reading(value: str) -> None:
    found = retry_after(_answer(retry_after=value), NOW)
    assert found is None or NOW <= found <= NOW + timedelta(days=8)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.dictionaries(st.sampled_from(["type", "detail", "status", "subproblems", "identifier", "value"]), inner)
            | st.lists(inner)
        ),
    )
)
def test_any_document_is_a_problem(value: Any) -> None:  # noqa: ANN401
    document = value if isinstance(value, dict) else {"subproblems": value}
    problem = problem_from(document, status=400)
    assert isinstance(failure_of(problem), CertwrightError)
    assert problem.sentence().isprintable()
    assert len(problem.sentence()) <= 500


@pytest.mark.parametrize("detail", ["", " ", "\xa0", "\u3000\u2003"])
def test_a_ca_without_a_word_is_told_by_its_status(detail: str) -> None:
    assert problem_from({"detail": detail}, status=400).sentence() == "HTTP status 400"


def test_subproblems_name_the_host() -> None:
    document = {
        "type": f"{URN}compound",
        "detail": "several",
        "subproblems": [
            {"type": f"{URN}caa", "detail": "CAA forbids\x1b[31m", "identifier": {"type": "dns", "value": "b.test"}}
        ],
    }
    failure = failure_of(problem_from(document, status=403))

    assert isinstance(failure, Failed)
    assert failure.hostname == "b.test"
    assert failure.type == f"{URN}compound"
    assert "CAA forbids\\x1b[31m" in str(failure)


def test_a_page_of_help_is_told_only_if_it_is_https() -> None:
    good = problem_of(_answer(link='<https://ca.test/help>;rel="help"'), NOW)
    bad = problem_of(_answer(link='<javascript:alert(1)>;rel="help"'), NOW)

    assert (good.help, bad.help) == ("https://ca.test/help", None)


@pytest.mark.parametrize(
    ("status", "document", "after", "kind", "reason"),
    [
        (429, f'{{"type": "{URN}rateLimited", "detail": "x"}}', "60", Waiting, "RateLimited"),
        (429, "<html>", "60", Waiting, "RateLimited"),
        (429, "<html>", "", Failed, "CaUnavailable"),
        (429, f'{{"type": "{URN}rateLimited", "detail": "too many orders"}}', "", Failed, "CaUnavailable"),
        (429, f'{{"type": "{URN}rateLimited", "detail": "visit https://u.test/?jwt=x."}}', "", Stalled, "Paused"),
        (403, f'{{"type": "{URN}userActionRequired"}}', "", Stalled, "UserActionRequired"),
        (400, f'{{"type": "{URN}accountDoesNotExist"}}', "", Stalled, "AccountMissing"),
        (403, f'{{"type": "{URN}externalAccountRequired"}}', "", Stalled, "ExternalAccount"),
        (409, f'{{"type": "{URN}alreadyReplaced"}}', "", Failed, "CaRefused"),
        (404, "nothing", "", Failed, "CaRefused"),
    ],
)
def test_what_follows_from_a_refusal(
    status: int, document: str, after: str, kind: type[CertwrightError], reason: str
) -> None:
    with pytest.raises(Refused) as caught:
        raise_for(_answer(status, document.encode(), retry_after=after), NOW)

    failure = failure_of(caught.value.problem)

    assert isinstance(failure, kind)
    assert getattr(failure, "reason", None) == reason
    bare = not document.startswith("{")
    assert str(failure).startswith(f"{caught.value.problem.url} answered {status}: ") is bare


def test_5xx_may_heal() -> None:
    with pytest.raises(Transient) as caught:
        raise_for(_answer(503, b"<html>", "text/html", retry_after="7"), NOW)

    assert caught.value.retry_after == 7
