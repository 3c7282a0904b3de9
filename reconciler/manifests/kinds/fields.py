"""The types of single fields: text becomes a value, or a ValueError says in one sentence what was expected.

Every pattern is matched whole and in ASCII, since these values go on into paths, commands and server configuration.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from reconciler.manifests.text.rawtext import shown

if TYPE_CHECKING:
    from collections.abc import Callable

_DURATION: Final = re.compile(r"([0-9]{1,9})([smhd])", re.ASCII)
_SECONDS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_LONGEST: Final = timedelta(days=36500)
_SHARE: Final = re.compile(r"([0-9]{1,2})%", re.ASCII)
_SHARES: Final = range(1, 91)
_MODE: Final = re.compile(r"0[0-7]{3}", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*", re.ASCII)
_EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*", re.ASCII)
_ACCOUNT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}", re.ASCII)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_PROFILE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]+", re.ASCII)
NAME_LIMIT: Final = 200
_NAME_PATTERN: Final = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
_EMAIL_LIMIT: Final = 254


@dataclass(frozen=True, slots=True)
class Share:
    """A share of a certificate's own lifetime, in percent, 1 to 90."""

    percent: int


class Misfit(ValueError):
    """A value does not fit; `at` is the key or position inside it that is to blame."""

    def __init__(self, message: str, at: str | int) -> None:
        """Keep the position beside the sentence."""
        self.at = at
        super().__init__(message)


def need_text(value: object, wanted: str) -> str:
    """Give the text; ValueError that says what was `wanted` and, for a bare number or word, to put it in quotes."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        raise ValueError(f"{shown(value)} is {described(value)} to YAML; {wanted} is expected: put it in quotes")  # noqa: TRY004  pydantic wants it
    raise ValueError(f"{wanted} is expected here, not {described(value)}")


def described(value: object) -> str:
    """Name the shape of a value, never what it holds."""
    if value is None:
        return "nothing"
    names = {
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a mapping",
    }
    return names.get(type(value), "something else")


def _refuse(value: str, wanted: str) -> ValueError:
    return ValueError(f"{shown(value)} is not {wanted}")


def parse_duration(value: object) -> timedelta:
    """Read `90s`, `2m`, `6h`, `10d`."""
    if isinstance(value, timedelta):
        return value
    wanted = "a duration such as 90s, 2m, 6h or 10d"
    if type(value) is int:
        raise ValueError(f"`{value}` has no unit: write {value}s, {value}m, {value}h or {value}d")
    text = need_text(value, wanted)
    found = _DURATION.fullmatch(text)
    if found is None:
        raise _refuse(text, wanted)
    duration = timedelta(seconds=min(int(found[1]) * _SECONDS[found[2]], 10**10))
    if duration > _LONGEST:
        raise ValueError(f"`{text}` is longer than a hundred years")
    return duration


def duration_text(value: timedelta) -> str:
    """Write a duration in the largest unit that fits."""
    seconds = int(value.total_seconds())
    unit = next(unit for unit, size in _SECONDS.items() if seconds % size == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


def _parse_positive(value: object) -> timedelta:
    duration = parse_duration(value)
    if not duration:
        raise ValueError("more than 0 is expected here")
    return duration


def parse_lookahead(value: object) -> Share | timedelta:
    """Read a share of the lifetime (`33%`) or a duration."""
    if isinstance(value, Share | timedelta):
        return value
    wanted = "a share such as 33%, or a duration such as 10d"
    if type(value) is int:
        raise ValueError(f"`{value}` has no unit: write {value}% or {value}d")
    text = need_text(value, wanted)
    found = _SHARE.fullmatch(text)
    if found is None and text.endswith("%"):
        raise _refuse(text, "a share from 1% to 90%")
    if found is None:
        return _parse_positive(text) if _DURATION.fullmatch(text) else _raise(_refuse(text, wanted))
    if int(found[1]) not in _SHARES:
        raise _refuse(text, "a share from 1% to 90%")
    return Share(int(found[1]))


def _raise(error: ValueError) -> Any:  # noqa: ANN401  it gives nothing back
    raise error


def lookahead_text(value: Share | timedelta) -> str:
    """Write a share or a duration."""
    return f"{value.percent}%" if isinstance(value, Share) else duration_text(value)


def parse_mode(value: object) -> int:
    """Read a file mode: quoted octal text within 0777."""
    if type(value) is int:
        octal = f"0{value}"
        example = octal if _MODE.fullmatch(octal) else "0600"
        raise ValueError(f'a mode without quotes is read as a number: write "{example}"')
    wanted = 'a file mode such as "0600", at most "0777"'
    text = need_text(value, wanted)
    if not _MODE.fullmatch(text):
        raise _refuse(text, wanted)
    return int(text, 8)


def parse_instant(value: object) -> datetime:
    """Read an RFC 3339 time, or a date, which means its first second in UTC."""
    wanted = "a time such as 2026-05-01T12:00:00Z or a date such as 2026-05-01"
    text = need_text(value, wanted)
    try:
        if not text.isascii():
            raise ValueError  # noqa: TRY301  one message for all
        instant = datetime.fromisoformat(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _refuse(text, wanted) from None


def instant_text(value: datetime) -> str:
    """Write a time as RFC 3339 in UTC."""
    return value.isoformat().replace("+00:00", "Z")


def is_name(text: str) -> bool:
    """Tell whether an object can have this name."""
    return len(text) <= NAME_LIMIT and _NAME.fullmatch(text) is not None


def parse_name(value: object) -> str:
    """Read an object's name: an RFC 1123 subdomain of at most 200 characters."""
    text = need_text(value, "a name")
    if len(text) > NAME_LIMIT:
        raise ValueError(f"a name has at most {NAME_LIMIT} characters, this one {len(text)}")
    if not is_name(text):
        raise _refuse(text, "a name: small letters, digits, `-` and `.`, a letter or digit at each end of each part")
    return text


