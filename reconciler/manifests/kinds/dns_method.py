"""ChallengeMethods by DNS: dns-01, dns-account-01, dns-persist-01."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from reconciler.manifests.kinds.base import Many, Shape, sentence
from reconciler.manifests.kinds.dns_provider import Domain, NameServer, Provider
from reconciler.manifests.kinds.fields import Flag, PositiveDuration
from reconciler.manifests.kinds.parts import Preflight

Ttl = Annotated[int, Field(ge=0, le=86400)]


class Propagation(Shape):
    """Whether, and how long, every name server of the zone is asked for the record before the CA is."""

    mode: Literal["enforce", "warn", "off"] = Field(
        "enforce",
        description="enforce: the CA is asked when every name server has the record. warn: after the timeout it is "
        "asked all the same, and who lacks the record is told. off: nobody is asked.",
    )
    timeout: PositiveDuration = Field(timedelta(minutes=2), description="How long to wait for the name servers.")
    interval: PositiveDuration = Field(timedelta(seconds=2), description="How long between two rounds at most.")
    nameservers: Many[NameServer] | None = Field(
        None,
        description="Ask these, address and port. Default: those that the zone's NS records name, at all addresses.",
    )


class _DnsSpec(Shape):
    """What the ways by DNS share."""

    ttl: Ttl = Field(30, description="The time to live of the record, in seconds.")
    follow_cname: Flag = Field(
        default=False,
        description="Whether the record is written where a CNAME at its name leads to. Without, a CNAME there fails.",
    )
    cname_targets: Many[Domain] | None = Field(
        None,
        description="Domains below which a followed CNAME may lead anywhere. Elsewhere only names that start with "
        "_acme-challenge. are written to, and where the provider declares a `zone`, those in it. Never an apex.",
    )
    resolvers: Many[NameServer] | None = Field(
        None, description="The resolvers to find zones and name servers by. Default: the Server's, else the machine's."
    )
    propagation: Propagation = Field(
        Propagation.model_construct(), description="Waiting until every name server has the record."
    )
    preflight: Preflight = Field(Preflight.model_construct(), description="What is looked at before a CA is asked.")


class _WrittenSpec(_DnsSpec):
    provider: Provider = Field(description="Who writes the records.")

    @model_validator(mode="after")
    def _awaited(self) -> Self:
        if self.provider.type == "manual" and self.propagation.mode != "enforce":
            raise sentence("a manual provider waits until the record is seen: `mode` must be enforce", "propagation")
        return self


class Dns01Spec(_WrittenSpec):
    """dns-01 (RFC 8555 section 8.4): the CA asks for a TXT record. Proves wildcards too."""

    type: Literal["dns-01"] = Field(
        description="dns-01: the CA asks the DNS for a TXT record at _acme-challenge; wildcards too."
    )


class DnsAccount01Spec(_WrittenSpec):
    """dns-account-01: as dns-01, at a name that holds the ACME account's own label."""

    type: Literal["dns-account-01"] = Field(
        description="dns-account-01: as dns-01, at a name of the account's own; where the CA offers it."
    )


class DnsPersist01Spec(_DnsSpec):
    """dns-persist-01: a standing record, which a person publishes; checked, never written."""

    type: Literal["dns-persist-01"] = Field(
        description="dns-persist-01: a standing record that is printed and checked, never written; where the CA offers "
        "it."
    )
    provider: Provider | None = Field(
        None, description="Whose server and zone are asked for the record (rfc2136). Nothing is written by it."
    )

    @model_validator(mode="after")
    def _awaited(self) -> Self:
        if self.propagation.mode == "warn":
            words = "what a person publishes is waited for until it is seen: `mode` must be enforce or off"
            raise sentence(words, "propagation")
        return self
