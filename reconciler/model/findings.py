"""What a look from outside in found: a fault, and what mends it."""

from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.names import Switch


class Check(StrEnum):
    """What was looked at."""

    EMAIL = "email"
    SERVER = "server"
    RESOLVER = "resolver"
    NAME = "name"
    CAA = "caa"
    DNSSEC = "dnssec"
    PORT = "port"
    CHALLENGE = "challenge"
    IMPORT = "import"
    STATE = "state"
    TARGET = "target"
    COMMAND = "command"
    REHEARSAL = "rehearsal"


class Severity(StrEnum):
    """How bad it is: `error` keeps a certificate away (or its switch says `enforce`), `warning` may."""

    ERROR = "error"
    WARNING = "warning"

    @classmethod
    def of(cls, mode: Switch) -> "Severity":
        """Give what a three-way switch makes of a fault."""
        return cls.ERROR if mode is Switch.ENFORCE else cls.WARNING


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. `subject` is a hostname, a path, an address; `mend` a command, a record or a line to write."""

    check: Check
    severity: Severity
    subject: str
    seen: str
    expected: str
    mend: str
    site: str | None = None
