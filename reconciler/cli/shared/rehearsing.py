"""A whole order at another issuer, for practice: account, order and certificate are forgotten at its end.

What is put into the world for a challenge goes by the real store, so that it is taken away after a crash too.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from reconciler.errors import CertwrightError, UsageError, Waiting
from reconciler.model.findings import Check, Finding, Severity
from reconciler.model.ports import Lease, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from reconciler.model.desired import AcmeIssuer, DesiredSite
    from reconciler.model.observed import AccountRecord, OrderRecord
    from reconciler.model.ports import Issuer
    from reconciler.model.text import Secret
    from reconciler.wiring import App

_PATIENCE = 300.0


class Scratch:
    """The real store for what must be undone; orders, keys and new accounts are kept in memory only."""

    def __init__(self, store: Any) -> None:  # noqa: ANN401  the whole store
        self._store = store
        self._orders: dict[str, OrderRecord] = {}
        self._keys: dict[str, Secret] = {}
        self._accounts: dict[tuple[str, str], tuple[AccountRecord, Secret]] = {}

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Give what is not kept apart: undo records, tokens."""
        if name not in ("undo", "put_undo", "undone"):
            raise AttributeError(name)
        return getattr(self._store, name)

    def event(self, *_: object) -> None:
        """Record nothing."""

    def orders(self, sites: Iterable[str]) -> Mapping[str, OrderRecord]:
        """Give the orders of this rehearsal."""
        return {site: self._orders[site] for site in sites if site in self._orders}

    def put_order(self, _lease: Lease, site: str, order: OrderRecord) -> None:
        """Keep an order until the end."""
        self._orders[site] = order

    def drop_order(self, _lease: Lease, site: str, *, keep_key: bool) -> None:
        """Forget it."""
        self._orders.pop(site, None)
        if not keep_key:
            self._keys.pop(site, None)

    def pending_key(
        self, _lease: Lease, site: str, make: Callable[[], Secret], _fits: Callable[[Secret], bool] = lambda _key: True
    ) -> Secret:
        """Give the key of the order."""
        if site not in self._keys:
            self._keys[site] = make()
        return self._keys[site]

    @contextmanager
    def claim(self, scope: str, _verb: str, _wait: float) -> Iterator[Lease]:
        """Let the only worker pass."""
        yield Lease(scope, 0)

    def accounts(self) -> Mapping[tuple[str, str], AccountRecord]:
        """Give the accounts that there are, and the one of this rehearsal."""
        return {**self._store.accounts(), **{key: record for key, (record, _) in self._accounts.items()}}

    def account_key(self, directory: str, name: str) -> Secret | None:
        """Give an account's key."""
        kept = self._accounts.get((directory, name))
        found: Secret | None = kept[1] if kept else self._store.account_key(directory, name)
        return found

    def put_account(self, _lease: Lease, record: AccountRecord, key: Secret) -> None:
        """Keep an account until the end."""
        self._accounts[record.directory, record.name] = record, key


@dataclass
class Rehearsal:
    """Orders for sites at the issuer of this name. Raises UsageError where there is no such CA."""

    app: App
    name: str
    say: Callable[[str], None]
    notes: list[str] = field(default_factory=list)

    def run(self, sites: Sequence[DesiredSite]) -> list[Finding]:
        """Give what went wrong; `notes` tell what went well."""
        spec = self._spec({site.server for site in sites})
        scratch = Scratch(self.app.store)
        issuer = self._issuer(spec, scratch)
        wanted = [site for site in sites if site.methods]
        if not wanted:
            self.notes.append(f"no site is proven by a CA: nothing is rehearsed at {self.name}")
            return []
        try:
            issuer.register()
        except CertwrightError as failure:
            return [self._finding(None, self.name, failure)]
        return [found for site in wanted for found in self._ordered(site, issuer, scratch)]

    def _spec(self, servers: Collection[str]) -> AcmeIssuer:
        """Give the issuer; contact and agreement are those of the sites' Server."""
        from reconciler.manifests.resolving.specs import ObjectResolver

        objects = {(one.kind, one.name): one for one in self.app.tree.written.resources()}
        found = objects.get(("Issuer", self.name))
        if found is None:
            raise UsageError(f"there is no Issuer {self.name!r} (`certwright get issuers` lists them)")
        server: Any = next((objects[one] for one in objects if one[0] == "Server" and one[1] in servers), None)
        spec = ObjectResolver(server.spec if server else None, lambda _path: None, []).issuer(found)
        if spec.type != "acme":
            raise UsageError(f"the Issuer {self.name} is no CA that speaks ACME: there is nothing to rehearse")
        return spec

    def _issuer(self, spec: AcmeIssuer, scratch: Scratch) -> Issuer:
        from reconciler.issuers.acme.issuer import AcmeIssuer

        return AcmeIssuer(spec, replace(self.app.means, store=scratch), self.app.sessions)

    def _ordered(self, site: DesiredSite, issuer: Issuer, scratch: Scratch) -> Iterator[Finding]:
        self.say(f"{site.name}: an order at {self.name}")
        began = time.monotonic()
        try:
            with self.app.store.claim(f"site/{site.name}", "preflight", self.app.options.lock_timeout) as lease:
                self._obtained(site, issuer, scratch, lease)
        except CertwrightError as failure:
            yield self._finding(site.name, getattr(failure, "hostname", None) or site.name, failure)
        else:
            took = time.monotonic() - began
            self.notes.append(f"site/{site.name}: {self.name} issued for {len(site.names)} names in {took:.1f} s")

    def _obtained(self, site: DesiredSite, issuer: Issuer, scratch: Any, lease: Lease) -> None:  # noqa: ANN401
        from reconciler.doors import x509
        from reconciler.execute.sites.desk import Making, SiteDesk

        making = Making(lambda: x509.new_key(site.key.algorithm), lambda _key: True)
        app, resolvers = self.app, site.machine.resolvers
        desk = SiteDesk(scratch, lease, site.name, app.challenges, making, app.clock, self.say, resolvers=resolvers)
        request = Request(site.name, site.names, site.key.algorithm, site.methods, "Rehearsal", site.digest)
        end = self.app.clock.monotonic() + _PATIENCE
        while True:
            try:
                issuer.obtain(request, desk)
            except Waiting as wait:
                pause = (wait.until - self.app.clock.now()).total_seconds()
                if self.app.clock.monotonic() + pause > end or self.app.clock.wait(max(pause, 0.1)):
                    desk.clean_up()
                    raise
            else:
                return

    def _finding(self, site: str | None, subject: str, failure: CertwrightError) -> Finding:
        mend = f"mend it, then: certwright preflight {site or ''} --rehearse {self.name}".replace("  ", " ")
        return Finding(Check.REHEARSAL, Severity.ERROR, subject, str(failure), f"{self.name} issues", mend, site)
