"""Names: of hosts, of key types, of levels of trust. Text becomes one of these in `manifests` and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, order=True)
class Hostname:
    """A DNS name as an A-label (lower case, no trailing dot, perhaps `*.` in front) or an IP address as text.

    `registered` is the registered domain by the public suffix list (`example.co.uk`), empty for addresses.
    """

    text: str
    registered: str = ""

    def __str__(self) -> str:
        """Give the name as it stands in a certificate."""
        return self.text

    @property
    def is_wildcard(self) -> bool:
        """Tell whether the left-most label is `*`."""
        return self.text.startswith("*.")

    @property
    def base(self) -> str:
        """Give the name without `*.`: the identifier whose authorization proves it (RFC 8555 section 7.1.3)."""
        return self.text.removeprefix("*.")

    @property
    def is_address(self) -> bool:
        """Tell whether this is an IP address (RFC 8738)."""
        return ":" in self.text or self.text.replace(".", "").isdigit()


def uncovered(wanted: Sequence[str], has: Sequence[str]) -> tuple[str, ...]:
    """Give the names that a certificate does not cover; `*.d` covers one label below d (RFC 9525 section 6.3)."""
    names = set(has)
    return tuple(name for name in wanted if name not in names and f"*.{name.partition('.')[2]}" not in names)


class KeyType(StrEnum):
    """Key algorithms that public CAs accept for certificates."""

    ECDSA_P256 = "ecdsa-p256"
    ECDSA_P384 = "ecdsa-p384"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"


class Trust(StrEnum):
    """Who believes an issuer; a lower one never replaces an unexpired certificate of a higher one."""

    PUBLIC = "public"
    PRIVATE = "private"
    TEST = "test"

    @property
    def rank(self) -> int:
        """Order them: 2 public, 1 private, 0 test."""
        return _RANKS[self]


_RANKS: Final = {Trust.PUBLIC: 2, Trust.PRIVATE: 1, Trust.TEST: 0}


class Switch(StrEnum):
    """The three-way switch of every check."""

    ENFORCE = "enforce"
    WARN = "warn"
    OFF = "off"


class Part(StrEnum):
    """What a file that we install holds. All but `config` and `task` are material of a revision.

    A `task` is no file: it is what a command is given, and its path only names it.
    """

    CONFIG = "config"
    KEY = "key"
    CERTIFICATE = "certificate"
    CHAIN = "chain"
    FULLCHAIN = "fullchain"
    COMBINED = "combined"
    TASK = "task"

    @property
    def is_secret(self) -> bool:
        """Tell whether the private key is in it."""
        return self in (Part.KEY, Part.COMBINED)
