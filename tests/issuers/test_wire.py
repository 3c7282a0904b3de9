"""Answers as bytes: what is HTTP/1.1 is read as the standard library reads it, all else is malformed."""

from __future__ import annotations

import http.client
import io
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.issuers.acme.wire import MalformedError, TooLargeError, lines, read_answer, request

LIMIT = 1000
HEAD = b"HTTP/1.1 200 OK\r\n"
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True).filter(
    lambda name: name.lower() not in {"transfer-encoding", "content-length", "connection", "keep-alive"}
)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40)


class _Socket:
    """As much of a socket as the standard library's response asks for."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


def _stream(raw: bytes) -> io.BufferedReader:
    return io.BufferedReader(cast("io.RawIOBase", io.BytesIO(raw)))


def _framed(body: bytes, framing: str, cut: int) -> bytes:
    if framing == "length":
        return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    if framing == "close":
        return b"Connection: close\r\n\r\n" + body
    parts = [part for part in (body[:cut], body[cut:]) if part]
    chunks = b"".join(b"%x;note=1\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nTrailer: x\r\n\r\n"


@given(
    st.sampled_from([200, 201, 400, 503]),
    st.lists(st.tuples(NAMES, VALUES), max_size=5),
    st.binary(max_size=200),
    st.sampled_from(["length", "close", "chunked"]),
    st.integers(0, 200),
    st.booleans(),
)
def test_it_reads_what_the_standard_library_reads(
    status: int,
    headers: list[tuple[str, str]],
    body: bytes,
    framing: str,
    cut: int,
    interim: bool,  # noqa: FBT001  drawn
) -> None:
    said = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
    raw = b"HTTP/1.1 100 Continue\r\n\r\n" * interim + b"HTTP/1.1 %d Text\r\n%s" % (status, said)
    raw += _framed(body, framing, cut)
    theirs = http.client.HTTPResponse(cast("http.client.socket", _Socket(raw)))  # type: ignore[name-defined]
    theirs.begin()

    ours = read_answer(_stream(raw), "POST", LIMIT)

    assert (ours.status, ours.body) == (theirs.status, theirs.read()) == (status, body)
    for name, _ in headers:
        assert list(ours.headers[name.lower()]) == [value.strip() for value in theirs.headers.get_all(name, [])]
    assert ours.keep == (framing != "close")


@given(
    st.binary(max_size=300),
    st.sampled_from([b"", HEAD, HEAD + b"A: b\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]),
)
def test_rubbish_is_an_answer_or_malformed(raw: bytes, before: bytes) -> None:
    try:
        answer = read_answer(_stream(before + raw), "GET", LIMIT)
    except (MalformedError, TooLargeError):
        return
    assert len(answer.body) <= LIMIT


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-x\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b"A : b\r\n\r\n",
        HEAD + b" folded: x\r\n\r\n",
        HEAD + b"A: " + b"x" * 9000 + b"\r\n\r\n",
        HEAD + b"A: b\r\n" * 101 + b"\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        HEAD + b"Content-Length: 5\r\n\r\nab",
        HEAD + b"Transfer-Encoding: gzip\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + HEAD,
    ],
    ids=range(17),
)
def test_what_is_no_whole_answer_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        read_answer(_stream(raw), "GET", LIMIT)


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"Content-Length: 1001\r\n\r\n",
        HEAD + b"Content-Length: 999999999999\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1f4\r\n" * 1 + b"x" * 500 + b"\r\n1f5\r\n",
        HEAD + b"\r\n" + b"x" * 1001,
    ],
    ids=range(5),
)
def test_a_long_body_is_refused_before_it_is_kept(raw: bytes) -> None:
    with pytest.raises(TooLargeError):
        read_answer(_stream(raw), "GET", LIMIT)


def test_an_answer_with_two_ends_closes_the_connection() -> None:
    raw = HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n1\r\na\r\n0\r\n\r\n"
    answer = read_answer(_stream(raw), "GET", LIMIT)
    assert (answer.body, answer.keep) == (b"a", False)


def test_the_answer_to_head_has_no_body() -> None:
    stream = _stream(HEAD + b"Content-Length: 9\r\n\r\nHTTP/1.1 204 No\r\n\r\nHTTP/1.0 200 OK\r\n\r\nold")
    assert read_answer(stream, "HEAD", LIMIT).body == b""
    assert read_answer(stream, "GET", LIMIT).status == 204
    last = read_answer(stream, "GET", LIMIT)
    assert (last.body, last.keep) == (b"old", False)


def test_a_request_is_one_piece() -> None:
    head = lines({"Host": "ca.test", "User-Agent": "certwright/0"})
    assert request("POST", "/new?x=1", head, b"{}") == (
        b"POST /new?x=1 HTTP/1.1\r\nHost: ca.test\r\nUser-Agent: certwright/0\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert request("HEAD", "/n", head, None).endswith(b"certwright/0\r\n\r\n")
