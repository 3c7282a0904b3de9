"""The URL of an ACME directory, or a short name for one that is known."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from reconciler.manifests.kinds.fields import need_text
from reconciler.manifests.kinds.nearest import suggestion
from reconciler.manifests.text.rawtext import shown

DIRECTORIES: Final = {
    "actalis": "https://acme-api.actalis.com/acme/directory",
    "google": "https://dv.acme-v02.api.pki.goog/directory",
    "google-staging": "https://dv.acme-v02.test-api.pki.goog/directory",
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
    "zerossl": "https://acme.zerossl.com/v2/DV90",
}
"""Short names of directories of public CAs."""
TEST_DIRECTORIES: Final = frozenset({"google-staging", "letsencrypt-staging"})
"""Those whose certificates nobody trusts."""

_URL: Final = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&()*+,;=%-]{1,2000}", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}|[0-9A-Fa-f:.]+", re.ASCII)
_SCHEMES: Final = frozenset({"http", "https"})


def parse_directory(value: object) -> str:
    """Read a directory: an alias, or an absolute URL of http or https without user, password and fragment."""
    text = need_text(value, "the URL of an ACME directory, or a short name such as letsencrypt")
    if "/" not in text and ":" not in text:
        if text not in DIRECTORIES:
            raise ValueError(
                f"{shown(text)} is no known directory: {suggestion(text, DIRECTORIES)}; else write its https URL"
            )
        return text
    url = _split(text)
    if url is None or url.scheme not in _SCHEMES or not url.hostname or not _HOST.fullmatch(url.hostname):
        raise ValueError(f"{shown(text)} is not a URL such as https://ca.example.com/directory")
    if url.username is not None or url.password is not None:
        raise ValueError("a URL with a user or password in it is not taken; use `eab` for the CA's credentials")
    if url.fragment:
        raise ValueError("a URL with a `#` in it is not taken")
    return text


def parse_service(value: object) -> str:
    """Read the URL of a service that gets credentials: https, or http to this machine; no user, password, fragment."""
    text = need_text(value, "an https URL")
    url = _split(text)
    if url is None or url.scheme not in _SCHEMES or not url.hostname or not _HOST.fullmatch(url.hostname):
        raise ValueError(f"{shown(text)} is not a URL such as https://dns.example.com")
    if url.username is not None or url.password is not None or url.fragment or url.query:
        raise ValueError("a URL with a user, a password, a `?` or a `#` in it is not taken here")
    if is_plain_http(text) and not is_loopback(text):
        raise ValueError("credentials are sent there: write an https URL")
    return text


def _split(text: str) -> SplitResult | None:
    if not _URL.fullmatch(text.replace("#", "")):
        return None
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return None
    return url


def is_plain_http(directory: str) -> bool:
    """Tell whether the directory is spoken to without TLS."""
    return directory.lower().startswith("http://")


def is_loopback(directory: str) -> bool:
    """Tell whether the URL names this machine: a loopback address, or `localhost`."""
    host = urlsplit(directory).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.removesuffix(".") == "localhost"
