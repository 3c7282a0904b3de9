"""The environment as far as it is obeyed: what could change our libraries or our children is taken out first.

Asked for by ourselves are `CERTWRIGHT_*`, `_CERTWRIGHT_COMPLETE` and its like (completion), `NO_COLOR`, what names the
terminal, and TMPDIR, where the report of a bug is kept; besides whatever name a person gives as that of a secret
(`--passphrase-env`, `env:` in a manifest). Nothing but `os` and `sys` is imported here.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping

# OPENSSL_CONF runs code at `import ssl`; SSL_CERT_FILE, *_CA_BUNDLE and *_PROXY decide whom a client believes and asks;
# SSLKEYLOGFILE writes session keys to a file; NETRC sends passwords
_PREFIXES = ("OPENSSL_", "SSL", "PYTHON", "GIT_", "LD_")
_SUFFIXES = ("_CA_BUNDLE", "_PROXY")
_NAMES = frozenset({"NETRC"})


def scrub(environment: MutableMapping[str, str] = os.environ) -> None:
    """Take out every variable that could steer what we or our children load, trust or ask."""
    _unlink(environment.get("PYTHONPATH", ""))
    for name in [name for name in environment if _is_hostile(name.upper())]:
        del environment[name]


def _is_hostile(name: str) -> bool:
    return name.startswith(_PREFIXES) or name.endswith(_SUFFIXES) or name in _NAMES


def _unlink(python_path: str) -> None:
    """Take what PYTHONPATH added off the import path, except the directory that we ourselves come from."""
    ours = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120  no pathlib yet
    for entry in filter(None, python_path.split(os.pathsep)):
        path = os.path.abspath(entry)  # noqa: PTH100  the same
        if path != ours:
            sys.path[:] = [known for known in sys.path if os.path.abspath(known) != path]  # noqa: PTH100  the same
