"""The plug-ins, from a spec's type to what is made of it: the only module that knows every issuer and target.

Ways to prove control have their own table, `challenges.solvers`. A new plug-in adds a builder and a row here; third
parties plug in by commands (`exec`), never by names in a manifest. Each is loaded on use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reconciler.model.ports import Issuer, Target


class Parts(Protocol):
    """What builders take from the application: the render child, what issuers work with, connections to CAs."""

    @property
    def renderer(self) -> Any:  # noqa: ANN401  the door's own type, imported on use
        """Give the render child's door."""
        ...

    @property
    def means(self) -> Any:  # noqa: ANN401
        """Give what issuers work with."""
        ...

    @property
    def sessions(self) -> Any:  # noqa: ANN401
        """Give the connections to CAs."""
        ...


def _acme(parts: Parts, spec: Any) -> Issuer:  # noqa: ANN401  each builder knows its own spec
    from reconciler.issuers.acme.issuer import AcmeIssuer

    return AcmeIssuer(spec, parts.means, parts.sessions)


def _ca(parts: Parts, spec: Any) -> Issuer:  # noqa: ANN401
    from reconciler.issuers.local_ca import CaIssuer

    return CaIssuer(spec, parts.means)


def _self_signed(parts: Parts, spec: Any) -> Issuer:  # noqa: ANN401
    from reconciler.issuers.self_signed import SelfSignedIssuer

    return SelfSignedIssuer(spec, parts.means)


def _imported(parts: Parts, spec: Any) -> Issuer:  # noqa: ANN401
    from reconciler.issuers.imported import ImportedIssuer

    return ImportedIssuer(spec, parts.means)


def _apache(parts: Parts, spec: Any) -> Target:  # noqa: ANN401
    from reconciler.targets.apache import Apache

    return Apache(spec, parts.renderer)


def _dovecot(parts: Parts, spec: Any) -> Target:  # noqa: ANN401
    from reconciler.targets.dovecot import Dovecot

    return Dovecot(spec, parts.renderer)


def _exec(parts: Parts, spec: Any) -> Target:  # noqa: ANN401, ARG001
    from reconciler.targets.command import Command

    return Command(spec)


def _haproxy(parts: Parts, spec: Any) -> Target:  # noqa: ANN401, ARG001
    from reconciler.targets.haproxy import Haproxy

    return Haproxy(spec)


def _nginx(parts: Parts, spec: Any) -> Target:  # noqa: ANN401
    from reconciler.targets.nginx import Nginx

    return Nginx(spec, parts.renderer)


def _postfix(parts: Parts, spec: Any) -> Target:  # noqa: ANN401, ARG001
    from reconciler.targets.postfix import Postfix

    return Postfix(spec)


def _files(parts: Parts, spec: Any) -> Target:  # noqa: ANN401, ARG001
    from reconciler.targets.files import Files

    return Files(spec)


ISSUERS: Final[Mapping[str, Callable[[Parts, Any], Issuer]]] = {
    "acme": _acme,
    "ca": _ca,
    "self-signed": _self_signed,
    "imported": _imported,
}
TARGETS: Final[Mapping[str, Callable[[Parts, Any], Target]]] = {
    "apache": _apache,
    "dovecot": _dovecot,
    "haproxy": _haproxy,
    "nginx": _nginx,
    "postfix": _postfix,
    "files": _files,
    "exec": _exec,
}
