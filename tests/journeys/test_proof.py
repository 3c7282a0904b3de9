"""The proof asks for every name of a site, once each, and says who answers for one that is not right."""

from __future__ import annotations

import os
import signal
import socket
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from reconciler.cli.shared import handshakes
from reconciler.execute.probes.handshakes import FEW
from tests.servers.identity import make_identity
from tests.servers.processes import until

if TYPE_CHECKING:
    import pytest

    from tests.journeys.street import Street

LATER = timedelta(minutes=10)
NAMES = ("one.example.com", "www.one.example.com")
# what a user's own template may do: the second name is forgotten
ONE_NAME = (
    "server {{ listen 127.0.0.1:{port} ssl{{% if default %}} default_server{{% endif %}}; "
    "server_name {{{{ hostnames[0] }}}}; ssl_certificate {{{{ fullchain }}}}; ssl_certificate_key {{{{ key }}}}; }}\n"
)


def failed(street: Street) -> tuple[str, str]:
    """Apply; give the reload's failure."""
    reports = street.stage.apply()
    [reload] = [one for one in reports[0].outcomes if one.change.verb == "reload"]
    assert reload.status == "failed"
    return reload.reason or "", reload.message


def test_a_name_that_another_site_answers_for(street: Street) -> None:
    target: dict[str, object] = {"template": {"inline": ONE_NAME.format(port=street.tls_port)}, "defaultSite": "two"}
    street.write(street.quick("one", *NAMES), street.quick("two"), target=target)
    reason, message = failed(street)
    assert reason == "NameServedElsewhere"
    place = f"127.0.0.1 port {street.tls_port}"
    assert f"{place} answers for www.one.example.com with the certificate of site two" in message
    [port] = street.stage.memory("one").served["web"].ports
    assert (port.reason, port.names) == ("NameServedElsewhere", ("one.example.com",))
    assert street.stage.memory("two").served["web"].ok
    first, every = "{{ hostnames[0] }}", "{% for name in hostnames %} {{ name }}{% endfor %}"
    target["template"] = {"inline": ONE_NAME.format(port=street.tls_port).replace(first, every)}
    street.write(street.quick("one", *NAMES), street.quick("two"), target=target)
    street.stage.shift = LATER
    street.stage.settle()
    street.assert_served("one", *NAMES)


def test_a_name_that_a_block_of_the_users_answers_for(street: Street) -> None:
    """Nothing of ours is taken back by it, now or at a renewal: the name never showed the site's certificate."""
    stranger = make_identity(street.stage.root / "stranger", "www.one.example.com")
    street.http(
        f"server {{ listen {street.tls_port} ssl; server_name www.one.example.com; "
        f"ssl_certificate {stranger.certificate}; ssl_certificate_key {stranger.key}; }}"
    )
    street.web.reload()
    street.write(street.quick("one", *NAMES))
    for _ in range(2):
        reason, message = failed(street)
        assert reason == "NameServedElsewhere"
        assert "another server block answers for this one" in message
        assert (street.web.include / "one.conf").exists()
        assert street.served("one.example.com").fingerprint == street.stage.live("one").facts.fingerprint
        street.stage.shift += timedelta(days=300)
    with street.stage.app(read_only=True) as app:
        app.tree.refresh()
        checks = handshakes.Checks(app)
        checks.add_sites(["one"], None)
        assert {item["sni"]: item["reason"] for item in checks.run()} == {
            "one.example.com": "Served",
            "www.one.example.com": "NameServedElsewhere",
        }


def test_of_a_name_that_was_given_to_a_block_of_the_users_no_renewal_is_to_blame(street: Street) -> None:
    """The site was served until somebody answered for it himself: its new certificate stays, and nobody refused it."""
    street.write(street.quick("one", *NAMES))
    street.stage.settle()
    stranger = make_identity(street.stage.root / "stranger", *NAMES)
    street.http(
        f"server {{ listen {street.tls_port} ssl; server_name {' '.join(NAMES)}; "
        f"ssl_certificate {stranger.certificate}; ssl_certificate_key {stranger.key}; }}"
    )
    former = street.stage.live("one")
    street.web.reload()
    until(lambda: street.served(NAMES[0]).fingerprint != former.facts.fingerprint, "nginx answers by the user's block")
    reloads = street.web.reloads
    street.stage.shift += timedelta(days=70)
    reason, message = failed(street)
    assert reason == "NotIncluded"
    assert "refused" not in message
    assert street.stage.live("one").id != former.id
    assert street.web.reloads == reloads + 1
    # what the user takes back is served at the next look, by the certificate that was renewed
    street.http()
    street.web.reload()
    street.stage.shift += LATER
    street.stage.settle()
    street.assert_served("one", *NAMES)


def test_what_a_proof_costs(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    """One handshake a name and port, one a port beforehand, and a second look at a few; none for other sites."""
    count, looks = 100, 12
    made: Counter[int] = Counter()
    real = socket.create_connection

    def counted(address: tuple[str, int], *more: object, **named: object) -> socket.socket:
        made[address[1]] += 1
        return real(address, *more, **named)  # type: ignore[arg-type]

    def write(more: str = "") -> None:
        sites = [street.quick(f"s{number}", f"s{number}.test", f"*.s{number}.test") for number in range(count)]
        extra = [street.quick("more", "more.test", f"{more}.test")] if more else []
        street.write(*sites, *extra)

    write()
    monkeypatch.setattr(socket, "create_connection", counted)
    street.stage.settle()
    assert made.pop(street.tls_port) <= 1 + 2 * count + FEW * looks, "a few are asked until nginx has reloaded"
    street.stage.settle()
    assert not made
    write("www")
    street.stage.settle()
    assert made.pop(street.tls_port) <= 1 + 2 * looks, "the sites that did not change are not asked"
    assert not made


def test_a_server_that_is_restarted_slowly_is_waited_for(street: Street) -> None:
    """Its ports refuse connections for more than a second, which takes nothing back."""
    street.write(street.quick("one", *NAMES))
    street.stage.settle()
    former = street.stage.live("one")
    begin = f"sleep 1.2; {' '.join(street.web.argv)}"
    restart = ["/bin/sh", "-c", f"kill {street.web.pid}; ({begin}) > /dev/null 2>&1 &"]
    again = {"annotations": {"certwright/renewAt": "now"}}
    street.write(street.quick("one", *NAMES, **again), target={"reload": {"command": restart}})
    try:
        street.stage.settle()
        assert street.stage.live("one") != former
        street.assert_served("one", *NAMES)
    finally:
        os.kill(int((street.web.root / "nginx.pid").read_text()), signal.SIGTERM)
