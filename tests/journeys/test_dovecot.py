"""Dovecot from first certificate to removal: served by name on four ports, the old one until the reload."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.doors.tls import handshake
from reconciler.model.changes import Reason
from reconciler.model.ports import Limits
from tests.journeys.stage import document, held, site
from tests.servers.dovecot import Dovecot, dovecot
from tests.servers.identity import make_identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.model.desired import StartTlsProtocol
    from tests.journeys.stage import Stage


@pytest.fixture(name="server", scope="module")
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecot]:
    with dovecot(tmp_path_factory.mktemp("dovecot")) as server:
        yield server


@pytest.fixture(name="mail")
def _mail(server: Dovecot, stage: Stage) -> Dovecot:
    for path in server.include.iterdir():
        path.unlink()
    (server.root / "reloads").unlink(missing_ok=True)
    stage.write("mail.yaml", target(server))
    return server


def target(server: Dovecot, **spec: object) -> dict[str, object]:
    ports: list[object] = [server.imaps, server.pop3s]
    ports += [{"port": server.imap, "starttls": "imap"}, {"port": server.pop3, "starttls": "pop3"}]
    values = {
        "type": "dovecot",
        "configDirectory": str(server.include),
        "test": list(server.test_argv),
        "reload": {"command": list(server.reload_argv)},
        "verify": {"ports": ports},
        **spec,
    }
    return document("Target", "mail", values)


def mail_site(name: str, *hostnames: str) -> dict[str, object]:
    return site(name, *hostnames, issuers=["ca"], targets=["mail"])


def shown(server: Dovecot, name: str | None) -> set[str]:
    """Give the fingerprints that the four ports show for a name."""
    ports: tuple[tuple[int, StartTlsProtocol | None], ...]
    ports = ((server.imaps, None), (server.pop3s, None), (server.imap, "imap"), (server.pop3, "pop3"))
    return {handshake("127.0.0.1", port, name, timeout=10, starttls=how).fingerprint for port, how in ports}


def test_a_site_is_served_by_name_renewed_and_removed(mail: Dovecot, stage: Stage) -> None:
    stage.write("sites.yaml", mail_site("a"), mail_site("b", "b.example.com", "*.b.example.com", "192.0.2.1"))
    stage.settle()
    first = stage.live("a").facts.fingerprint
    own = shown(mail, None)
    assert mail.reloads == 1
    assert shown(mail, "a.example.com") == {first}
    assert shown(mail, "x.b.example.com") == {stage.live("b").facts.fingerprint}
    assert shown(mail, "unknown.example.com") == own
    served = stage.memory("a").served["mail"]
    assert (served.ok, sorted(port.port for port in served.ports)) == (
        True,
        sorted((mail.imap, mail.imaps, mail.pop3, mail.pop3s)),
    )

    stage.write(
        "sites.yaml",
        site("a", issuers=["ca"], targets=["mail"], annotations={"certwright/renewAt": "now"}),
        mail_site("b", "b.example.com", "*.b.example.com", "192.0.2.1"),
    )
    stage.settle()
    second = stage.live("a").facts.fingerprint
    assert second != first
    assert shown(mail, "a.example.com") == {second}
    assert mail.reloads == 2

    (mail.include / "a.conf").write_text("nonsense\n")
    stage.settle()
    assert shown(mail, "a.example.com") == {second}

    stage.write("sites.yaml", mail_site("b", "b.example.com", "*.b.example.com", "192.0.2.1"))
    stage.settle(Limits(removals=1))
    assert not (mail.include / "a.conf").exists()
    assert shown(mail, "a.example.com") == own


def test_a_default_site_answers_clients_without_a_known_name(mail: Dovecot, stage: Stage) -> None:
    stage.write("mail.yaml", target(mail, defaultSite="a"))
    stage.write("sites.yaml", mail_site("a"), mail_site("b"))
    stage.settle()
    assert shown(mail, None) == {stage.live("a").facts.fingerprint}
    assert shown(mail, "b.example.com") == {stage.live("b").facts.fingerprint}


def test_a_garbage_certificate_stops_the_reload_and_is_named(mail: Dovecot, stage: Stage, tmp_path: Path) -> None:
    stage.write("sites.yaml", mail_site("a"))
    stage.settle()
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----\n")
    (mail.include / "mine.conf").write_text(
        f"local_name mine.example {{\n  ssl_cert = <{garbage}\n  ssl_key = <{garbage}\n}}\n"
    )
    assert mail.test().returncode == 0  # the server's own test sees nothing
    stage.write("sites.yaml", mail_site("a"), mail_site("b"))
    reports = stage.apply()
    [hold] = [hold for (_, reason), hold in held(reports[-1]).items() if reason == Reason.TARGET_BROKEN]
    assert "mine.conf" in hold.message
    assert "our own check of what the server would load fails" in hold.message
    assert mail.reloads == 1
    assert not (mail.include / "b.conf").exists()
    (mail.include / "mine.conf").unlink()


def test_a_template_that_breaks_is_held_alone(mail: Dovecot, stage: Stage) -> None:
    template = (
        "local_name {{ hostnames[0] }} {\n ssl_cert = <{{ fullchain }}\n ssl_key = <{{ key }}\n"
        " {{ values.setting }} = yes\n}\n"
    )
    values = {"setting": "ssl_prefer_server_ciphers"}
    stage.write("mail.yaml", target(mail, template={"inline": template}, values=values))
    bad = site("bad", issuers=["ca"], targets=[{"name": "mail", "values": {"setting": "nonsense"}}])
    stage.write("sites.yaml", mail_site("a"), bad)
    reports = stage.apply()
    failed = {subject for _, subject, status, _ in stage.outcomes(reports) if status == "failed"}
    assert failed == {"site/bad"}
    assert shown(mail, "a.example.com") == {stage.live("a").facts.fingerprint}
    assert not (mail.include / "bad.conf").exists()


def test_a_pair_that_nothing_mends_leaves_alone(mail: Dovecot, stage: Stage, tmp_path: Path) -> None:
    own = make_identity(tmp_path / "own", "b.example.com")
    pair = "local_name {} {{\n ssl_cert = <{}\n ssl_key = <{}\n}}\n"
    template = pair.format("{{ hostnames[0] }}", "{{ fullchain }}", "{{ key }}") + (
        "{% if values.own is defined %}"
        + pair.format("own.example", "{{ values.own }}", "{{ values.key }}")
        + "{% endif %}"
    )
    stage.write("mail.yaml", target(mail, template={"inline": template}))
    use = {"name": "mail", "values": {"own": str(own.certificate), "key": str(own.key)}}
    stage.write("sites.yaml", mail_site("a"), site("b", issuers=["ca"], targets=[use]))
    stage.apply()
    assert (mail.include / "b.conf").exists()
    own.certificate.write_text("nonsense\n")
    renewed = site("a", issuers=["ca"], targets=["mail"], annotations={"certwright/renewAt": "now"})
    stage.write("sites.yaml", renewed, site("b", issuers=["ca"], targets=[use]))
    stage.apply()
    assert shown(mail, "a.example.com") == {stage.live("a").facts.fingerprint}
    assert not (mail.include / "b.conf").exists()