def parse_hostname_field(value: object) -> str:
    """Check a hostname's form and give it as it was written; what its issuer demands is checked by `resolve`."""
    from reconciler.doors.hostnames import parse_hostname

    text = need_text(value, "a hostname")
    parse_hostname(text, public=False)
    return text


def parse_machine(value: object) -> str:
    """Read a machine's own hostname, which may be a single label."""
    text = need_text(value, "a hostname").lower().removesuffix(".")
    if not _NAME.fullmatch(text) or len(text) > 253:  # noqa: PLR2004  RFC 1035 section 2.3.4
        raise _refuse(text, "a machine's hostname")
    return text


def parse_email(value: object) -> str:
    """Read a mail address."""
    text = need_text(value, "a mail address")
    if text.startswith("mailto:"):
        raise ValueError("the mail address alone is expected here, without `mailto:`")
    if len(text) > _EMAIL_LIMIT or not _EMAIL.fullmatch(text):
        raise _refuse(text, "a mail address such as ops@example.com")
    return text


def _pattern(pattern: re.Pattern[str], wanted: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        text = need_text(value, wanted)
        if not pattern.fullmatch(text):
            raise _refuse(text, wanted)
        return text

    return parse


def bounded_text(limit: int, *, lines: bool = False) -> Callable[[object], str]:
    """Make a parser for printable text of 1 to `limit` characters; with `lines`, newlines and tabs too."""

    def parse(value: object) -> str:
        text = need_text(value, "a text")
        if not text or len(text) > limit:
            raise ValueError(f"a text of 1 to {limit} characters is expected here, this one has {len(text)}")
        if not all(char.isprintable() or (lines and char in "\n\t") for char in text):
            raise ValueError("this text holds a control character" + ("" if lines else " or a line break"))
        return text

    return parse


def text_schema(name: str, **more: Any) -> WithJsonSchema:  # noqa: ANN401  JSON Schema keywords
    """Give the schema of a field that is written as text; `name` is what a person calls it."""
    return WithJsonSchema({"type": "string", "title": name, **more})


Duration = Annotated[
    timedelta, PlainValidator(parse_duration), PlainSerializer(duration_text),
    text_schema("duration: 90s, 2m, 6h or 10d", pattern="^[0-9]{1,9}[smhd]$"),
]  # fmt: skip
PositiveDuration = Annotated[
    timedelta, PlainValidator(_parse_positive), PlainSerializer(duration_text),
    text_schema("duration: 90s, 2m, 6h or 10d, more than 0", pattern="^0*[1-9][0-9]{0,8}[smhd]$"),
]  # fmt: skip
Lookahead = Annotated[
    Share | timedelta, PlainValidator(parse_lookahead), PlainSerializer(lookahead_text),
    text_schema("share (1% to 90%) or duration (10d)", pattern="^([1-9]|[1-8][0-9]|90)%$|^0*[1-9][0-9]{0,8}[smhd]$"),
]  # fmt: skip
FileMode = Annotated[
    int, PlainValidator(parse_mode), PlainSerializer(lambda mode: f"{mode:04o}"),
    text_schema('file mode in quotes: "0600"', pattern="^0[0-7]{3}$"),
]  # fmt: skip
Instant = Annotated[
    datetime, PlainValidator(parse_instant), PlainSerializer(instant_text),
    text_schema("time: 2026-05-01T12:00:00Z, or a date"),
]  # fmt: skip
Name = Annotated[
    str, PlainValidator(parse_name),
    text_schema("name: small letters, digits, - and .", maxLength=NAME_LIMIT, pattern=_NAME_PATTERN),
]  # fmt: skip
HostnameText = Annotated[
    str, PlainValidator(parse_hostname_field), text_schema("hostname", minLength=1, maxLength=1000)
]
MachineName = Annotated[
    str, PlainValidator(parse_machine), text_schema("hostname of a machine", minLength=1, maxLength=254)
]
Email = Annotated[
    str, PlainValidator(parse_email), text_schema("mail address", pattern="^[^@ ]+@[^@ ]+$", maxLength=254)
]
UserName = Annotated[
    str,
    PlainValidator(_pattern(_ACCOUNT, "a user's or group's name")),
    text_schema("name of a user or group", maxLength=32),
]
Variable = Annotated[
    str, PlainValidator(_pattern(_VARIABLE, "an environment variable's name")), text_schema("environment variable")
]
Profile = Annotated[
    str, PlainValidator(_pattern(_PROFILE, "the name of a profile")), text_schema("profile", maxLength=64)
]
KeyId = Annotated[
    str,
    BeforeValidator(bounded_text(256)),
    PlainValidator(_pattern(_PRINTABLE, "an ASCII text")),
    text_schema("key identifier"),
]
Line = Annotated[str, PlainValidator(bounded_text(200)), text_schema("text", minLength=1, maxLength=200)]
Flag = Annotated[bool, Field(strict=True)]
