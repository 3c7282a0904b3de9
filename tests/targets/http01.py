"""A webroot with a token and traps, and a client that looks for both."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

OTHER = "another-token_of-a-declared-method"
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"


def make_webroot(root: Path) -> Path:
    """Make a webroot: one token, and files that nobody shall see."""
    directory = root / "webroot" / ".well-known" / "acme-challenge"
    directory.mkdir(parents=True)
    (directory / TOKEN).write_text("the answer")
    (directory / "not.a.token").write_text("secret")
    (directory / "sub").mkdir()
    (directory / "sub" / TOKEN).write_text("secret")
    (root / "webroot" / "outside").write_text("secret")
    return root / "webroot"


def make_another(root: Path) -> Path:
    """Make the webroot of a method that the tree declares, with a token of its own."""
    directory = root / "another" / ".well-known" / "acme-challenge"
    directory.mkdir(parents=True)
    (directory / OTHER).write_text("another answer")
    (directory / "not.a.token").write_text("secret")
    return root / "another"


def get(port: int, path: str, host: str = "a.example") -> tuple[int, str, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest("GET", path, skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        return (
            answer.status,
            answer.read().decode(),
            answer.headers.get_content_type(),
            answer.headers.get("Location", ""),
        )
    finally:
        connection.close()


def check_tokens(port: int, *, another: bool = False) -> None:
    """See that tokens are served, of a further webroot too, and nothing else."""
    base = "/.well-known/acme-challenge"
    assert get(port, f"{base}/{TOKEN}")[:3] == (200, "the answer", "text/plain")
    if another:
        assert get(port, f"{base}/{OTHER}")[:3] == (200, "another answer", "text/plain")
    for path in ("", "/", "/none", "/not.a.token", f"/sub/{TOKEN}", f"/{TOKEN}/", f"/{TOKEN}.x", "/sub"):
        status, body, _, _ = get(port, base + path)
        assert "secret" not in body
        assert status == 404 or (path == "" and status in {301, 302, 403}), path  # without a slash it is the user's
    assert get(port, f"{base}/../../outside")[0] != 200
    assert get(port, f"{base}/%2e%2e/%2e%2e/outside")[0] != 200
