"""Site: what must hold."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from reconciler.manifests.kinds.base import Many, Shape, sentence
from reconciler.manifests.kinds.fields import Flag, HostnameText, Line, Name, Profile
from reconciler.manifests.kinds.parts import (
    ON_NAME_FAILURE,
    ChallengeEntry,
    Failover,
    Import,
    OnNameFailure,
    PrivateKey,
    Renewal,
    TargetEntries,
)


class AddressRecords(Shape):
    """A and AAAA records of the Server's addresses, published before a certificate is asked for."""

    provider: Name = Field(description="A ChallengeMethod by DNS whose provider writes them: rfc2136, lexicon or exec.")
    ttl: Annotated[int, Field(ge=0, le=86400)] = Field(300, description="The time to live of the records, in seconds.")


class SiteSpec(Shape):
    """What must hold: one certificate, and where it is served."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["hostnames"]}, {"required": ["hostnameSets"]}]}
    )

    hostnames: Many[HostnameText] | None = Field(
        None, description='The names of the certificate; a wildcard as "*.example.com" in quotes.'
    )
    hostname_sets: Many[Name] | None = Field(
        None, description="HostnameSets whose names come after the site's own, without repeats."
    )
    servers: Many[Name] | None = Field(
        None, description="The Servers it belongs to. Default: the only one of the tree."
    )
    issuers: Many[Name] | None = Field(None, description="Issuers in order of preference. Default: the Server's.")
    failover: Failover | None = Field(None, description="When the next issuer of the list takes over.")
    profile: Profile | None = Field(None, description="The certificate profile asked for. Default: the issuer's.")
    preferred_chain: Line | None = Field(None, description="Common name of the wanted root. Default: the issuer's.")
    challenges: Many[ChallengeEntry] | None = Field(
        None, description="Ways to prove control, tried in order for each hostname. Default: the Server's."
    )
    targets: TargetEntries | None = Field(
        None, description="Where the certificate is put to use. Default: the Server's."
    )
    private_key: PrivateKey | None = Field(None, description="The private key of the certificate.")
    renewal: Renewal | None = Field(None, description="When the certificate is renewed.")
    on_name_failure: OnNameFailure | None = Field(
        None, description=f"{ON_NAME_FAILURE} Default: the Server's, else dropLate."
    )
    stop_at: Literal["challenges"] | None = Field(
        None,
        description="challenges: an order is made and left to a person, who proves the names by `certwright solve` and "
        "ends it by `certwright request`.",
    )
    address_records: AddressRecords | None = Field(
        None,
        description="Publish the Server's addresses for the site's names first. Only what was published so is ever "
        "removed: when this field or the Site goes. Default: nothing is published.",
    )
    brought: Import | None = Field(
        None,
        alias="import",
        description="The certificate that the site brings. `issuers` then name `imported`, alone or before the one "
        "that takes over when it ends. Default, with `import`: `imported` alone.",
    )
    suspend: Flag = Field(default=False, description="true: nothing of the site is changed, not even repaired.")

    @model_validator(mode="after")
    def _has_names(self) -> Self:
        if self.hostnames is None and self.hostname_sets is None:
            raise sentence("a site needs `hostnames` or `hostnameSets`")
        return self
