"""Every reason of a change, a hold or a condition: the sentence that documents it, and the next step for a person.

Keyed by the word, so it imports no model. The reasons of failures alone stand in `failures`.
"""

from __future__ import annotations

import re
from typing import Final

from reconciler.report.failures import FAILURES

SENTENCES: Final[dict[str, str]] = {
    "Missing": "There is no certificate yet.",
    "Placeholder": "A self-signed placeholder is in use until the certificate is there.",
    "HostnamesDiffer": "The certificate does not have exactly the declared hostnames.",
    "IssuerChanged": "The certificate was issued by an issuer that is not among the site's.",
    "KeyTypeDiffers": "The key is not of the declared type.",
    "ProfileDiffers": "The certificate is not of the declared profile.",
    "KeyMismatch": "The key does not fit the certificate.",
    "Corrupt": "The stored certificate cannot be read or is not complete.",
    "ImportChanged": "The site brings another certificate than the one in use.",
    "RenewalDue": "The time to renew has come.",
    "ReissueWanted": "The certificate was issued before `renewal.reissueIssuedBefore`.",
    "Renamed": "The site had another name; its certificate goes on under the new one.",
    "RequestedByUser": "A person asked for a new certificate.",
    "NotInstalled": "Nothing is installed in the target yet.",
    "CertificateChanged": "The certificate in use is a new one.",
    "ConfigurationChanged": "The files in the target differ from what is wanted.",
    "Drifted": "Someone changed a file that we installed.",
    "NotLoaded": "The server has not loaded what is installed.",
    "NotServed": "The server does not serve the certificate.",
    "Interrupted": "A switch of files was left half-way.",
    "NotDeclared": "No manifest declares the site any more.",
    "NoLongerWanted": "The site no longer names this target.",
    "NotPublished": "The Server's addresses are not published for all of the site's names.",
    "LookAgain": "What was seen last is an hour old: it is looked at again.",
    "LeftBehind": "The answer to a challenge of an earlier order is still there.",
    "Backoff": "The last attempt failed; the next one has its time.",
    "Stalled": "Nothing we do helps until the manifest or the world changes.",
    "Pinned": "A person went back to this certificate, so it stays for now.",
    "Suspended": "The site is suspended: nothing is changed.",
    "TermsNotAgreed": "The CA's terms of service have not been agreed to.",
    "WouldLoseTrust": "The new issuer is trusted by fewer than the present certificate's.",
    "ImportInvalid": "What the site brings cannot be used as its certificate and key.",
    "ImportEnds": "A certificate that was brought is to be replaced, and only a person has another.",
    "StoreIsOlder": "What is brought ends before the certificate in use.",
    "MovedStore": "Another machine used this state directory last, and may still renew with its own copy.",
    "StoreDamaged": "Something else stands in the state directory where a file of the site belongs.",
    "AccountMissing": "The key of the ACME account is gone, and a new account is never made silently.",
    "RateLimited": "The CA's limits allow no order now.",
    "Paused": "The CA has paused issuance for this name.",
    "ClockWrong": "The machine's clock and the CA's differ too much to order.",
    "InFlight": "Another process works on it.",
    "WaitingForSolve": "An order waits for a person to prove its names.",
    "WaitingForRequest": "All names of an order are proven: it waits for a person to ask for the certificate.",
    "StageExpired": "An order that was left to a person has expired.",
    "Unroutable": "A hostname does not resolve, or does not lead to this machine, so the CA was not asked.",
    "CaaForbids": "CAA records do not allow the issuer, so it was not asked.",
    "SelfTestFailed": "Our own answer to a challenge cannot be seen from here, so the CA was not asked to look.",
    "NameFailed": "A declared hostname could not be proven and is left out of the certificate until it can be.",
    "InvalidManifest": "The manifest is not valid; its last valid meaning goes on.",
    "HostnameTaken": "Another site has this hostname on the same target.",
    "HandoverPending": "What moves to another site, target or directory waits until all of it is switched at once.",
    "TargetBroken": "The target's own test or reload fails, or its files cannot be written.",
    "RejectedByServer": "The server refused what was new, and the former files or certificate were put back.",
    "ServerEnded": "The server ended as it was to take up a new certificate; the former one is in place for its start.",
    "TakenOut": "What stood there of the site was unusable and kept the server from reloading, so it was taken out.",
    "CommandFailed": "The target's own command did not take the certificate.",
    "DiskFull": "The disk is full.",
    "ReadOnlyFilesystem": "The file system is read-only.",
    "PermissionDenied": "We may not.",
    "NoSuchDirectory": "A directory is not there.",
    "DiskError": "The disk failed.",
    "ReloadDelayed": "The target was reloaded a moment ago; changes share the next reload.",
    "ForeignFile": "A file that is not ours stands where ours should.",
    "PathRefused": "The path of a file cannot be used safely.",
    "TooManyRemovals": "More sites would be removed than may be without a person's word.",
    "TooManyReissues": "More good certificates would be replaced than may be without a person's word.",
    "PruneDisabled": "The site is no longer declared, but must not be removed.",
    "Issued": "The certificate is there and valid.",
    "Installed": "The certificate is installed in every target.",
    "Served": "The servers serve the certificate.",
    "Covered": "The certificate has all declared hostnames.",
    "Expired": "The certificate has expired.",
    "NotYetSeen": "No handshake has been looked at yet.",
    "NotVerified": "The targets are not looked at by handshake.",
    "NoTargets": "The site has no targets.",
    "OldCertificateServed": "The server still serves an older certificate.",
    "NothingListens": "Nothing listens on the port, or nothing that speaks TLS.",
    "NotIncluded": "The server answers without our files: they are not included in its configuration.",
    "NameServedElsewhere": "Another server block answers for this name.",
    "DependencyFailed": "A change that had to come first failed.",
    "NoLongerPlanned": "The plan no longer has this change.",
    "Bug": "A bug in certwright; the others go on.",
}

