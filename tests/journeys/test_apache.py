"""Apache: its own test passes a garbage or mismatched certificate, and the reload then ends it. Ours does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from reconciler.model.ports import Limits
from tests.journeys.loops import asking, failed
from tests.journeys.stage import SERVER, Stage, document, site
from tests.servers.handshake import handshake
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from tests.servers.apache import Apache
    from tests.servers.handshake import Served


@dataclass
class Yard:
    """An Apache and sites that the embedded CA signs."""

    stage: Stage
    web: Apache
    port: int = field(default_factory=free_port)

    def write(self, *sites: dict[str, object], **target: object) -> None:
        values = {
            "type": "apache",
            "layout": "vhost",
            "configDirectory": str(self.web.include),
            "test": list(self.web.test_argv),
            "reload": {"command": list(self.web.reload_argv)},
            "verify": {"ports": [self.port]},
            **target,
        }
        given = {name: value for name, value in values.items() if value is not None}
        self.stage.write("base.yaml", document("Server", "home", SERVER), document("Target", "web", given))
        self.stage.write("sites.yaml", *sites)

    def site(self, name: str, **spec: object) -> dict[str, object]:
        return site(name, **{"issuers": ["ca"], "targets": ["web"], **spec})

    def served(self, name: str) -> Served:
        return handshake(self.port, f"{name}.example.com")

    def assert_served(self, *names: str) -> None:
        for name in names:
            assert self.served(name).fingerprint == self.stage.live(name).facts.fingerprint
        assert self.web.alive, self.web.error_log


@pytest.fixture(name="yard")
def _yard(stage: Stage, apache: Apache) -> Yard:
    made = Yard(stage, apache)
    apache.configure(f"Listen 127.0.0.1:{made.port}")
    apache.start()
    return made


def test_install_renew_drift_and_removal(yard: Yard) -> None:
    yard.write(yard.site("a"), yard.site("b"))
    yard.stage.settle()
    yard.assert_served("a", "b")
    assert yard.web.reloads == 1
    first = yard.served("a").fingerprint
    # renewed
    yard.write(yard.site("a", annotations={"certwright/renewAt": "now"}), yard.site("b"))
    yard.stage.settle()
    yard.assert_served("a", "b")
    assert yard.served("a").fingerprint != first
    # drift
    (yard.web.include / "a.conf").unlink()
    (yard.web.include / "b.conf").write_text("nonsense\n")
    yard.stage.settle()
    yard.assert_served("a", "b")
    # removed
    yard.write(yard.site("a", annotations={"certwright/renewAt": "now"}))
    yard.stage.settle(Limits(removals=1))
    yard.assert_served("a")
    assert [path.name for path in yard.web.include.iterdir()] == ["a.conf"]


def test_a_broken_site_among_many_is_held_alone(yard: Yard) -> None:
    names = [f"s{number}" for number in range(8)]
    yard.write(*(yard.site(name) for name in names))
    yard.stage.settle()
    broken = {"name": "web", "values": {"extra": "/nowhere/x.conf"}}
    again = {"annotations": {"certwright/renewAt": "now"}}
    yard.write(*(yard.site(name, **again, targets=[broken] if name == "s5" else ["web"]) for name in names))
    reports = yard.stage.apply()
    bad = [one for one in yard.stage.outcomes(reports) if one[2] != "done"]
    assert [(verb, subject) for verb, subject, *_ in bad] == [("install", "site/s5")]
    assert "/nowhere/x.conf" in bad[0][3]
    yard.assert_served(*names)
    assert yard.web.reloads == 2


@pytest.mark.parametrize("what", ["garbage", "mismatch", "missing", "empty"])
def test_a_bad_certificate_never_reaches_apache(yard: Yard, what: str) -> None:
    """A site that nobody can mend now has a bad certificate; the renewal of another goes live, and Apache lives on."""
    names = [f"s{number}" for number in range(5)]
    yard.write(*(yard.site(name) for name in names))
    yard.stage.settle()
    key = yard.stage.path("s2", "privkey.pem")
    chain = yard.stage.path("s2", "fullchain.pem")
    if what == "garbage":
        chain.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    elif what == "mismatch":
        key.write_bytes(yard.stage.path("s1", "privkey.pem").read_bytes())
    elif what == "missing":
        chain.unlink()
    else:
        chain.write_bytes(b"")
    blind = what in ("garbage", "mismatch")
    assert yard.web.test().returncode == (0 if blind else 1), "Apache itself does not see it"
    again = {"annotations": {"certwright/renewAt": "now"}}
    with asking(yard.port, "s0.example.com") as seen:
        yard.write(*(yard.site(name, **({"suspend": True} if name == "s2" else again)) for name in names))
        reports = yard.stage.apply()
    assert failed(seen) == []
    yard.assert_served(*(name for name in names if name != "s2"))
    assert not (yard.web.include / "s2.conf").exists(), "with it no reload is possible, for anybody's sake"
    bad = [one[:3] for one in yard.stage.outcomes(reports) if one[2] != "done"]
    assert bad == [("install", "site/s2", "failed")], "the other sites are not concerned"
    last = yard.stage.memory("s2").failures["target/web"].last
    assert last is not None
    assert "s2.conf names" in last.detail
    # as soon as it may be mended it is, and goes live again
    yard.write(*(yard.site(name, **again) for name in names))
    yard.stage.settle()
    yard.assert_served(*names)


def test_a_certificate_that_a_template_of_the_users_names_is_checked_too(yard: Yard) -> None:
    template = (
        "<VirtualHost *:{{ ports[0] }}>\nServerName {{ hostnames[0] }}\nSSLEngine on\n"
        "SSLCertificateFile {{ values.cert or fullchain }}\nSSLCertificateKeyFile {{ key }}\n</VirtualHost>\n"
    )
    garbage = yard.stage.root / "garbage.pem"
    garbage.write_text("nothing\n")
    target = {"template": {"inline": template}, "values": {"cert": False}}
    yard.write(yard.site("a"), yard.site("b"), **target)
    yard.stage.settle()
    again = {"annotations": {"certwright/renewAt": "now"}}
    bad = {"targets": [{"name": "web", "values": {"cert": str(garbage)}}]}
    with asking(yard.port, "b.example.com") as seen:
        yard.write(yard.site("a", **again), yard.site("b", **bad), **target)
        reports = yard.stage.apply()
    assert failed(seen) == []
    [outcome] = [one for one in yard.stage.outcomes(reports) if one[2] != "done"]
    assert outcome[1] == "site/b"
    assert "garbage.pem" in outcome[3]
    yard.assert_served("a", "b")


def test_a_file_that_is_not_ours_and_names_garbage_stops_the_reload_and_is_not_touched(yard: Yard) -> None:
    yard.write(yard.site("a"))
    yard.stage.settle()
    stray = yard.web.include / "stray.conf"
    stray.write_text("<VirtualHost *:1>\nSSLCertificateFile /nowhere.pem\n</VirtualHost>\n")
    text = stray.read_text()
    yard.write(yard.site("a", annotations={"certwright/renewAt": "now"}))
    with asking(yard.port, "a.example.com") as seen:
        yard.stage.apply()
    assert (failed(seen), yard.web.reloads, stray.read_text()) == ([], 1, text)
    stray.unlink()
    yard.stage.shift = timedelta(minutes=10)
    yard.stage.settle()
    yard.assert_served("a")


def test_the_reload_under_load_waits_but_fails_nobody(yard: Yard) -> None:
    yard.write(yard.site("a"))
    yard.stage.settle()
    yard.write(yard.site("a", annotations={"certwright/renewAt": "now"}))
    with asking(yard.port, "a.example.com") as seen:
        yard.stage.settle()
    assert failed(seen) == []
    assert len({what for _, what in seen}) == 2
    assert max(took for took, _ in seen) < 5, "Apache lets new connections wait while it reads its configuration"


def test_three_things_broken_at_once_among_fifty_sites(yard: Yard) -> None:
    """A garbage certificate, a broken value and a deleted file: 49 sites are Ready, one says why not."""
    names = [f"s{number}" for number in range(50)]
    yard.write(*(yard.site(name) for name in names))
    yard.stage.settle()
    yard.stage.path("s10", "fullchain.pem").write_text("garbage\n")
    (yard.web.include / "s20.conf").unlink()
    broken = {"targets": [{"name": "web", "values": {"extra": "/nowhere/x.conf"}}]}
    with asking(yard.port, "s0.example.com") as seen:
        yard.write(*(yard.site(name, **(broken if name == "s30" else {})) for name in names))
        reports = yard.stage.apply()
    assert failed(seen) == []
    bad = {(subject, text.split()[0]) for _, subject, status, text in yard.stage.outcomes(reports) if status != "done"}
    assert bad == {("site/s30", "RejectedByServer")}
    yard.assert_served(*names)  # s30 with the file that was good
    assert "/nowhere/x.conf" in yard.stage.memory("s30").failures["target/web"].last.detail  # type: ignore[union-attr]


def test_what_is_mended_beside_a_batch_is_not_its_fault(yard: Yard) -> None:
    """A worker mends one site's pair while the deleted file of another is put back: nobody is held."""
    sites = yard.site("a"), yard.site("b", suspend=True)
    yard.write(yard.site("a"), yard.site("b"))
    yard.stage.settle()
    pair, saved = yard.stage.path("b", "fullchain.pem"), yard.stage.root / "saved.pem"
    saved.write_bytes(pair.read_bytes())
    mending = f"sleep 0.5; cp {saved} {pair}; exec {' '.join(yard.web.test_argv)}"
    yard.write(*sites, test=["/bin/sh", "-c", mending])
    pair.write_text("garbage\n")
    (yard.web.include / "a.conf").unlink()
    reports = yard.stage.apply()
    assert [outcome for outcome in yard.stage.outcomes(reports) if outcome[2] != "done"] == []
    yard.assert_served("a", "b")


