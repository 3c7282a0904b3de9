"""Who signs: ACME CAs, the embedded private CA, self-signed certificates. Each is a `model.ports.Issuer`.

Enters: an issuer's spec, a `Request` (names, key type, ways to prove control) and a `Desk` (what may be remembered and
done for one site). Leaves: `Issued`, verified against what was asked for, or a typed failure.

Must not: write files, know a challenge method's ways or a target, decide when to renew, keep a key longer than a call
needs it (account keys are kept as signers), and believe anything that a CA says: sizes, addresses, tokens, words and
certificates are checked here.

Reasons of failures (CamelCase words of the documented list):

====================  =========  ====================================================================
AccountMissing        Stalled    the account is not known to the CA, or its key is gone; never made anew silently
AccountNotRegistered  Failed     no account yet: the change `register` makes it
BadKey                Failed     a brought CA's key or an EAB key cannot be used
BadToken              Failed     the CA sent a token that RFC 8555 section 8 forbids
CaBundleUnreadable    Failed     the file of trusted roots cannot be read
CaExpired             Failed     the embedded CA's own certificate is over
CaMisbehaves          Failed     an answer that RFC 8555 does not allow: HTML, a redirect, a foreign URL, too much
CaUnavailable         Failed     no answer, or 5xx, after retries
CaUntrusted           Failed     the CA's own server certificate does not verify
ChallengeFailed       Failed     the CA could not see the proof; carries its words
ClockWrong            Waiting    our clock and the CA's differ by over an hour
CaRefused             Failed     any other problem document of the CA
ExternalAccount       Stalled    the CA asks for external account binding, and none is declared
ImportInvalid         Failed     what a site brings cannot be used as its certificate and key
InFlight              Waiting    the order goes on then; also when the process is asked to stop
InsecureDirectory     Stalled    http without `allowInsecure`, or to a host that is not this machine
AddressNotAllowed     Failed     the CA's name leads to an address of a private network
NoUsableChallenge     Stalled    no declared method is offered for a name
OrderGone             Failed     a person goes on with an order that is none, or over
OrderInvalid          Failed     the CA gave the order up
Paused                Stalled    the CA paused the account for a name; a person must visit the page that it names
ProfileMissing        Stalled    `profileRequired`, and the CA does not offer the profile
RateLimited           Waiting    the CA's limit, until it says
TermsNotAgreed        Stalled    the CA's terms are not agreed to
UserActionRequired    Stalled    the CA wants a person to do something first
====================  =========  ====================================================================

Certificate checks add the reasons of `doors.x509.check_issued`: UnreadableCertificate, KeyMismatch, WrongNames,
NotYetValid, Expired, BadChain.
"""
