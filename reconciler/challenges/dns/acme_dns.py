"""TXT records by an acme-dns server, which keeps the newest two values of each account's own name."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reconciler.challenges.dns.names import CHALLENGE
from reconciler.doors.http import posting
from reconciler.errors import Failed
from reconciler.model.text import clean

if TYPE_CHECKING:
    from reconciler.challenges.dns.means import Means
    from reconciler.model.desired import AcmeDns as Spec

_FIELDS: Final = ("username", "password", "subdomain", "fulldomain")
_WORD: Final = re.compile(r"[\x21-\x7e]{1,253}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Account:
    """The credentials of one name at acme-dns, as its /register gives them."""

    username: str
    subdomain: str
    fulldomain: str
    password: str = field(repr=False)


class AcmeDns:
    """Publishes values under the account's own name; `_acme-challenge` of the domain must be a CNAME to that."""

    def __init__(self, spec: Spec, means: Means) -> None:
        self._spec, self._means = spec, means

    def target(self, name: str) -> str:
        """Give the name that `_acme-challenge.DOMAIN` must point at. Raises Failed(CredentialsUnfit, SecretMissing)."""
        return _plain(self._account(name).fulldomain)

    def add(self, zone: str, name: str, value: str, ttl: int) -> None:  # noqa: ARG002  acme-dns has its own
        """Publish a value; acme-dns drops the oldest of three. Raises Failed: ProviderFailed, HttpFailed."""
        account = self._account(name)
        headers = {"X-Api-User": account.username, "X-Api-Key": account.password}
        body = {"subdomain": account.subdomain, "txt": value}
        reply = posting.post_json(f"{self._spec.url.rstrip('/')}/update", body, headers, ca_bundle=self._spec.ca_bundle)
        if reply.status != 200 or not isinstance(reply.value, dict) or reply.value.get("txt") != value:  # noqa: PLR2004
            words = reply.value.get("error") if isinstance(reply.value, dict) else None
            said = f": {clean(words, 100)}" if isinstance(words, str) else ""
            said = said or (", but not with the value that it was given" if reply.status == 200 else "")  # noqa: PLR2004
            raise Failed("ProviderFailed", f"acme-dns at {self._spec.url} answered {reply.status}{said}")

    def remove(self, zone: str, name: str, value: str) -> None:
        """Do nothing: acme-dns has no removal, and the value proves nothing once the order is over."""

    def _account(self, name: str) -> Account:
        domain = name.removeprefix(f"{CHALLENGE}.")
        try:
            value = json.loads(self._means.read_secret(self._spec.credentials, "credentials").reveal())
        except (ValueError, RecursionError):
            raise _unfit("is not JSON") from None
        found: Any = value
        if isinstance(value, dict) and "username" not in value:
            # those of several accounts, by domain; or by the account's own name, where a record is taken away
            found = value.get(domain) or next((one for one in value.values() if _is_of(one, name)), None)
            if found is None:
                raise _unfit(f"has nothing for {domain}")
        if not isinstance(found, dict):
            raise _unfit("is no JSON object")
        missing = [one for one in _FIELDS if not isinstance(found.get(one), str) or not _WORD.fullmatch(found[one])]
        if missing:
            raise _unfit(f"lacks {', '.join(missing)}")
        return Account(**{one: found[one] for one in _FIELDS})


def _plain(name: str) -> str:
    """Give a name as it stands in our records: in lower case, without the dot of the root."""
    return name.lower().removesuffix(".")


def _is_of(account: object, name: str) -> bool:
    full = account.get("fulldomain") if isinstance(account, dict) else None
    return isinstance(full, str) and _plain(full) == name


def _unfit(why: str) -> Failed:
    return Failed("CredentialsUnfit", f"the credentials for acme-dns: what is found there {why}")
