"""ChallengeMethod: how control of a name is proven."""

import re
from ipaddress import ip_address
from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, PlainValidator, model_validator

from reconciler.manifests.kinds.base import Shape, exactly_one, one_of_schema
from reconciler.manifests.kinds.fields import FileMode, UserName, need_text, text_schema
from reconciler.manifests.kinds.parts import Preflight
from reconciler.manifests.kinds.paths import WebrootPath
from reconciler.manifests.text.rawtext import shown

_ENDPOINT: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})", re.ASCII)
_PORTS: Final = range(1, 65536)

Port = Annotated[int, Field(ge=1, le=65535)]


def split_endpoint(text: str) -> tuple[str, int]:
    """Give address and port of `127.0.0.1:8402` or `[::1]:8402`; ValueError with a sentence if it is neither."""
    found = _ENDPOINT.fullmatch(text)
    try:
        if found is None or int(found[3]) not in _PORTS:
            raise ValueError  # noqa: TRY301  one message for all
        return str(ip_address(found[1] or found[2])), int(found[3])
    except ValueError:
        raise ValueError(f"{shown(text)} is not an address with a port, such as 127.0.0.1:8402 or [::1]:8402") from None


def _parse_endpoint(value: object) -> str:
    text = need_text(value, "an address with a port, such as 127.0.0.1:8402")
    split_endpoint(text)
    return text


Endpoint = Annotated[str, PlainValidator(_parse_endpoint), text_schema("address and port: 127.0.0.1:8402, [::1]:8402")]


class Webroot(Shape):
    """Answers are files that a server which is already there gives out."""

    directory: WebrootPath = Field(
        description="Answers appear below it, in .well-known/acme-challenge/. {hostname} is the name being proven."
    )
    mode: FileMode = Field(0o644, description="The mode of the files.")
    owner: UserName | None = Field(
        None, description="The user who owns the files. Default: the one certwright runs as."
    )


class Listener(Shape):
    """Answers are given by a listener of our own, open only while a name is being proven."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("port", "address"))

    port: Port | None = Field(None, description="The port, at all addresses of both families; CAs ask at port 80.")
    address: Endpoint | None = Field(None, description="One address and port, for use behind a proxy.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, ("port", "address"))
        return self


SelfTest = Literal["enforce", "warn", "off"]


class Http01Spec(Shape):
    """http-01 (RFC 8555 section 8.3): the CA fetches a file by HTTP from port 80 of the name."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("webroot", "listener"))

    type: Literal["http-01"] = Field(description="http-01: the CA fetches a file by HTTP from port 80 of the name.")
    webroot: Webroot | None = Field(None, description="Write answers below the directory of a running server.")
    listener: Listener | None = Field(None, description="Answer by a listener of our own.")
    self_test: SelfTest = Field(
        "warn",
        description="Whether our own answer is fetched, from port 80 of the name as this machine resolves it, before "
        "the CA is asked to. enforce: the CA is not asked while that fails. warn: the CA is asked all the same, and "
        "a failure is told; for issuers of trust public only. off: nothing is fetched.",
    )
    preflight: Preflight = Field(Preflight.model_construct(), description="What is looked at before a CA is asked.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, ("webroot", "listener"))
        return self


class TlsAlpn01Spec(Shape):
    """tls-alpn-01 (RFC 8737): the CA shakes hands with port 443 of the name."""

    type: Literal["tls-alpn-01"] = Field(description="tls-alpn-01: the CA shakes hands with port 443 of the name.")
    listener: Listener = Field(
        description="Answer by a listener of our own: CAs come to port 443; by `address` behind a proxy that passes "
        "connections with the protocol acme-tls/1 on."
    )
    self_test: SelfTest = Field(
        "warn",
        description="Whether our own listener is asked before the CA is. enforce: the CA is not asked while that "
        "fails. warn: it is asked all the same, and a failure is told. off: nothing is asked.",
    )
    preflight: Preflight = Field(Preflight.model_construct(), description="What is looked at before a CA is asked.")
