"""The account (RFC 8555 section 7.3). Its URL may stand in customers' DNS (CAA): it is never made anew silently."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reconciler.doors import x509
from reconciler.errors import Failed, Stalled
from reconciler.issuers.acme.origin import misbehaves
from reconciler.issuers.acme.problems import Refused
from reconciler.issuers.acme.signing import Signer
from reconciler.model.observed import AccountRecord

if TYPE_CHECKING:
    from reconciler.issuers.acme.resources import Directory
    from reconciler.issuers.acme.session import Session
    from reconciler.issuers.means import Means
    from reconciler.model.desired import AcmeIssuer as Spec
    from reconciler.model.ports import Lease
    from reconciler.model.text import Secret

_KEY_TYPE: Final = "ecdsa-p256"
_WAIT: Final = 30.0


def signer_of(session: Session, spec: Spec, means: Means) -> Signer:
    """Give the account's signer, loaded once for all threads, and again once the CA did not know the account.

    Raises Failed(AccountNotRegistered).
    """
    with session.account_lock:
        if session.signer is None:
            record = _record(spec, means)
            key = means.store.account_key(spec.directory, spec.account)
            if record is None or record.url is None or key is None:
                message = f"account {spec.account} at {spec.directory} is not registered yet"
                raise Failed("AccountNotRegistered", message)
            session.origin.target(record.url)
            session.signer = Signer(key, record.url)
        return session.signer


def register(session: Session, spec: Spec, means: Means) -> AccountRecord:
    """Make sure that the account exists and has the declared contact. Called again, it changes nothing.

    The key is stored before the CA hears of it, the account's URL right after. Raises Stalled: TermsNotAgreed,
    ExternalAccount, AccountMissing, UserActionRequired; Refused, Transient, Failed.
    """
    scope = f"account/{session.origin.host}/{spec.account}"
    with means.store.claim(scope, "register", _WAIT) as lease, session.account_lock:
        record, key = _record(spec, means), means.store.account_key(spec.directory, spec.account)
        if key is None:
            if record is not None and record.url is not None:
                raise _lost(spec, record.url)
            _check(session.directory(), spec)
            key = x509.new_key(_KEY_TYPE)
            record = AccountRecord(spec.directory, spec.account, terms=session.directory().terms)
            means.store.put_account(lease, record, key)
        record = record or AccountRecord(spec.directory, spec.account)
        if record.url is None:
            url = _joined(session, spec, means, Signer(key))
            record = replace(record, url=url, contact=_contact(spec), caa=session.directory().caa)
            means.store.put_account(lease, record, key)
        signer = Signer(key, record.url)
        record = replace(_with_contact(session, spec, record, signer), caa=session.directory().caa)
        _kept(means, lease, spec, record, key)
        session.signer = signer
        return record


def identities(session: Session, spec: Spec, means: Means) -> tuple[str, ...]:
    """Give the names by which CAA knows the CA, as it tells them now, and keep them with the account.

    Raises Refused, Transient, Failed.
    """
    names, record = session.directory().caa, _record(spec, means)
    if record is not None and record.caa != names:
        with means.store.claim(f"account/{session.origin.host}/{spec.account}", "register", _WAIT) as lease:
            record, key = _record(spec, means), means.store.account_key(spec.directory, spec.account)
            if record is not None and key is not None:
                means.store.put_account(lease, replace(record, caa=names), key)
    return names


def _kept(means: Means, lease: Lease, spec: Spec, record: AccountRecord, key: Secret) -> None:
    if _record(spec, means) != record:
        means.store.put_account(lease, record, key)


def _joined(session: Session, spec: Spec, means: Means, signer: Signer) -> str:
    """Find the account of a key that may have been registered before a crash, else make it; give its URL."""
    try:
        return _new_account(session, {"onlyReturnExisting": True}, signer)
    except Refused as refused:
        if refused.problem.code != "accountDoesNotExist":
            raise
    directory = session.directory()
    _check(directory, spec)
    wish: dict[str, Any] = {"termsOfServiceAgreed": spec.agree_to_terms or directory.terms is None}
    if _contact(spec):
        wish["contact"] = _contact(spec)
    if spec.eab is not None:
        hmac_key = means.read_secret(spec.eab.hmac_key, "eab.hmacKey")
        wish["externalAccountBinding"] = signer.external(spec.eab.kid, hmac_key, directory.new_account)
    return _new_account(session, wish, signer)


def _new_account(session: Session, wish: dict[str, Any], signer: Signer) -> str:
    url = session.directory().new_account
    answer = session.post(url, json.dumps(wish).encode(), signer)
    place = answer.header("location")
    if place is None:
        raise misbehaves("newAccount answered without a Location", url)
    session.origin.target(place)
    return place


def _with_contact(session: Session, spec: Spec, record: AccountRecord, signer: Signer) -> AccountRecord:
    """Tell the CA a changed contact (RFC 8555 section 7.3.2)."""
    wanted = _contact(spec)
    if record.url is None or record.contact == wanted:
        return record
    session.post(record.url, json.dumps({"contact": wanted}).encode(), signer)
    return replace(record, contact=wanted)


def _check(directory: Directory, spec: Spec) -> None:
    """Refuse to register without what only a person can give."""
    if directory.terms is not None and not spec.agree_to_terms:
        message = f"the CA's terms are not agreed to: {directory.terms}"
        raise Stalled("TermsNotAgreed", message, "agreeToTerms is true on the Issuer or the Server")
    if directory.external_account_required and spec.eab is None:
        message = f"{spec.directory} takes accounts with external account binding only"
        raise Stalled("ExternalAccount", message, "the Issuer declares eab with the kid and hmacKey that the CA gave")


def _contact(spec: Spec) -> tuple[str, ...]:
    return (f"mailto:{spec.email}",) if spec.email else ()


def _record(spec: Spec, means: Means) -> AccountRecord | None:
    return means.store.accounts().get((spec.directory, spec.account))


def _lost(spec: Spec, url: str) -> Stalled:
    message = f"the key of account {spec.account} ({url}) is gone; a new account would break CAA and DNS records"
    return Stalled("AccountMissing", message, "the key is restored from a backup, or the Issuer names another account")