def test_with_the_stores_own_files_in_the_users_hosts_a_broken_one_stops_the_reload(yard: Yard) -> None:
    live = yard.stage.state / "live"
    hosts = "\n".join(
        f"<VirtualHost *:{yard.port}>\nServerName {name}.example.com\nSSLEngine on\n"
        f"SSLCertificateFile {live}/{name}/fullchain.pem\nSSLCertificateKeyFile {live}/{name}/privkey.pem\n"
        "</VirtualHost>"
        for name in "ab"
    )
    yard.web.configure(f"Listen 127.0.0.1:{yard.port}\n{hosts}")
    target = {"layout": "live", "configDirectory": None}
    yard.write(yard.site("a"), yard.site("b"), **target)
    yard.stage.settle()
    yard.assert_served("a", "b")
    yard.stage.path("b", "fullchain.pem").write_text("garbage\n")
    again = {"annotations": {"certwright/renewAt": "now"}}
    yard.write(yard.site("a", **again), yard.site("b", suspend=True), **target)
    with asking(yard.port, "a.example.com") as seen:
        reports = yard.stage.apply()
    assert failed(seen) == []
    assert any("site b cannot be used" in text for *_, text in yard.stage.outcomes(reports))
    yard.write(yard.site("a", **again), yard.site("b"), **target)
    yard.stage.apply()
    yard.stage.shift = timedelta(minutes=10)
    yard.stage.settle()
    yard.assert_served("a", "b")
