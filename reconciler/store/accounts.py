"""`accounts/<directory>/<account>/`: ACME accounts (RFC 8555 section 7.3), the key apart from what is told of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from reconciler.errors import Conflict
from reconciler.model.observed import AccountRecord
from reconciler.store import atomic, reading
from reconciler.store.layout import segment
from reconciler.store.part import Part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.ports import Lease
    from reconciler.model.text import Secret


class Accounts(Part):
    """Reads and writes accounts. A damaged registration is an error: no other account is made silently."""

    def accounts(self) -> Mapping[tuple[str, str], AccountRecord]:
        """Give the accounts by directory URL and name."""
        root = self._layout.fixed("accounts")
        found = {}
        for folder in sorted(reading.names(root)):
            for name in sorted(reading.names(f"{root}/{folder}")):
                record = self._load(AccountRecord, f"{root}/{folder}/{name}/registration.json")
                if record is not None:
                    found[record.directory, record.name] = record
        return found

    def account_key(self, directory: str, name: str) -> Secret | None:
        """Give an account's key, None if there is none."""
        return self._secret(f"{self._layout.account(directory, name)}/key.pem")

    def put_account(self, lease: Lease, record: AccountRecord, key: Secret) -> None:
        """Keep an account and its key. Conflict if another key is there: it may be the only way to an account."""
        self._check(lease, "account/")
        folder = self._layout.account(record.directory, segment(record.name))
        present = self.account_key(record.directory, record.name)
        if present is not None and present != key:
            where = f"account {record.name} at {record.directory} has another key in {folder}"
            raise Conflict(f"{where}; move it away to register anew")
        atomic.make_directory(os.path.dirname(folder))
        atomic.make_directory(folder)
        # the key first: killed here, the next attempt registers with it and finds the same account (section 7.3.1)
        if present is None:
            self._scratch.write(f"{folder}/key.pem", key.reveal())
        self._save(f"{folder}/registration.json", record)
