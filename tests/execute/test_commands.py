"""Which declared commands `preflight` looks at, and the field that it names each by."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reconciler.execute.preflight.commands import check_commands
from reconciler.model.desired import (
    AcmeDns,
    AddressRecords,
    CaIssuer,
    Dns01,
    ExecProvider,
    ExecTarget,
    ExternalAccount,
    FilesTarget,
    ImportSpec,
    Lexicon,
    LexiconOption,
    PostfixTarget,
    Reload,
    Rfc2136,
    SecretRef,
    Tsig,
)
from reconciler.model.names import Trust
from tests.plan.world import LE, site

if TYPE_CHECKING:
    from reconciler.model.desired import DesiredSite, DnsProviderSpec

LOST = ("/no/such/program", "word")
SECRET = SecretRef(exec=LOST)


def _by(provider: DnsProviderSpec) -> DesiredSite:
    return replace(site("a"), methods={"a.example.com": (Dns01(name="dns", provider=provider),)})


CASES = {
    "`install` of the Target own": site("a", targets=(ExecTarget(name="own", install=LOST),)),
    "`postmap` of the Target mail": site("a", targets=(PostfixTarget(name="mail", postmap=LOST),)),
    "`test` of the Target web": site("a", targets=(FilesTarget(name="web", test=LOST),)),
    "`reload.command` of the Target web": site("a", targets=(FilesTarget(name="web", reload=Reload(LOST)),)),
    "`provider.command` of the ChallengeMethod dns": _by(ExecProvider(LOST)),
    "`provider.command` of the ChallengeMethod book": site(
        "a", address_records=AddressRecords(Dns01(name="book", provider=ExecProvider(LOST)))
    ),
    "`provider.tsig.secret` of the ChallengeMethod dns": _by(Rfc2136("127.0.0.1", Tsig("k", "hmac-sha256", SECRET))),
    "`provider.credentials` of the ChallengeMethod dns": _by(AcmeDns("https://dns.example", SECRET)),
    "`provider.options.secret` of the ChallengeMethod dns": _by(Lexicon("x", (LexiconOption("token", secret=SECRET),))),
    "`eab.hmacKey` of the Issuer le": site("a", issuers=(replace(LE, eab=ExternalAccount("kid", SECRET)),)),
    "`key` of the Issuer own": site("a", issuers=(CaIssuer("own", Trust.PRIVATE, certificate="/ca", key=SECRET),)),
    "`import.pkcs12.passphrase` of the Site a": site("a", brought=ImportSpec(pkcs12="/p12", passphrase=SECRET)),
    "`import.key.passphrase` of the Site a": site("a", brought=ImportSpec(key="/key", passphrase=SECRET)),
}


@pytest.mark.parametrize("where", CASES)
def test_a_command_that_is_not_there_is_told_once_with_its_field(where: str) -> None:
    (finding,) = check_commands([CASES[where], CASES[where]])
    assert (finding.subject, finding.expected) == (LOST[0], f"{where} can be run")
    assert finding.mend == f"install it, or correct {where}"


def test_what_is_there_and_what_is_no_command_is_not_told() -> None:
    there = ("true",)
    target = ExecTarget(name="own", install=there, test=there, reload=Reload(there))
    issuer = replace(LE, eab=ExternalAccount("kid", SecretRef(file="/no/such/file")))
    assert list(check_commands([site("a", targets=(target,), issuers=(issuer,))])) == []
