"""`orders/<site>/`: the order in flight and its key, on disk before the CA hears of it; a crash spends no second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.model.observed import OrderRecord
from reconciler.store import atomic, reading, records
from reconciler.store.part import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reconciler.model.ports import Lease
    from reconciler.model.text import Secret
    from reconciler.store.part import Ground


class Orders(Part):
    """Reads and writes orders. A damaged one is as none, and is kept aside until the next one is dropped."""

    def __init__(self, ground: Ground) -> None:
        """Have written no order yet."""
        super().__init__(ground)
        self._own: dict[str, bytes] = {}  # what we wrote ourselves is not judged anew

    def orders(self, sites: Iterable[str]) -> Mapping[str, OrderRecord]:
        """Give the orders in flight."""
        asked = tuple(sites)
        # one look at the directory instead of one at each site, of which most have no order
        present = asked if len(asked) == 1 else frozenset(reading.names(self._layout.fixed("orders")))
        found = ((site, self._load_or_none(OrderRecord, self._order(site))) for site in asked if site in present)
        return {site: order for site, order in found if order is not None}

    def put_order(self, lease: Lease, site: str, order: OrderRecord) -> None:
        """Keep an order (or the intent of one)."""
        self._check(lease, f"site/{site}")
        path, data = self._order(site), records.encode(order, self._ground.version)
        present = reading.read(path)
        if present == data:
            return
        if present is not None and present != self._own.get(site):
            self._put_aside_if_damaged(site, present)
        self._write(site, path, data)
        self._own[site] = data
        self._ledger.touched(site)

    def drop_order(self, lease: Lease, site: str, *, keep_key: bool) -> None:
        """Forget an order; its pending key stays for the next attempt if `keep_key`."""
        self._check(lease, f"site/{site}")
        if self._forget_order(site, keep_key=keep_key):
            self._ledger.touched(site)

    def pending_key(
        self, lease: Lease, site: str, make: Callable[[], Secret], fits: Callable[[Secret], bool] = lambda _key: True
    ) -> Secret:
        """Give the key of the order in flight, made and stored on first use.

        One that is no PEM key, or does not fit (any longer), is made anew.
        """
        self._check(lease, f"site/{site}")
        path = f"{self._layout.orders(site)}/pending.key"
        key = self._secret(path)
        if key is not None and _is_pem(key) and fits(key):
            return key
        key = make()
        self._write(site, path, key.reveal())
        return key

    def _write(self, site: str, path: str, data: bytes) -> None:
        made = atomic.make_directory(self._layout.orders(site), durable=False)
        self._scratch.write(path, data)
        if made:
            atomic.sync(self._layout.fixed("orders"))

    def _forget_order(self, site: str, *, keep_key: bool) -> bool:
        folder = self._layout.orders(site)
        self._own.pop(site, None)
        if not reading.exists(folder):
            return False
        # the order first: an order without its key could not be finished
        names = ("order.json",) if keep_key else ("order.json", "pending.key", "order.broken")
        # not synced: a loss of power may bring it back, which is how a kill just before this line leaves it
        forgotten = [atomic.remove(f"{folder}/{name}", durable=False) for name in names]
        atomic.remove_directory(folder)
        return any(forgotten)

    def _put_aside_if_damaged(self, site: str, raw: bytes) -> None:
        try:
            records.decode(OrderRecord, raw, self._order(site))
        except records.Unreadable:
            atomic.move(self._order(site), f"{self._layout.orders(site)}/order.broken")

    def _order(self, site: str) -> str:
        return f"{self._layout.orders(site)}/order.json"


def _is_pem(key: Secret) -> bool:
    text = key.reveal().strip()
    return text.startswith(b"-----BEGIN ") and text.endswith(b"PRIVATE KEY-----")
