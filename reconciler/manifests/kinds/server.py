"""Server: the machine, and what every site inherits."""

from ipaddress import ip_address
from typing import Annotated

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema

from reconciler.manifests.kinds.base import Many, Shape
from reconciler.manifests.kinds.dns_provider import NameServer
from reconciler.manifests.kinds.fields import Email, Flag, MachineName, Name
from reconciler.manifests.kinds.parts import (
    ON_NAME_FAILURE,
    ChallengeEntry,
    Failover,
    OnNameFailure,
    PrivateKey,
    Renewal,
    TargetEntries,
)


def _parse_addresses(value: object) -> tuple[str, ...] | None:
    """Read `auto` (None) or a list of addresses."""
    if value is None or value == "auto":
        return None
    try:
        items = value if isinstance(value, list | tuple) else None
        return tuple(dict.fromkeys(str(ip_address(str(item))) for item in items or ("",)))
    except ValueError:
        raise ValueError("expected auto, or a list of IP addresses such as [192.0.2.1, 2001:db8::1]") from None


Addresses = Annotated[
    tuple[str, ...] | None,
    PlainValidator(_parse_addresses),
    PlainSerializer(lambda value: "auto" if value is None else list(value)),
    WithJsonSchema(
        {"anyOf": [{"const": "auto"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}], "default": "auto"}
    ),
]


class Defaults(Shape):
    """What every site takes over, field by field; a list of the site's own replaces the whole list."""

    issuers: Many[Name] | None = Field(None, description="Issuers in order of preference. Default: letsencrypt.")
    challenges: Many[ChallengeEntry] | None = Field(
        None, description="Ways to prove control, tried in order for each hostname. Default: the method http."
    )
    targets: TargetEntries | None = Field(None, description="Where certificates are put to use. Default: nowhere.")
    private_key: PrivateKey | None = Field(None, description="The private key of each certificate.")
    renewal: Renewal | None = Field(None, description="When certificates are renewed.")
    failover: Failover | None = Field(None, description="When the next issuer of the list takes over.")
    on_name_failure: OnNameFailure | None = Field(None, description=f"{ON_NAME_FAILURE} Default: dropLate.")


class ServerSpec(Shape):
    """The machine, and what every site inherits."""

    hostname: MachineName | None = Field(
        None, description="The machine's own hostname. Default: what the machine says."
    )
    email: Email | None = Field(None, description="Contact of the ACME account; an Issuer's own email wins.")
    agree_to_terms: Flag = Field(
        default=False,
        description="That you agree to the terms of service of the CAs used. Without it no account is made.",
    )
    addresses: Addresses = Field(
        None,
        description="The addresses that names should point at: a list, or auto, the machine's own global ones. Where "
        "none is known nothing is judged.",
    )
    resolvers: Many[NameServer] | None = Field(
        None,
        description="The resolvers that are asked where names point, for CAA and for zones, address and port. Default: "
        "those of this machine.",
    )
    defaults: Defaults | None = Field(None, description="What every site takes over unless it says otherwise.")
