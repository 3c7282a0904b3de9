"""`describe target` prints what goes into a mail server's own configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.program import Program


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("dovecot", "!include_try /etc/dovecot/certwright.d/*.conf"),
        ("postfix", "tls_server_sni_maps = hash:/etc/postfix/certwright.d/sni"),
    ],
)
def test_the_lines_to_paste_are_printed(program: Program, name: str, line: str) -> None:
    assert line in program("describe", "target", name).stdout
