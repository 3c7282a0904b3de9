"""The shapes of a CA's answers (RFC 8555 section 7.1), read with suspicion: a value here was checked, or it failed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from reconciler.errors import Failed
from reconciler.issuers.acme.origin import misbehaves
from reconciler.issuers.acme.problems import Problem, problem_from
from reconciler.issuers.acme.times import in_utc
from reconciler.model.text import clean
from reconciler.model.tokens import is_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.issuers.acme.origin import Origin
    from reconciler.issuers.acme.transport import Answer

_ISSUER: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII)
_MOST_ISSUERS: Final = 10
_MOST_IDENTITIES: Final = 50
_PROFILE: Final = re.compile(r"[\x21-\x7e]{1,64}", re.ASCII)
_MOST_AUTHORIZATIONS: Final = 1000
_MOST_CHALLENGES: Final = 32
_ORDER_STATES: Final = frozenset({"pending", "ready", "processing", "valid", "invalid"})
_RESOURCES: Final = ("newNonce", "newAccount", "newOrder")


@dataclass(frozen=True, slots=True)
class Directory:
    """What a CA offers (section 7.1.1). `terms` is its URL as told, cleaned; `caa` the names that CAA knows it by."""

    new_nonce: str
    new_account: str
    new_order: str
    terms: str | None
    external_account_required: bool
    profiles: Mapping[str, str]
    caa: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the CA sees it (section 7.1.3)."""

    status: str
    authorizations: tuple[str, ...]
    finalize: str
    certificate: str | None
    expires: datetime | None
    error: Problem | None


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to prove a name (section 7.1.5). `token` was matched, or is None for types that have none.

    `issuers` are the names by which a standing record may call the CA (dns-persist-01 alone has them).
    """

    type: str
    url: str
    status: str
    token: str | None
    error: Problem | None
    issuers: tuple[str, ...] = ()

    @property
    def can_be_answered(self) -> bool:
        """Tell whether all is there that an answer needs: a token, or the CA's names."""
        return self.token is not None or bool(self.issuers)


@dataclass(frozen=True, slots=True)
class Authorization:
    """The proof of one name (section 7.1.4). `hostname` has `*.` in front where the CA says wildcard."""

    url: str
    status: str
    hostname: str
    challenges: tuple[Challenge, ...]
    expires: datetime | None = None

    @property
    def error(self) -> tuple[Challenge, Problem] | None:
        """Give the challenge that failed, with the CA's words."""
        return next(((one, one.error) for one in self.challenges if one.error is not None), None)


def read_directory(answer: Answer, origin: Origin) -> Directory:
    """Read the directory. Raises Failed(CaMisbehaves)."""
    value = answer.json()
    new_nonce, new_account, new_order = (_url(value, key, origin) for key in _RESOURCES)
    meta = value.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    profiles = meta.get("profiles")
    offered = profiles.items() if isinstance(profiles, dict) else ()
    terms = meta.get("termsOfService")
    return Directory(
        new_nonce,
        new_account,
        new_order,
        terms=clean(terms, 300) if isinstance(terms, str) and terms else None,
        external_account_required=meta.get("externalAccountRequired") is True,
        profiles={name: clean(str(text), 200) for name, text in offered if _PROFILE.fullmatch(name)},
        caa=_identities(meta.get("caaIdentities")),
    )


def read_order(answer: Answer, origin: Origin) -> Order:
    """Read an order. Raises Failed(CaMisbehaves)."""
    value = answer.json()
    listed = value.get("authorizations")
    if value.get("status") not in _ORDER_STATES or not isinstance(listed, list):
        raise misbehaves("the CA sent an order without a known status or without authorizations", answer.url)
    if not 1 <= len(listed) <= _MOST_AUTHORIZATIONS:
        raise misbehaves(f"the CA sent an order with {len(listed)} authorizations", answer.url)
    error = value.get("error")
    return Order(
        status=value["status"],
        authorizations=tuple(_checked(item, "authorizations", origin) for item in listed),
        finalize=_url(value, "finalize", origin),
        certificate=_url(value, "certificate", origin) if value.get("certificate") else None,
        expires=_time(value.get("expires")),
        error=problem_from(error, url=answer.url) if isinstance(error, dict) else None,
    )


def read_authorization(answer: Answer, origin: Origin) -> Authorization:
    """Read an authorization. Raises Failed: CaMisbehaves, BadToken."""
    value = answer.json()
    identifier = value.get("identifier")
    name = identifier.get("value") if isinstance(identifier, dict) else None
    challenges, status = value.get("challenges"), value.get("status")
    if not (isinstance(name, str) and isinstance(status, str) and isinstance(challenges, list)):
        raise misbehaves("the CA sent an authorization without identifier, status or challenges", answer.url)
    inner = [item for item in challenges[:_MOST_CHALLENGES] if isinstance(item, dict)]
    prefix = "*." if value.get("wildcard") is True else ""
    return Authorization(
        url=answer.url,
        status=clean(status, 40),
        hostname=prefix + clean(name.lower(), 253),
        challenges=tuple(_challenge(item, origin) for item in inner),
        expires=_time(value.get("expires")),
    )


def _challenge(value: dict[str, Any], origin: Origin) -> Challenge:
    kind, token, error = value.get("type"), value.get("token"), value.get("error")
    if token is not None and not (isinstance(token, str) and is_token(token)):
        # a path, a shell's metacharacter, a header: nothing of it is used, nor shown as it is
        shown = clean(repr(token), 60)
        message = f"the CA sent a token that is no base64url text of at least 128 bits: {shown}"
        raise Failed("BadToken", message, blame="ca")
    return Challenge(
        type=clean(kind, 60) if isinstance(kind, str) else "",
        url=_url(value, "url", origin),
        status=clean(str(value.get("status", "pending")), 40),
        token=token,
        error=problem_from(error) if isinstance(error, dict) else None,
        issuers=_issuers(value.get("issuer-domain-names")),
    )


def _identities(value: object) -> tuple[str, ...]:
    """Give the names that CAA may call the CA by: those that are names, in lower case, the first fifty."""
    listed = value[:_MOST_IDENTITIES] if isinstance(value, list) else ()
    lower = [name.lower().removesuffix(".") for name in listed if isinstance(name, str) and len(name) <= 254]  # noqa: PLR2004
    return tuple(dict.fromkeys(name for name in lower if _ISSUER.fullmatch(name)))


def _issuers(value: object) -> tuple[str, ...]:
    """Give 1 to 10 names (draft-ietf-acme-dns-persist), or none where anything is wrong with the list."""
    if not isinstance(value, list) or not 1 <= len(value) <= _MOST_ISSUERS:
        return ()
    fits = all(isinstance(name, str) and len(name) <= 253 and _ISSUER.fullmatch(name) for name in value)  # noqa: PLR2004  RFC 1035
    return tuple(value) if fits else ()


def _url(value: Mapping[str, Any], key: str, origin: Origin) -> str:
    return _checked(value.get(key), key, origin)


def _checked(url: object, key: str, origin: Origin) -> str:
    if not isinstance(url, str):
        raise misbehaves(f"the CA sent no URL as {key}")
    origin.target(url)
    return url


def _time(value: object) -> datetime | None:
    if not isinstance(value, str) or len(value) > 64:  # noqa: PLR2004  no RFC 3339 time is longer
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return in_utc(time)
