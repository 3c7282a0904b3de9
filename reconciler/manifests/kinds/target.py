"""Target: where a certificate is put to use."""

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, PlainValidator, model_validator

from reconciler.manifests.kinds.base import Many, Shape, exactly_one, one_of_schema, sentence
from reconciler.manifests.kinds.challenge_method import Port
from reconciler.manifests.kinds.fields import Duration, Flag, Name, bounded_text, need_text, text_schema
from reconciler.manifests.kinds.parts import FileEntry
from reconciler.manifests.kinds.paths import Argv, LocalPath, Values
from reconciler.manifests.text.rawtext import shown

_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_TEMPLATE_LIMIT: Final = 64 * 1024


def _parse_address(value: object) -> str:
    text = need_text(value, "an IP address or a hostname")
    try:
        return str(ip_address(text))
    except ValueError:
        if _HOST.fullmatch(text) and not text.replace(".", "").isdigit():
            return text.lower()
        raise ValueError(f"{shown(text)} is neither an IP address nor a hostname") from None


Address = Annotated[str, PlainValidator(_parse_address), text_schema("IP address or hostname", minLength=1)]
TemplateText = Annotated[
    str, PlainValidator(bounded_text(_TEMPLATE_LIMIT, lines=True)), text_schema("Jinja template", minLength=1)
]


class Reload(Shape):
    """How the server takes up new files."""

    command: Argv | None = Field(None, description="The command. Default: the type's own; none for files.")
    delay: Duration = Field(
        timedelta(minutes=2),
        description="The least time between two reloads under `run`; a first change after a quiet time goes at once.",
    )


class VerifyPort(Shape):
    """A port where TLS begins after a command, or at once."""

    port: Port = Field(description="The TCP port.")
    starttls: Literal["imap", "pop3", "smtp"] | None = Field(
        None, description="The protocol whose command STARTTLS (pop3: STLS) begins TLS. Default: none, TLS at once."
    )


def _port(value: object) -> object:
    return value if isinstance(value, dict | VerifyPort) else {"port": value}


PortEntry = Annotated[VerifyPort, BeforeValidator(_port, json_schema_input_type=Port | VerifyPort)]
"""A port, or a port with the protocol that is spoken before TLS."""


class Verify(Shape):
    """Where the certificate that is really served is looked at."""

    address: Address = Field("127.0.0.1", description="Where the server is asked.")
    ports: Many[PortEntry] | None = Field(
        None,
        description="TLS ports: 443, or {port: 143, starttls: imap}. Default: 443 for nginx and apache, 993 and 995 "
        "for dovecot, 465 and {port: 25, starttls: smtp} for postfix, none for the others; without ports nothing is "
        "looked at.",
    )
    mode: Literal["enforce", "warn", "off"] = Field(
        "enforce",
        description="enforce: a site is Ready only if its certificate is served. warn: only told. off: not looked at.",
    )

    @model_validator(mode="after")
    def _once(self) -> Self:
        ports = [entry.port for entry in self.ports or ()]
        twice = next((port for port in ports if ports.count(port) > 1), None)
        if twice is not None:
            raise sentence(f"port {twice} stands twice in this list", "ports")
        return self