_OF_ALL: Final = re.compile(r"certwright (apply|diff|preflight|verify) \{site\}")
"""These verbs take no site for all: so what concerns several sites names a command that can be typed as it stands."""
_DESCRIBED: Final = "what certwright describe site {site} tells"

_NEXT: Final[dict[str, str]] = {
    "Missing": "certwright apply {site}",
    "Placeholder": "certwright apply {site}",
    "HostnamesDiffer": "certwright diff {site}",
    "Corrupt": "certwright apply {site}",
    "KeyMismatch": "certwright apply {site}",
    "RenewalDue": "certwright apply {site}",
    "NotInstalled": "certwright diff {site}",
    "Drifted": "certwright diff {site}",
    "NotLoaded": "certwright apply {site}",
    "LeftBehind": (
        "mend what the message names, then: certwright apply; or take the answer away by hand and forget it, by "
        "deleting {thing}.json"
    ),
    "NotDeclared": "mend what the message names, then: certwright apply",
    "Backoff": "mend the cause, then: certwright retry {site}",
    "Stalled": "mend the cause, then: certwright retry {site}",
    "WaitingForSolve": "certwright challenges {site}",
    "WaitingForRequest": "certwright request {site}",
    "StageExpired": "certwright challenges {site}",
    "Unroutable": "mend the name's A and AAAA records, then: certwright preflight {site}; certwright retry {site}",
    "CaaForbids": "add the issuer to the CAA records, then: certwright preflight {site}; certwright retry {site}",
    "SelfTestFailed": "mend what the message names, then: certwright retry {site}",
    "NameFailed": "mend the name's DNS or its web server, then: certwright retry {site}; or take it out of the Site",
    "Pinned": "certwright renew {site}",
    "Suspended": "take `suspend: true` out of the Site",
    "TermsNotAgreed": "write `agreeToTerms: true` and `email` into the Server's spec",
    "WouldLoseTrust": 'to allow it, annotate the Site: certwright/allow-trust-loss: "true"',
    "ImportInvalid": "mend what the message names, or: certwright import {site} --key FILE --certificate FILE",
    "ImportEnds": "buy or make a new certificate, then: certwright import {site} --key FILE --certificate FILE",
    "StoreIsOlder": "bring a later one, or: certwright renew {site}",
    "MovedStore": "stop certwright on the other machine, then: certwright apply --accept-machine",
    "StoreDamaged": "mend what stands there (certwright describe site {site} names it), then: certwright apply {site}",
    "AccountMissing": "put the account's key back into the store, or give the Issuer another `account`",
    "Paused": "visit the page that the message names",
    "ClockWrong": "set the machine's clock",
    "InvalidManifest": (
        "mend the manifest or the template that the message names (see also: certwright validate; of a template: "
        "certwright diff {site})"
    ),
    "HostnameTaken": "take the hostname out of one of the two sites",
    "TargetBroken": f"mend {_DESCRIBED}, then: certwright retry {{site}}",
    "RejectedByServer": "mend the server's configuration, then: certwright retry {site}; or change the Site",
    "ServerEnded": "start the server if it does not run, mend its configuration, then: certwright retry {site}",
    "TakenOut": "certwright apply {site}",
    "CommandFailed": "mend the command, then: certwright retry {site}",
    "DiskFull": "make room, then: certwright retry {site}",
    "ReadOnlyFilesystem": "mount it writable, or name it in ReadWritePaths= of the unit; then: certwright retry {site}",
    "PermissionDenied": "allow it, or run certwright as a user who may; then: certwright retry {site}",
    "NoSuchDirectory": "make it, then: certwright retry {site}",
    "DiskError": "look at the kernel's log, then: certwright retry {site}",
    "ForeignFile": "move the file away; where one site alone has it, the Target may say `existing: adopt` instead",
    "PathRefused": (
        "mend what the message names: the path's owner and modes, or a value in it; or name another in the Target or "
        "ChallengeMethod"
    ),
    "TooManyRemovals": "certwright apply --allow-removals {count}",
    "TooManyReissues": "certwright apply --allow-reissues {count}",
    "Expired": "certwright why {site}",
    "NotYetSeen": "certwright apply {site}",
    "OldCertificateServed": (
        "look into the server's own error log for a reload that failed, and see that the Target's reload command "
        "reaches the server that listens there; then: certwright retry {site}"
    ),
    "NothingListens": (
        "start the server, or turn TLS on at the port; a reload that it gave up is in its own error log alone; "
        "then: certwright retry {site}"
    ),
    "NotIncluded": (
        "include our files in the server's configuration; a reload that it gave up is in its own error log alone; "
        "then: certwright verify {site}"
    ),
    "NameServedElsewhere": (
        "name it in the site's own server block (server_name, ServerAlias) and in no other, or take it out of the "
        "Site, then: certwright retry {site}"
    ),
    "NotServed": "certwright verify {site}",
    "Bug": "report it with the output of: certwright describe site {site}",
}

