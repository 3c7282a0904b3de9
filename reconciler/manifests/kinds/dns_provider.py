"""Who writes TXT records: the `provider` of the ways by DNS."""

import re
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from reconciler.manifests.kinds.base import Shape, sentence
from reconciler.manifests.kinds.challenge_method import split_endpoint
from reconciler.manifests.kinds.fields import PositiveDuration, bounded_text, need_text, text_schema
from reconciler.manifests.kinds.lexicon_names import NAMES
from reconciler.manifests.kinds.nearest import suggestion
from reconciler.manifests.kinds.parts import NO_LITERAL, Secret, SecretRef
from reconciler.manifests.kinds.paths import Argv, LocalPath
from reconciler.manifests.kinds.urls import parse_service
from reconciler.manifests.text.rawtext import shown

_ALGORITHMS: Final = ("hmac-sha256", "hmac-sha384", "hmac-sha512")
_HASH: Final = re.compile(
    r"(?:hmac-)?(?:md5|sha-?\d{1,3})(?:-\d{2,3})?(?:\.sig-alg\.reg\.int)?\.?", re.ASCII | re.IGNORECASE
)
_DOMAIN: Final = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*", re.ASCII)
_OPTION: Final = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_SECRET_OPTION: Final = re.compile(r"token|secret|passw|passphrase|key|credential")
_LONGEST_DOMAIN: Final = 253
_OPTIONS_LIMIT: Final = 32


def parse_domain(value: object) -> str:
    """Read a domain name that may hold underscores: a zone, a TSIG key's name, the target of a CNAME."""
    text = need_text(value, "a domain name").lower().removesuffix(".")
    if len(text) > _LONGEST_DOMAIN or not _DOMAIN.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a domain name")
    return text


def parse_name_server(value: object) -> str:
    """Read where a name server listens: `192.0.2.1:53` or `[2001:db8::1]:53`."""
    text = need_text(value, "an address with a port, such as 127.0.0.1:53")
    split_endpoint(text)
    return text


def _parse_algorithm(value: object) -> str:
    text = need_text(value, "an algorithm such as hmac-sha256")
    if text not in _ALGORITHMS:
        weak = " (MD5 and SHA-1 are not strong enough)" if re.search(r"md5|sha-?1$", text) else ""
        # its `hmac` looks as if it told of a secret
        named = f"`{text}`" if _HASH.fullmatch(text) else shown(text)
        raise ValueError(f"{named} is not taken{weak}: use one of {', '.join(_ALGORITHMS)}")
    return text


def _parse_lexicon_name(value: object) -> str:
    text = need_text(value, "the name of a provider of dns-lexicon")
    if text not in NAMES:
        raise ValueError(f"dns-lexicon has no provider {shown(text)}: {suggestion(text, NAMES)}")
    return text


def _parse_options(value: object) -> dict[str, str | SecretRef]:
    """Read options; what stands in one is never quoted, since it may be a credential in the wrong place."""
    if not isinstance(value, dict) or len(value) > _OPTIONS_LIMIT:
        raise sentence("a mapping of at most 32 options is expected here, such as {auth_token: {file: PATH}}")
    return {_option_name(key): _option(key, item) for key, item in value.items()}


def _option_name(key: object) -> str:
    if not isinstance(key, str) or not _OPTION.fullmatch(key):
        raise sentence("the name of an option is small letters, digits and `_`, as in auth_token")
    return key


def _option(key: str, item: object) -> str | SecretRef:
    if isinstance(item, SecretRef):
        return item
    if isinstance(item, dict):
        try:
            return SecretRef.model_validate(item)
        except ValidationError:
            raise sentence(f"option `{key}`: {NO_LITERAL}") from None
    if _SECRET_OPTION.search(key):
        raise sentence(f"option `{key}`: {NO_LITERAL}")
    try:
        return bounded_text(1000)(item)
    except ValueError:
        raise sentence(f"option `{key}` is neither a text in quotes nor a secret such as {{file: PATH}}") from None


def _dumped(options: dict[str, str | SecretRef]) -> dict[str, Any]:
    return {key: item if isinstance(item, str) else item.dumped() for key, item in options.items()}


_SECRET_SCHEMA: Final = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
    "properties": {
        "file": {"type": "string", "description": "The file that holds the secret."},
        "env": {"type": "string", "description": "The environment variable that holds the secret."},
        "exec": {"type": "array", "items": {"type": "string"}, "description": "A command that prints the secret."},
    },
}

