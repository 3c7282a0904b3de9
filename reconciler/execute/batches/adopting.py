"""`existing: adopt`: before a foreign key and certificate are replaced, a valid pair of them becomes a revision."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reconciler.doors import x509
from reconciler.doors.files import api as files
from reconciler.errors import Failed
from reconciler.model.names import Part, Trust
from reconciler.model.observed import FileChange, RevisionMeta
from reconciler.model.ports import Bundle
from reconciler.model.text import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.model.changes import Change
    from reconciler.model.ports import Clock, Store

ADOPTED: Final = "Adopted"
_KEY: Final = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----\r?\n?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Adopting:
    """Runs before the target's lease is taken: storing needs the site's, and nobody asks for that one under it."""

    store: Store
    clock: Clock
    verb: str
    wait: float

    def keep(self, changes: Sequence[Change]) -> None:
        """Store the pair that each install is about to replace; what is no valid pair is replaced all the same."""
        for change in changes:
            paths = {file.part: file.path for file in change.files if file.change is FileChange.ADOPT}
            if change.site and paths:
                bundle = _pair(paths)
                if bundle is not None:
                    self._store(change.site, bundle)

    def _store(self, site: str, bundle: Bundle) -> None:
        facts = x509.facts(bundle.certificate)
        meta = RevisionMeta(
            issuer="imported",
            trust=Trust.PRIVATE,
            directory=None,
            account=None,
            profile=None,
            challenges={},
            spec_digest="",
            reason=ADOPTED,
            at=facts.not_before,  # older than whatever we made, so that it never goes live for being new
        )
        with self.store.claim(f"site/{site}", self.verb, self.wait) as lease:
            revision = self.store.put_revision(lease, site, bundle, meta)
        self.store.event(site, ADOPTED, f"the pair that stood in its place is kept as {revision}", self.clock.now())


def _pair(paths: Mapping[Part, str]) -> Bundle | None:
    try:
        key, certificates = _read(paths)
        chain = x509.read_chain(certificates, blame="local")
        x509.check_pair(chain.certificate_pem, key)
    except Failed:
        return None
    return Bundle(key, chain.certificate_pem, b"".join(chain.chain_pem))


def _read(paths: Mapping[Part, str]) -> tuple[Secret, bytes]:
    """Give key and certificates, leaf first, from whichever files there are."""
    texts = {part: files.read_file(path) for part, path in paths.items() if part is not Part.CONFIG}
    combined = texts.get(Part.COMBINED, b"")
    key = texts.get(Part.KEY) or next(iter(_KEY.findall(combined)), b"")
    chain = texts.get(Part.CERTIFICATE, b"") + texts.get(Part.CHAIN, b"")
    certificates = texts.get(Part.FULLCHAIN) or (chain if Part.CERTIFICATE in texts else _KEY.sub(b"", combined))
    return Secret(key), certificates
