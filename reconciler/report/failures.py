"""Every reason of a failed attempt that is no reason of a change, a hold or a condition: a sentence, and the next step.

The message of the failure itself says what happened where; this says what the word means. Keyed by the word.
"""

from __future__ import annotations

from typing import Final

_RETRY: Final = "mend what the message names, then: certwright retry {site}"
_WAIT: Final = "wait: it is tried again by itself; sooner by: certwright retry {site}"

FAILURES: Final[dict[str, tuple[str, str]]] = {
    # the CA
    "AccountNotRegistered": ("The CA has no account of ours yet.", "certwright apply {site}"),
    "BadChain": ("The certificates above the one that the CA gave do not belong to it.", _WAIT),
    "BadKey": ("The key of the ACME account cannot sign.", "put the account's key back into the store"),
    "BadToken": ("The CA gave a token that is none.", _WAIT),
    "CaExpired": ("The certificate of the embedded CA has expired.", "name another Issuer of type ca, or bring a CA"),
    "CaMisbehaves": ("The CA's answer is not what its protocol (RFC 8555) allows.", _WAIT),
    "CaRefused": ("The CA refused the request.", _RETRY),
    "CaUnavailable": ("The CA did not answer, or said that it cannot.", _WAIT),
    "CaUntrusted": ("The CA's own server has a certificate that we cannot check.", "name its root as `caBundle`"),
    "ChallengeFailed": ("The CA could not see the proof of a name.", _RETRY),
    "ExternalAccount": ("The CA asks for credentials of an account at it.", "give the Issuer `eab`"),
    "NoUsableChallenge": (
        "The CA offers no challenge that a method of the site can answer.",
        "add a method to the Site",
    ),
    "OrderGone": ("The CA no longer has the order.", "certwright apply {site}"),
    "OrderInvalid": ("The order ended without a certificate.", _RETRY),
    "ProfileMissing": ("The CA does not offer the profile asked for.", "name another `profile`"),
    "UserActionRequired": ("The CA asks its customer to do something first.", "visit the page that the message names"),
    "WrongNames": ("The certificate that the CA gave is for other names.", _WAIT),
    "NotYetValid": ("The certificate begins in the future.", "set the machine's clock"),
    "UnreadableCertificate": ("The certificate cannot be read.", _RETRY),
    "UnreadableKey": ("The private key cannot be read.", _RETRY),
    "UnreadableRequest": ("The request for a certificate cannot be read.", _RETRY),
    # the network
    "AddressNotAllowed": (
        "The CA's name leads to a private address.",
        "name the CA's root as `caBundle` if it is yours",
    ),
    "CaBundleUnreadable": ("The file of trusted roots cannot be read.", _RETRY),
    "FetchFailed": ("A page on the way to the proof could not be fetched.", _RETRY),
    "HandshakeFailed": (
        "The TLS handshake did not end well.",
        "look into the server's log, then: certwright verify {site}",
    ),
    "HttpFailed": ("The provider's server could not be asked.", _RETRY),
    "InsecureDirectory": (
        "The Issuer's directory is plain http.",
        "write https://, or `allowInsecure: true` on loopback",
    ),
    "NoTls": (
        "What listens there does not speak TLS.",
        "turn TLS on at that port, or take it out of the Target's `verify.ports`",
    ),
    "Timeout": ("There was no answer in time.", "look whether the server is well, then: certwright verify {site}"),
    "TlsUnusable": ("This machine's TLS library cannot be used as it is set up.", _RETRY),
    # the DNS
    "AliasRefused": ("A CNAME leads where we must not write.", "mend the CNAME, or list its target in `cnameTargets`"),
    "AliasStands": ("A CNAME stands where our record belongs.", "take it away, or say `followCname: true`"),
    "CredentialsUnfit": ("The credentials are not for this name.", _RETRY),
    "DnsBroken": ("A name server's answer cannot be used.", _RETRY),
    "DnsNoRoute": ("No way leads to the name server's address.", _RETRY),
    "DnsRefused": ("A name server refused.", _RETRY),
    "DnssecBroken": ("A name's signatures in the DNS do not hold.", "mend the zone's DNSSEC: CAs refuse such names"),
    "DnsTimeout": ("A name server did not answer in time.", _WAIT),
    "DnsUnreachable": (
        "No name server could be reached.",
        "let us reach it, or name another in the ChallengeMethod, then: certwright retry {site}",
    ),
    "LexiconMissing": ("What the provider needs is not installed.", "type what the message says"),
    "LexiconOptions": ("The provider's options are not those that it takes.", _RETRY),
    "NoResolver": ("This machine has no resolver.", "name one in `resolvers`"),
    "NotPropagated": (
        "Not every name server had the record in time.",
        "certwright retry {site}, or a longer `timeout`",
    ),
    "ProviderBusy": ("The provider asks to be tried later.", _WAIT),
    "ProviderFailed": ("The provider did not write the record.", _RETRY),
    "TsigRefused": (
        "The name server and we do not agree on the key, or on what it may change.",
        "compare name, algorithm and secret of the key and the clocks of both sides; let the server take such records",
    ),
    "ZoneNotFound": ("No zone was found for the name.", "name the `zone`, or `resolvers` that know it"),
    "ZoneNotOurs": ("The name server does not hold the zone.", "name the zone's primary as `server`"),
    # this machine
    "CommandMissing": ("A command is not there.", "install it, or name its path in the manifest"),
    "CommandRefused": ("A command must not be run as it stands.", "mend what the message names"),
    "HostnameUnfit": ("The name cannot be proven this way.", "choose another method for it"),
    "NoSuchFile": ("A file is not there.", _RETRY),
    "NoSuchUser": ("A user is not known to this machine.", _RETRY),
    "PortNotAllowed": ("We may not listen on the port.", "run as root, or give CAP_NET_BIND_SERVICE"),
    "PortTaken": (
        "Another program, or another method's listener, has the port.",
        "use a webroot, or another port behind a proxy",
    ),
    "PortUnusable": ("The port cannot be listened at.", _RETRY),
    "SecretMissing": ("A secret is not where the manifest says.", _RETRY),
    "SocketRefused": ("The server's runtime socket did not do what it was asked.", _RETRY),
    "SwitchStuck": ("Former files could not be put back.", "mend what the message names, then: certwright apply"),
    "TokenExists": ("A file that is not ours has the name of our answer.", "take it away"),
    "TokenVanished": ("Our answer was taken away by somebody else.", _WAIT),
    "WebrootMissing": ("The webroot's directory is not there.", "make it, then: certwright retry {site}"),
    # what is told
    "ChainBroken": ("The served certificates do not lead to a trusted root.", "certwright apply {site}"),
    "LookaheadClamped": (
        "The lookahead is longer than half the lifetime, which is taken instead.",
        "shorten `lookahead`",
    ),
    "StatusUnreadable": ("What was remembered of the site was damaged and is lost.", "wait: it begins anew"),
}
"""Reason: what it means, and what a person does next."""
