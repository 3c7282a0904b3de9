"""Issuer: who signs."""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from reconciler.manifests.kinds.base import Shape, sentence
from reconciler.manifests.kinds.fields import Email, Flag, KeyId, Line, Name, PositiveDuration, Profile, text_schema
from reconciler.manifests.kinds.parts import KeyAlgorithm, Secret
from reconciler.manifests.kinds.paths import LocalPath
from reconciler.manifests.kinds.urls import TEST_DIRECTORIES, is_loopback, is_plain_http, parse_directory

TrustLevel = Literal["public", "private", "test"]
Directory = Annotated[
    str,
    PlainValidator(parse_directory),
    text_schema(
        "https URL, or letsencrypt, letsencrypt-staging, zerossl, google, google-staging, actalis", minLength=1
    ),
]


class ExternalAccount(Shape):
    """Credentials that bind the ACME account to an account at the CA (RFC 8555 section 7.3.4)."""

    kid: KeyId = Field(description="The key identifier that the CA gave.")
    hmac_key: Secret = Field(description="Where the HMAC key that the CA gave is found; the secret is base64url.")


class AcmeSpec(Shape):
    """A CA that speaks ACME (RFC 8555)."""

    type: Literal["acme"] = Field(description="acme: a CA that speaks ACME.")
    directory: Directory = Field(description="The CA's directory: an https URL, or a short name.")
    email: Email | None = Field(None, description="Contact of the account. Default: the Server's.")
    agree_to_terms: Flag | None = Field(
        None, description="That you agree to the CA's terms of service. Default: what the Server says."
    )
    account: Name = Field(
        "default", description="A name; issuers with the same directory and account share one account at the CA."
    )
    eab: ExternalAccount | None = Field(None, description="Credentials for CAs that demand an account of theirs.")
    profile: Profile | None = Field(
        None, description="The certificate profile asked for. Default: the CA's own choice."
    )
    profile_required: Flag = Field(
        default=False, description="true: no certificate rather than one without the profile. false: go on without it."
    )
    preferred_chain: Line | None = Field(
        None,
        description="Common name of the root whose chain is taken, if the CA offers several. Default: the CA's first.",
    )
    ca_bundle: LocalPath | None = Field(
        None, description="File of PEM certificates that the CA's own server is checked with. Default: the system's."
    )
    allow_insecure: Flag = Field(
        default=False, description="Allow an http:// directory, at a loopback address only, for tests."
    )
    trust: TrustLevel | None = Field(
        None,
        description="Who believes this CA. Default: test for staging directories; private with a `caBundle` or a "
        "directory on this machine; else public.",
    )

    @model_validator(mode="after")
    def _secure(self) -> Self:
        if is_plain_http(self.directory):
            if not is_loopback(self.directory):
                raise sentence("an http:// directory would be read and changed on the way: write https://", "directory")
            if not self.allow_insecure:
                raise sentence("an http:// directory needs `allowInsecure: true`, and is for tests only", "directory")
        if self.profile_required and self.profile is None:
            raise sentence("`profileRequired: true` needs a `profile`", "profileRequired")
        return self

    def effective_trust(self) -> TrustLevel:
        """Give `trust`, or the default: a CA whose own server needs a bundle of ours is believed by nobody else."""
        if self.trust is not None or self.directory in TEST_DIRECTORIES:
            return self.trust or "test"
        return "private" if self.ca_bundle is not None or is_loopback(self.directory) else "public"


class CaSpec(Shape):
    """The embedded private CA: made on first use, or brought."""

    type: Literal["ca"] = Field(description="ca: the embedded private CA.")
    common_name: Annotated[Line, Field(max_length=64)] = Field(
        "certwright private CA", description="Common name of the CA's own certificate, at most 64 characters."
    )
    lifetime: PositiveDuration = Field(timedelta(days=90), description="Lifetime of the certificates that it signs.")
    algorithm: KeyAlgorithm = Field("ecdsa-p256", description="The algorithm and size of the CA's own key.")
    certificate: LocalPath | None = Field(None, description="A CA certificate (PEM) that you bring; needs `key`.")
    key: Secret | None = Field(None, description="Where the private key of that certificate is found.")
    trust: TrustLevel | None = Field(None, description="Who believes this CA. Default: private.")

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            present, lacking = ("key", "certificate") if self.certificate is None else ("certificate", "key")
            raise sentence(f"`{present}` needs `{lacking}` beside it", present)
        return self

    def effective_trust(self) -> TrustLevel:
        """Give `trust`, or private."""
        return self.trust or "private"


class ImportedSpec(Shape):
    """Nobody is asked: each of its sites brings its own certificate and key (`Site.import`)."""

    type: Literal["imported"] = Field(description="imported: each site brings its own certificate, in `import`.")
    trust: TrustLevel | None = Field(None, description="Who believes these certificates. Default: public.")

    def effective_trust(self) -> TrustLevel:
        """Give `trust`, or public: such certificates are bought."""
        return self.trust or "public"


class SelfSignedSpec(Shape):
    """Each certificate signs itself."""

    type: Literal["self-signed"] = Field(description="self-signed: each certificate signs itself.")
    lifetime: PositiveDuration = Field(timedelta(days=90), description="Lifetime of the certificates.")
    trust: TrustLevel | None = Field(None, description="Who believes these certificates. Default: test.")

    def effective_trust(self) -> TrustLevel:
        """Give `trust`, or test."""
        return self.trust or "test"