Domain = Annotated[str, PlainValidator(parse_domain), text_schema("domain name", minLength=1, maxLength=254)]
NameServer = Annotated[str, PlainValidator(parse_name_server), text_schema("address and port: 127.0.0.1:53, [::1]:53")]
Algorithm = Annotated[
    str, PlainValidator(_parse_algorithm), WithJsonSchema({"type": "string", "enum": list(_ALGORITHMS)})
]
LexiconName = Annotated[
    str, PlainValidator(_parse_lexicon_name), WithJsonSchema({"type": "string", "enum": sorted(NAMES)})
]
ServiceUrl = Annotated[str, PlainValidator(parse_service), text_schema("https URL", minLength=1, maxLength=2000)]
Options = Annotated[
    dict[str, str | SecretRef],
    PlainValidator(_parse_options),
    PlainSerializer(_dumped),
    WithJsonSchema(
        {
            "type": "object",
            "title": "options: texts, or {file: PATH}, {env: NAME}, {exec: [PROGRAM]}",
            "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,63}$"},
            "maxProperties": _OPTIONS_LIMIT,
            "additionalProperties": {"anyOf": [{"type": "string"}, _SECRET_SCHEMA]},
        }
    ),
]


class Tsig(Shape):
    """The key that signs updates (RFC 8945)."""

    name: Domain = Field(description="The name of the key, as the name server has it.")
    algorithm: Algorithm = Field("hmac-sha256", description="The algorithm of the key.")
    secret: Secret = Field(
        description="The key: base64, or a BIND block `key NAME { algorithm A; secret S; };` that agrees with this."
    )


NEEDED: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "rfc2136": (("server", "tsig"), ("zone",)),
    "exec": (("command",), ("timeout", "zone")),
    "acme-dns": (("url", "credentials"), ("caBundle",)),
    "lexicon": (("name",), ("options", "zone")),
    "manual": ((), ()),
}
"""The fields of each type: those that must be there, and those that may."""


def _schema() -> dict[str, Any]:
    return {
        "allOf": [
            {
                "if": {"properties": {"type": {"const": type_}}},
                "then": {"required": list(must), "propertyNames": {"enum": ["type", *must, *may]}},
            }
            for type_, (must, may) in NEEDED.items()
        ]
    }


class Provider(Shape):
    """Who writes the records."""

    model_config = ConfigDict(json_schema_extra=_schema())

    type: Literal["rfc2136", "lexicon", "acme-dns", "exec", "manual"] = Field(
        description="rfc2136: signed updates at the zone's primary. lexicon: one of dns-lexicon's providers (needs "
        "`pip install 'certwright[lexicon]'`). acme-dns: an acme-dns server. exec: a command of your own. manual: a "
        "person; what must be published is printed and waited for."
    )
    server: NameServer | None = Field(None, description="rfc2136: the primary, address and port.")
    tsig: Tsig | None = Field(None, description="rfc2136: the key that signs updates.")
    zone: Domain | None = Field(
        None,
        description="rfc2136, lexicon, exec: the zone of the names in it, and of what a followed CNAME leads to. "
        "Default, and for other names: found by SOA; for rfc2136 at `server`.",
    )
    command: Argv | None = Field(
        None,
        description="exec: the command. It gets {action, type, name, value, ttl, zone} as JSON on standard input; "
        "action is add or remove, type TXT (for addressRecords A or AAAA too). Exit code 0: done; 75: try again "
        "later; any other: failed.",
    )
    timeout: PositiveDuration = Field(timedelta(minutes=1), description="exec: when the command is killed.")
    url: ServiceUrl | None = Field(None, description="acme-dns: the server's URL; plain http to this machine only.")
    credentials: Secret | None = Field(
        None,
        description="acme-dns: JSON with username, password, subdomain and fulldomain, as /register gave them; or a "
        "mapping of domains to such.",
    )
    ca_bundle: LocalPath | None = Field(None, description="acme-dns: the CAs that may sign the server's certificate.")
    name: LexiconName | None = Field(None, description="lexicon: the provider's name.")
    options: Options = Field(
        {}, description="lexicon: the provider's options by name, such as auth_token. Credentials are secrets."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        must, may = NEEDED[self.type]
        fields = {info.alias or name: name for name, info in type(self).model_fields.items() if name != "type"}
        given = {alias for alias, name in fields.items() if name in self.model_fields_set}
        for alias in sorted(given - {*must, *may}):
            raise sentence(f"`{alias}` is not a field of the provider type {self.type}", alias)
        for alias in must:
            if getattr(self, fields[alias]) is None:
                raise sentence(f"a provider of type {self.type} needs `{alias}`")
        return self
