"""Shapes that several kinds share."""

from datetime import timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from reconciler.manifests.kinds.base import Many, Shape, exactly_one, one_of_schema, sentence
from reconciler.manifests.kinds.fields import (
    Duration,
    FileMode,
    HostnameText,
    Instant,
    Lookahead,
    Misfit,
    Name,
    PositiveDuration,
    Share,
    UserName,
    Variable,
)
from reconciler.manifests.kinds.paths import Argv, LocalPath, TargetPath, Values
from reconciler.manifests.text.rawtext import shown

KeyAlgorithm = Literal["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"]
NO_LITERAL: Final = (
    "a secret never stands in a manifest: name where it is, {file: PATH}, {env: NAME} or {exec: [PROGRAM, ARGUMENT]}"
)


def _no_literal(value: object) -> object:
    if isinstance(value, dict | SecretRef):
        return value
    stands = f"; a text of {len(value)} characters stands here" if isinstance(value, str) else ""
    raise sentence(NO_LITERAL + stands)


class SecretRef(Shape):
    """Where a secret is found: exactly one of the three."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("file", "env", "exec"))

    file: LocalPath | None = Field(
        None, description="The file that holds the secret; a relative path starts at the manifest's directory."
    )
    env: Variable | None = Field(None, description="The environment variable that holds the secret.")
    exec: Argv | None = Field(None, description="A command that prints the secret.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, ("file", "env", "exec"))
        return self


Secret = Annotated[SecretRef, BeforeValidator(_no_literal)]


class Locked(Shape):
    """A file that may need a passphrase."""

    file: LocalPath = Field(description="The file; a relative path starts at the manifest's directory.")
    passphrase: Secret | None = Field(None, description="Where its passphrase is found. Default: it has none.")


class Import(Shape):
    """A certificate that the site brings, with its key: `key` and `certificate`, or `pkcs12`."""

    key: Locked | None = Field(None, description="The private key, as PEM or DER; needs `certificate`.")
    certificate: LocalPath | None = Field(
        None, description="The certificate, as PEM or DER; its chain may stand in the same file, in any order."
    )
    chain: LocalPath | None = Field(
        None, description="The intermediate certificates, if they have a file of their own."
    )
    pkcs12: Locked | None = Field(None, description="One PKCS#12 file (.p12, .pfx) with all of it.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        pair = [name for name in ("key", "certificate", "chain") if self.gives(name)]
        if self.gives("pkcs12") and pair:
            raise sentence(f"`pkcs12` holds all of it: take `{pair[0]}` away", pair[0])
        if not self.gives("pkcs12") and not (self.gives("key") and self.gives("certificate")):
            raise sentence("either `key` and `certificate`, or `pkcs12` is needed")
        return self


class PrivateKey(Shape):
    """The private key of a certificate."""

    algorithm: KeyAlgorithm = Field("ecdsa-p256", description="The algorithm and size of the key.")
    rotation: Literal["always", "reuse"] = Field(
        "always", description="always: each certificate gets a new key. reuse: a renewal keeps the key that is in use."
    )


class Renewal(Shape):
    """When a certificate is renewed."""

    lookahead: Lookahead = Field(
        Share(33),
        description="How long before its end a certificate is renewed: a share of its own lifetime (1% to 90%), or a "
        "duration, which is never taken for more than half the lifetime.",
    )
    lookbehind: Duration = Field(
        timedelta(days=30),
        description="How long a site whose certificate has expired goes on being tried, counted from the first attempt "
        "after the expiry.",
    )
    reissue_issued_before: Instant | None = Field(
        None, description="A certificate issued before this time is replaced. Default: none."
    )


class Failover(Shape):
    """When the next issuer of the list takes over, and when the first is tried again."""

    after: PositiveDuration = Field(
        timedelta(hours=24), description="How long an issuer must have failed before the next one of the list is asked."
    )
    back: Literal["atRenewal", "never", "now"] = Field(
        "atRenewal",
        description="When the first issuer is asked again: atRenewal, at the next renewal; never, as long as the "
        "issuer in use works; now, as soon as the first one answers.",
    )


OnNameFailure = Literal["dropLate", "fail", "drop"]
ON_NAME_FAILURE: Final = (
    "What happens where one name of several cannot be proven. fail: the certificate in use stays, and all is tried "
    "again. drop: one is issued for the other names; the missing name stays declared and is tried on its own schedule. "
    "dropLate: fail until a sixth of the lifetime of the certificate in use is left, then drop."
)


ThreeWay = Literal["enforce", "warn", "off"]


class Preflight(Shape):
    """What is looked at before a CA is asked."""

    points_here: ThreeWay = Field(
        "warn",
        description="Whether names must resolve and point at the Server's addresses, for http-01 and tls-alpn-01. "
        "enforce: a name that does not is held, and the CA is not asked. warn: one that does not resolve is held, for "
        "issuers of trust public. off: no resolver is asked.",
    )
    caa: ThreeWay = Field(
        "warn",
        description="Whether CAA records must allow the issuer. enforce: a name that they forbid is held. warn: "
        "`preflight` tells it. off: nothing is asked.",
    )


class ChallengeEntry(Shape):
    """One way to prove control, and for which names: all, without `hostnames`, `domains` and `hostnameSets`."""

    method: Name = Field(description="The name of a ChallengeMethod.")
    hostnames: Many[HostnameText] | None = Field(None, description="Exactly these names.")
    domains: Many[HostnameText] | None = Field(None, description="These domains and every name below them.")
    hostname_sets: Many[Name] | None = Field(None, description="The names of these HostnameSets.")
    preflight: Preflight | None = Field(None, description="What is looked at first. Default: the ChallengeMethod's.")


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class TargetUse(Shape):
    """The use of a target by a site."""

    name: Name = Field(description="The name of a Target.")
    values: Values = Field({}, description="Values for templates and paths, over those of the Target.")


TargetEntry = Annotated[TargetUse, BeforeValidator(_named, json_schema_input_type=Name | TargetUse)]
"""A target's name, or its name with values."""


def _each_once(uses: tuple[TargetUse, ...]) -> tuple[TargetUse, ...]:
    first = {use.name: number for number, use in reversed(list(enumerate(uses)))}
    for number, use in enumerate(uses):
        if first[use.name] != number:
            raise Misfit(
                f"{shown(use.name)} stands twice in this list: name each target once, with all its values", number
            )
    return uses


TargetEntries = Annotated[Many[TargetEntry], AfterValidator(_each_once)]
"""The targets of a site, each once."""


def _at_path(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


class FileRule(Shape):
    """One file that is written."""

    path: TargetPath = Field(description="Where the file stands; its directory must exist.")
    owner: UserName | None = Field(
        None,
        description="The user who owns the file. Default: the one certwright runs as; in a tree of another user him, "
        "and nobody else.",
    )
    group: UserName | None = Field(None, description="The group of the file. Default: the owner's.")
    mode: FileMode | None = Field(
        None, description='The mode of the file. Default: "0600" where the private key is in it, else "0644".'
    )


FileEntry = Annotated[FileRule, BeforeValidator(_at_path, json_schema_input_type=TargetPath | FileRule)]
"""A path, or a path with owner, group and mode."""
