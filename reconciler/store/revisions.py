"""`certificates/<site>/<revision>/`: complete, immutable; judged by their files each time they are read."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Final

from reconciler.doors import x509
from reconciler.errors import Failed, OddFile, StoreError
from reconciler.model.observed import BrokenRevision, Revision, RevisionMeta, chain_digest
from reconciler.model.ports import Bundle
from reconciler.model.text import clean
from reconciler.store import atomic, reading, records
from reconciler.store.layout import REVISION_FILES, is_revision
from reconciler.store.part import Part

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from reconciler.model.observed import CertificateFacts
    from reconciler.model.ports import Lease
    from reconciler.model.text import Secret
    from reconciler.store.part import Ground

PRIVKEY, CERT, CHAIN, FULLCHAIN, META = REVISION_FILES
PEMS: Final = (PRIVKEY, CERT, CHAIN, FULLCHAIN)
_FINGERPRINT_SHOWN: Final = 8
_REMEMBERED: Final = 1024


class _Damaged(Exception):
    """A file of a revision is not what was stored."""


class Revisions(Part):
    """Made by one rename, read whole or called broken."""

    def __init__(self, ground: Ground) -> None:
        """Know of no revision yet."""
        super().__init__(ground)
        self._good: dict[str, tuple[tuple[int, ...], Revision]] = {}
        self._turn = threading.Lock()

    def put_revision(self, lease: Lease, site: str, bundle: Bundle, meta: RevisionMeta) -> str:
        """Store a revision, complete or not at all, and give its id.

        The same fingerprint twice is one revision, unless it comes with other intermediates than before.
        Raises Failed (KeyMismatch, UnreadableKey, UnreadableCertificate) if key and certificate do not belong together.
        """
        self._check(lease, f"site/{site}")
        facts = x509.check_pair(bundle.certificate, bundle.key)
        chain = chain_digest(bundle.chain)
        if (same := self._same(site, facts.fingerprint, chain)) is not None:
            return same
        files = _files(bundle)
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        files[META] = records.encode(meta, self._ground.version, fingerprint=facts.fingerprint, digests=digests)
        made = atomic.make_directory(self._layout.certificates(site), durable=False)
        name = self._free_name(site, meta.at, facts.fingerprint)
        folder = self._layout.revision(site, name)
        self._scratch.write_directory(folder, files)
        if made:
            atomic.sync(self._layout.fixed("certificates"))
        self._know(folder, Revision(name, facts, meta, chain=chain), reading.signature(_paths(folder), slack=0))
        return name

    def revisions(self, site: str) -> tuple[Revision, ...]:
        """Give the valid revisions, newest first."""
        judged = (self.judged(site, name) for name in self.revision_names(site))
        return tuple(revision for revision in judged if isinstance(revision, Revision))

    def revision_names(self, site: str) -> list[str]:
        """Give the ids of all revisions, valid or not, newest first; none if their folder is none (`damage` tells)."""
        try:
            found = reading.names(self._layout.certificates(site))
        except OddFile:
            return []
        return sorted(filter(is_revision, found), reverse=True)

    def bundle(self, site: str, revision: str) -> Bundle:
        """Give a revision with its key. Raises Failed(Corrupt or KeyMismatch) if it cannot be used."""
        judged = self.judged(site, revision)
        if isinstance(judged, BrokenRevision):
            raise Failed(judged.reason, judged.message)
        folder = self._layout.revision(site, revision)
        key = self._secret(f"{folder}/{PRIVKEY}")
        certificate, chain = reading.read(f"{folder}/{CERT}"), reading.read(f"{folder}/{CHAIN}")
        if key is None or certificate is None or chain is None:
            raise Failed("Corrupt", f"revision {revision} of {site} went away while it was read")
        return Bundle(key, certificate, chain)

    def judged(self, site: str, revision: str) -> Revision | BrokenRevision:
        """Read one revision and say whether it can be used. Of what may stand in it only NewerStore is raised.

        A good one is not read again while its files are as they were: one pass asks for it four times.
        """
        folder = self._layout.revision(site, revision)
        known = self._good.get(folder)
        if known is not None and known[0] == reading.signature(_paths(folder), slack=0):
            return known[1]
        signature = reading.signature(_paths(folder))
        judged = self._judged(folder, revision)
        if isinstance(judged, Revision):
            self._know(folder, judged, signature)
        return judged

    def _know(self, folder: str, revision: Revision, signature: tuple[int, ...] | None) -> None:
        """Remember a good one by what its files looked like before they were read, or after we made them."""
        if signature is not None:
            with self._turn:
                self._good[folder] = signature, revision
                if len(self._good) > _REMEMBERED:
                    del self._good[next(iter(self._good))]

    def _judged(self, folder: str, revision: str) -> Revision | BrokenRevision:
        try:
            meta, envelope = records.decode_all(RevisionMeta, _text(folder, META), META)
            key = self._key(folder)
            texts = {PRIVKEY: key.reveal(), **{name: _text(folder, name) for name in PEMS[1:]}}
            facts = _facts(texts, key)
            _compare(texts, envelope.get("digests"))
        except Failed as failure:
            message = f"revision {revision}: {failure}"
            return BrokenRevision(revision, "KeyMismatch" if failure.reason == "KeyMismatch" else "Corrupt", message)
        except (_Damaged, records.Unreadable, StoreError) as damage:
            if isinstance(damage, StoreError) and type(damage) not in {StoreError, OddFile}:
                raise
            return BrokenRevision(revision, "Corrupt", f"revision {revision}: {clean(str(damage))}")
        return Revision(revision, facts, meta, chain=chain_digest(texts[CHAIN]))

    def _key(self, folder: str) -> Secret:
        key = self._secret(f"{folder}/{PRIVKEY}")
        if key is None:
            raise _Damaged(f"{PRIVKEY} is missing")
        return key

    def _same(self, site: str, fingerprint: str, chain: str) -> str | None:
        for name in self.revision_names(site):
            if name[17 : 17 + _FINGERPRINT_SHOWN] == fingerprint[:_FINGERPRINT_SHOWN]:
                judged = self.judged(site, name)
                if not isinstance(judged, Revision) or judged.facts.fingerprint != fingerprint:
                    continue
                if chain in ("", judged.chain):
                    return name
        return None

    def _free_name(self, site: str, at: datetime, fingerprint: str) -> str:
        first = f"{at:%Y%m%dT%H%M%SZ}-{fingerprint[:_FINGERPRINT_SHOWN]}"
        # a broken one may have the name: what is there is never replaced
        taken = {*self.revision_names(site), *reading.names(self._layout.archive(site))}
        number, name = 1, first
        while name in taken:
            number += 1
            name = f"{first}-{number}"
        return name


def _paths(folder: str) -> list[str]:
    return [f"{folder}/{name}" for name in REVISION_FILES]


def _files(bundle: Bundle) -> dict[str, bytes]:
    return {PRIVKEY: bundle.key.reveal(), CERT: bundle.certificate, CHAIN: bundle.chain, FULLCHAIN: bundle.fullchain}


def _text(folder: str, name: str) -> bytes:
    text = reading.read(f"{folder}/{name}")
    if text is None:
        raise _Damaged(f"{name} is missing")
    return text


def _facts(texts: Mapping[str, bytes], key: Secret) -> CertificateFacts:
    facts = x509.check_pair(texts[CERT], key)
    if texts[FULLCHAIN] != texts[CERT] + texts[CHAIN]:
        raise _Damaged(f"{FULLCHAIN} is not {CERT} and {CHAIN}")
    return facts


def _compare(texts: Mapping[str, bytes], digests: object) -> None:
    if not isinstance(digests, dict):
        raise _Damaged(f"{META} has no digests")
    for name, text in texts.items():
        if hashlib.sha256(text).hexdigest() != digests.get(name):
            raise _Damaged(f"{name} was changed after it was stored")