class Template(Shape):
    """A Jinja template of your own."""

    model_config = ConfigDict(json_schema_extra=one_of_schema("file", "inline"))

    file: LocalPath | None = Field(
        None, description="The template's file; a relative path starts at the manifest's directory."
    )
    inline: TemplateText | None = Field(None, description="The template itself.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, ("file", "inline"))
        return self


def _builtin(value: object) -> object:
    if isinstance(value, str):
        if value != "builtin":
            raise ValueError(
                f"{shown(value)} is no template: `builtin`, {{file: PATH}} or {{inline: TEXT}} is expected here"
            )
        return None
    return value


class TargetSpec(Shape):
    """What all targets have."""

    test: Argv | None = Field(
        None, description="Command that tests the server's configuration. Default: the type's own."
    )
    reload: Reload | None = Field(None, description="How the server takes up new files.")
    verify: Verify | None = Field(None, description="Where the certificate that is really served is looked at.")
    existing: Literal["refuse", "adopt"] = Field(
        "refuse",
        description="What happens to a file that is not ours where ours should stand: refuse says so and leaves it; "
        "adopt keeps a valid pair as a revision, then replaces it.",
    )
    placeholder: Flag = Field(
        default=True,
        description="Put a self-signed certificate in place until the first real one, so that the server can start.",
    )
    values: Values = Field({}, description="Values for templates and paths; a site's own come over them.")


class WebServerSpec(TargetSpec):
    """What nginx and Apache have in common."""

    layout: Literal["snippet", "vhost", "live"] = Field(
        "snippet",
        description="snippet: SITE.conf with the certificate directives, to be included in your own server block or "
        "virtual host. vhost: whole ones from `template`. live: nothing is written; the server names "
        "STATE/live/SITE/fullchain.pem.",
    )
    config_directory: LocalPath = Field("", description="The directory of our files.")
    template: Annotated[
        Template | None, BeforeValidator(_builtin, json_schema_input_type=Literal["builtin"] | Template | None)
    ] = Field(
        None,
        description="The template of whole blocks (layout vhost). Default: builtin. It is given site, hostnames, key, "
        "certificate, chain, fullchain, values, extra, target, address, ports, listen, http_listen, https_port, "
        "default and http01_webroot.",
    )
    values: Values = Field(
        {},
        description="Values for templates and paths; a site's own come over them. The built-in blocks (layout vhost) "
        "take `extra`, files with directives of your own to include, and `listen` (TLS) and `httpListen` (plain), "
        "lists of ADDRESS:PORT.",
    )
    default_site: Name | None = Field(
        None,
        description="The site whose certificate a client without a known name gets (layout vhost). Default: none.",
    )

    @model_validator(mode="after")
    def _fits_layout(self) -> Self:
        if self.layout != "vhost" and self.template is not None:
            raise sentence(f"a template is used by `layout: vhost` only, not by `{self.layout}`", "template")
        if self.layout == "live" and self.gives("config_directory"):
            raise sentence("`layout: live` writes no file, so this has no effect: remove it", "configDirectory")
        if self.layout != "vhost" and self.gives("default_site"):
            text = f"under `layout: {self.layout}` your own blocks say which is the default, so this has no effect"
            raise sentence(f"{text}: remove it", "defaultSite")
        return self


class NginxSpec(WebServerSpec):
    """nginx: we own whole files in one directory, which your configuration includes once."""

    type: Literal["nginx"] = Field(description="nginx: files in a directory that nginx includes.")
    config_directory: LocalPath = Field("/etc/nginx/certwright.d", description="The directory of our files.")


class ApacheSpec(WebServerSpec):
    """Apache httpd: we own whole files in one directory, which your configuration includes once."""

    type: Literal["apache"] = Field(description="apache: files in a directory that Apache httpd 2.4 includes.")
    config_directory: LocalPath = Field("/etc/apache2/certwright.d", description="The directory of our files.")


class DovecotSpec(TargetSpec):
    """Dovecot: we own whole files in one directory, which your configuration includes once."""

    type: Literal["dovecot"] = Field(description="dovecot: files in a directory that Dovecot 2.3 includes.")
    config_directory: LocalPath = Field("/etc/dovecot/certwright.d", description="The directory of our files.")
    template: Annotated[
        Template | None, BeforeValidator(_builtin, json_schema_input_type=Literal["builtin"] | Template | None)
    ] = Field(None, description="The template of a site's file. Default: builtin, a `local_name` for each hostname.")
    default_site: Name | None = Field(
        None, description="The site whose certificate a client without a known name gets. Default: your own `ssl_cert`."
    )


class HaproxySpec(TargetSpec):
    """HAProxy: `SITE.pem` and `crt-list.txt` in one directory, which your bind line names once."""

    type: Literal["haproxy"] = Field(description="haproxy: SITE.pem and crt-list.txt in a directory of ours.")
    config_directory: LocalPath = Field("/etc/haproxy/certwright.d", description="The directory of our files.")
    socket: LocalPath | None = Field(
        None,
        description="A runtime socket of level admin. With it a replaced certificate needs no reload. Default: none.",
    )
    default_site: Name | None = Field(
        None, description="The site whose certificate a client without a known name gets. Default: the first by name."
    )


class PostfixSpec(TargetSpec):
    """Postfix: `SITE.pem` and the source of an SNI map in one directory; your configuration names the map once."""

    type: Literal["postfix"] = Field(description="postfix: SITE.pem and an SNI map in a directory of ours.")
    config_directory: LocalPath = Field("/etc/postfix/certwright.d", description="The directory of our files.")
    postmap: Argv | None = Field(
        None,
        description="Command that builds the map from `sni` in our directory. Default: postmap -F hash:DIRECTORY/sni.",
    )
    default_site: Name | None = Field(
        None,
        description="The site whose SITE.pem your `smtpd_tls_chain_files` names, for clients without a known name: "
        "Postfix is reloaded when it changes. Default: none.",
    )


class ExecSpec(TargetSpec):
    """Whatever else: a command of your own that puts a certificate to use."""

    type: Literal["exec"] = Field(description="exec: a command of your own, without a shell.")
    install: Argv = Field(
        description="The command. It gets JSON on its standard input (site, hostnames, server, target, values; key, "
        "certificate, chain, fullchain as paths; revision, fingerprint, notAfter, placeholder) for each site whose "
        "certificate or values are new, and exits with 0 when it is done. It may be run again with the same."
    )


class FilesSpec(TargetSpec):
    """Plain files anywhere, and a command that makes their reader take them up."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [part]} for part in ("key", "certificate", "chain", "fullchain", "combined")]
        }
    )

    type: Literal["files"] = Field(
        description="files: plain files, and a command that makes their reader take them up."
    )
    key: FileEntry | None = Field(None, description="The private key.")
    certificate: FileEntry | None = Field(None, description="The certificate alone.")
    chain: FileEntry | None = Field(None, description="The intermediate certificates.")
    fullchain: FileEntry | None = Field(None, description="The certificate, then the intermediates.")
    combined: FileEntry | None = Field(None, description="The private key, then certificate and intermediates.")

    @model_validator(mode="after")
    def _any(self) -> Self:
        if not any((self.key, self.certificate, self.chain, self.fullchain, self.combined)):
            raise sentence("at least one of `key`, `certificate`, `chain`, `fullchain`, `combined` is expected here")
        return self

    @model_validator(mode="after")
    def _apart(self) -> Self:
        rules = {part: getattr(self, part) for part in ("key", "certificate", "chain", "fullchain", "combined")}
        paths: dict[str, Any] = {}
        for part, rule in rules.items():
            if rule is not None and paths.setdefault(rule.path, part) != part:
                raise sentence(f"`{part}` and `{paths[rule.path]}` are the same file", part)
        return self