_OF_WHAT_IS_LIVE: Final = frozenset({"KeyMismatch", "Expired"})
"""Said of the certificate in use, and of one that an order brought: that one is waited for, and `apply` would too."""


def sentence(reason: str) -> str:
    """Give the sentence that documents a reason, "" for an unknown one (of another version)."""
    return SENTENCES.get(reason) or FAILURES.get(reason, ("", None))[0]


def next_step(
    reason: str,
    site: str | None = None,
    count: int | None = None,
    thing: str = "STATE/undo/ID",
    *,
    again: str = "retry --all",
) -> str | None:
    """Give what a person does next about a reason; None where waiting is all.

    `count` fills the guards' commands; `thing` is what is left behind, by its record's path without its ending. `again`
    tries again where there is no `site`.
    """
    hint = _NEXT.get(reason) or FAILURES.get(reason, ("", None))[1]
    if hint is None or ("{count}" in hint and count is None):
        return None
    if site is None:
        hint = _OF_ALL.sub(r"certwright \1", hint).replace(_DESCRIBED, "what the message tells")
        hint = hint.replace("certwright retry {site}", f"certwright {again}")
    return hint.format(site=site or "SITE", count=count, thing=thing)


def step_after_reload(reason: str, site: str | None) -> str | None:
    """Give the next step where a reload failed for a reason: `apply` alone would wait for the time of the next one."""
    return next_step("TargetBroken" if reason == "NotLoaded" else reason, site, again="apply")


def step_after_order(reason: str, site: str | None) -> str | None:
    """Give the next step where an order failed for a reason."""
    return next_step("Backoff" if reason in _OF_WHAT_IS_LIVE else reason, site)
