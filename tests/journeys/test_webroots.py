"""What the user's port 80 includes serves the webroot of a declared method: nothing else is pasted anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.journeys.street import Street


def test_a_declared_webroot_is_served_by_what_is_included(street: Street) -> None:
    """As on a first day: the lines are pasted, not yet loaded, and `apply` does the rest against a real CA."""
    ours = street.stage.root / "ours"
    street.web.configure(
        f"server {{ listen 127.0.0.1:{street.http_port}; include {ours}/http-01.conf; }}\n"
        f"server {{ listen 127.0.0.1:{street.tls_port} ssl; server_name one.example.com; include {ours}/one.conf; }}"
    )
    street.write(street.site("one"), target={"layout": "snippet", "configDirectory": str(ours)})
    street.stage.settle()
    street.assert_served("one")
    assert f"root {street.webroot};" in (ours / "http-01.conf").read_text()
    assert not list(street.webroot.rglob("acme-challenge/*")), "no answer is left"
