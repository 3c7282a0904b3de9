"""dns-01 (RFC 8555 section 8.4) and dns-account-01: a value added beside all others, and taken away by value."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from reconciler.challenges.dns.acme_dns import AcmeDns
from reconciler.challenges.dns.finding import Finder, Place
from reconciler.challenges.dns.manual import record_line
from reconciler.challenges.dns.names import account_name, challenge_name, challenge_value, checked_length
from reconciler.challenges.dns.propagation import Lack, Record, Watcher, shown
from reconciler.challenges.identity import checked_token
from reconciler.doors.dns_client import api as dns
from reconciler.errors import Failed, Waiting
from reconciler.model.observed import Undo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from reconciler.challenges.dns.means import Means
    from reconciler.model.desired import Dns01, DnsAccount01, DnsProviderSpec
    from reconciler.model.ports import Asked, DnsProvider

_LOOK_AGAIN: Final = timedelta(seconds=10)
_SHOWN: Final = 3


class DnsSolver:
    """Proves names by one method. Safe for threads."""

    def __init__(self, spec: Dns01 | DnsAccount01, means: Means, provider: DnsProvider) -> None:
        self._spec, self._means, self._provider = spec, means, provider
        self._finder = Finder(spec, means.clock)

    def prepare(self, site: str, hostname: str, token: str, asked: Asked) -> Undo:
        """Find where the record belongs, and tell what it will be. Raises Failed: AliasStands, AliasRefused ..."""
        checked_token(token)
        account = self._spec.type == "dns-account-01"
        name = account_name(hostname, asked.account) if account else challenge_name(hostname)
        place = self._place(checked_length(hostname, name))
        value = challenge_value(asked.key_authorization)
        return txt_undo(site, place, value, self._spec.provider)

    def present(self, thing: Undo, key_authorization: str) -> Undo:  # noqa: ARG002  its digest is in the record
        """Add the value; it may stand there already. Raises Failed."""
        add, ttl = self._provider.add, self._spec.ttl
        self._means.ask(self._spec.provider, lambda: add(thing.place, thing.name, thing.value, ttl))
        return thing

    def settle(self, things: Sequence[Undo], since: datetime, say: Callable[[str], None]) -> Sequence[str]:
        """Wait until every name server has every value; a person is told what to publish meanwhile.

        Gives who was not asked, or lacked it to the end, where `mode` is warn.
        """
        rules = self._spec.propagation
        if rules.mode == "off":
            return ()
        unwatched: list[str] = []
        watched = {record: self._line(one) for one in things if (record := self._record(one, unwatched)) is not None}
        for words in unwatched:
            say(words)
        watcher = Watcher(rules, self._means.clock, say)
        if self._spec.provider.type == "manual":
            await_person(watcher, watched, self._means, say)
            return ()
        records = list(watched)
        return [*unwatched, *watcher.judge(records, watcher.wait(records), since)]

    def _place(self, name: str) -> Place:
        if isinstance(self._provider, AcmeDns):
            # its own name is the only one that it writes: what must be there is the alias
            return self._delegated(name, self._provider.target(name))
        mode = self._spec.propagation.mode
        blind = Place(name, dns.Zone(getattr(self._spec.provider, "zone", None) or ""))
        needs_zone = self._spec.provider.type in {"rfc2136", "lexicon"}
        if mode == "off" and not needs_zone and not self._spec.follow_cname:
            return blind
        try:
            if self._finder.primary is None:
                return self._finder.place(name)
            return self._means.ask(self._spec.provider, lambda: self._finder.place(name))
        except dns.DnsFailed:
            if mode == "enforce" or needs_zone:
                raise
            # the wait tells what could not be asked; a command may know better than we where the zone is
            return blind

    def _delegated(self, name: str, target: str) -> Place:
        """See that the name points at acme-dns, before a value is spent there."""
        place = Place(target, dns.Zone(""))
        if self._spec.propagation.mode == "off":
            return place
        try:
            _, alias = self._finder.look(name)
        except dns.DnsFailed:
            if self._spec.propagation.mode == "enforce":
                raise
            return place
        if alias != target:
            stands = f"it points at {alias}" if alias else "no CNAME stands there"
            raise Failed("AliasRefused", f"acme-dns needs `{name}. CNAME {target}.`: {stands}")
        return place

    def _record(self, thing: Undo, unwatched: list[str]) -> Record | None:
        try:
            zone = self._finder.zone(thing.name, thing.place)
            servers = self._finder.servers(zone.name)
        except dns.DnsFailed as failure:
            if self._spec.propagation.mode == "enforce":
                raise
            unwatched.append(f"not watching {thing.name}: {failure}")
            return None
        value = thing.value
        return Record(thing.name, lambda found: found == value, servers, zone.name, zone.minimum)

    def _line(self, thing: Undo) -> str:
        return record_line(thing.name, self._spec.ttl, thing.value)


def txt_undo(site: str, place: Place, value: str, provider: DnsProviderSpec | None) -> Undo:
    """Make the record of a value; the same value at the same place gets the same id."""
    digest = hashlib.sha256(f"txt\0{site}\0{place.name}\0{value}".encode()).hexdigest()
    return Undo(digest[:32], site, "txt", place.zone.name, place.name, value=value, provider=provider)


def await_person(watcher: Watcher, watched: Mapping[Record, str], means: Means, say: Callable[[str], None]) -> None:
    """Tell what to publish (a line a record) and wait for it; raises Waiting(WaitingForSolve).

    Never Failed: people take their time.
    """
    records = list(watched)
    lacks = watcher.lacking(records)
    for line in _missing(watched, lacks):
        say(f"publish: {line}")
    lacks = watcher.wait(records) if lacks else lacks
    if lacks:
        until, missing = means.clock.now() + _LOOK_AGAIN, _missing(watched, lacks)
        more = f"; and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise Waiting("WaitingForSolve", f"publish {'; '.join(missing[:_SHOWN])}{more} ({shown(lacks)})", until)


def _missing(watched: Mapping[Record, str], lacks: Sequence[Lack]) -> list[str]:
    """Give the lines of the records that somebody lacks, in an order that does not hang on the CA's."""
    lacking = {lack.fits for lack in lacks}
    return sorted(line for record, line in watched.items() if record.fits in lacking)
