"""A bought certificate, from its files to a server and on: replaced by a new one, handed over to a CA, broken, late."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from reconciler.model.changes import Reason
from reconciler.model.ports import Limits
from reconciler.report.conditions import conditions
from tests.bought import made, seller
from tests.journeys.stage import FULL, SERVER, ca_site, copy_target, document, held, site, told
from tests.loop import street as loop
from tests.servers.processes import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reconciler.engine import Report
    from tests.bought import Party
    from tests.journeys.stage import Stage
    from tests.journeys.street import Street

LOSE = {"certwright/allow-trust-loss": "true"}


def pair(directory: Path) -> dict[str, object]:
    """An import of three files."""
    return {
        "key": {"file": str(directory / "key.pem")},
        "certificate": str(directory / "cert.pem"),
        "chain": str(directory / "chain.pem"),
    }


def ready(report: Report, name: str) -> tuple[str, str]:
    found = conditions(report.declared.sites[name], report.world.sites[name], report.now, report.plan.holds)[0]
    return found.status, found.reason


@pytest.fixture(name="shop")
def _shop(stage: Stage) -> Party:
    """A site `shop` that brings a pair for `*.example.com`, a neighbour `a`, and the CA that sold the pair."""
    ca = seller()
    made("*.example.com", "example.com", above=ca, days=300).put(stage.root / "bought")
    brought = {"import": pair(stage.root / "bought"), "targets": ["copy"]}
    stage.write("target.yaml", copy_target(stage.root / "out"), document("Server", "home", SERVER))
    stage.write("site.yaml", site("shop", **brought), ca_site("a"))
    return ca


def test_imported_served_replaced_and_handed_over(street: Street) -> None:
    stage, ca, files = street.stage, seller(), street.stage.root / "bought"
    first = made("*.example.com", "example.com", above=ca, days=300)
    first.put(files)
    brought = {"issuers": ["imported", "pebble"], "import": pair(files)}
    street.write(street.site("shop", **brought))
    assert {one[:2] for one in told(stage.diff())} == {
        ("issue", "site/shop"),
        ("install", "site/shop"),
        ("reload", "target/web"),
    }, "no account is made at a CA that is not asked"
    stage.settle()
    assert street.served("shop.example.com").fingerprint == first.fingerprint
    assert stage.path("shop", "chain.pem").read_bytes() == ca.pem
    assert "PRIVATE KEY" not in (stage.state / "desired" / "shop.json").read_text()

    second = made("shop.example.com", above=ca, days=365)
    second.put(files)
    report = stage.diff()
    assert told(report) == [("issue", "site/shop", "ImportChanged"), ("reload", "target/web", "CertificateChanged")]
    assert report.plan.changes[0].new_orders == 0
    stage.settle()
    assert street.served("shop.example.com").fingerprint == second.fingerprint

    street.write(street.site("shop", **brought, annotations={**LOSE, "certwright/renewAt": "now"}))
    assert [one[0] for one in told(stage.diff())] == ["register", "issue", "reload"]
    stage.settle()
    street.assert_served("shop")
    assert stage.live("shop").meta.issuer == "pebble"

    third = made("shop.example.com", above=ca, days=3650)
    third.put(files)
    stage.settle()
    assert street.served("shop.example.com").fingerprint == third.fingerprint
    street.write(street.quick("shop"))
    assert held(stage.diff())["shop", Reason.WOULD_LOSE_TRUST].until is not None
    street.write(street.quick("shop", annotations=LOSE))
    assert told(stage.diff())[0] == ("issue", "site/shop", "IssuerChanged")
    stage.settle()
    street.assert_served("shop")
    assert stage.live("shop").meta.issuer == "ca"


def test_handed_over_when_due_and_not_taken_back(stage: Stage, shop: Party) -> None:
    files = stage.root / "bought"
    stage.write("own.yaml", document("Issuer", "sold", {"type": "imported", "trust": "private"}))
    brought = {"import": pair(files), "targets": ["copy"]}
    stage.write("site.yaml", site("shop", issuers=["sold", "ca"], failover={"back": "now"}, **brought))
    stage.settle()
    assert stage.live("shop").meta.issuer == "sold"
    stage.shift = timedelta(days=250)
    assert ("issue", "site/shop", "RenewalDue") in told(stage.diff())
    stage.settle()
    assert stage.live("shop").meta.issuer == "ca"
    assert told(stage.diff()) == [], "the former import stays handed over, although it is still valid"
    stage.shift = timedelta(days=301)
    stage.settle()  # expired on disk by now, and no longer the source
    assert stage.live("shop").meta.issuer == "ca"
    made("shop.example.com", above=shop, days=700).put(files)
    assert ("issue", "site/shop", "ImportChanged") in told(stage.diff())
    stage.settle()
    assert stage.live("shop").meta.issuer == "sold"


def test_one_that_ends_is_told_with_its_dates_and_nothing_is_ordered(stage: Stage, shop: Party) -> None:
    stage.settle()
    stage.shift = timedelta(days=250)
    report = stage.apply()[-1]
    hold = held(report)["shop", Reason.IMPORT_ENDS]
    assert not hold.failed
    assert f"{stage.live('shop').facts.not_after:%Y-%m-%d}" in hold.message
    assert "bring a new one" in hold.message
    assert ready(report, "shop")[0] == "True"
    stage.shift = timedelta(days=301)
    report = stage.apply()[-1]
    assert held(report)["shop", Reason.IMPORT_INVALID].failed
    assert ready(report, "shop") == ("False", "ImportInvalid")
    made("shop.example.com", above=shop, days=500).put(stage.root / "bought")
    stage.settle()


def test_an_older_one_is_not_taken_unless_asked_for(stage: Stage, shop: Party) -> None:
    stage.settle()
    former = stage.live("shop")
    older = made("shop.example.com", above=shop, days=20)
    older.put(stage.root / "bought")
    report = stage.apply()[-1]
    assert held(report)["shop", Reason.STORE_IS_OLDER].message
    assert stage.live("shop").id == former.id
    brought = {"import": pair(stage.root / "bought"), "targets": ["copy"]}
    stage.write("site.yaml", site("shop", annotations={"certwright/renewAt": "now"}, **brought), ca_site("a"))
    stage.settle()
    assert stage.live("shop").facts.fingerprint == older.fingerprint


def spoilt(name: str, data: bytes) -> Callable[[Path, Party], None]:
    """Write a file of the import anew."""

    def damage(files: Path, _seller: Party) -> None:
        (files / name).write_bytes(data)

    return damage


def sold(*names: str, **terms: float) -> Callable[[Path, Party], None]:
    """Bring another pair of the same CA."""

    def damage(files: Path, ca: Party) -> None:
        made(*names, above=ca, **{"days": 300, **terms}).put(files)  # type: ignore[arg-type]

    return damage


def special(make: Callable[[Path], None]) -> Callable[[Path, Party], None]:
    """Put something else in the place of the key."""

    def damage(files: Path, _seller: Party) -> None:
        (files / "key.pem").unlink()
        make(files / "key.pem")

    return damage


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 30)


DAMAGES: Final[dict[str, tuple[Callable[[Path, Party], None], str, str]]] = {
    "garbage": (spoilt("cert.pem", b"rubbish"), "no certificate in PEM or DER", "cert.pem"),
    "wrong key": (spoilt("key.pem", made("x").key_pem().reveal()), "for none of the", "key.pem and "),
    "passphrase": (
        spoilt("key.pem", made("x").key_pem(b"word").reveal()),
        "has a passphrase, and none was given",
        "key.pem",
    ),
    "other names": (sold("other.example.com"), "does not cover shop.example.com", "cert.pem"),
    "expired": (sold("shop.example.com", born=60, days=-1), "expired at", "cert.pem"),
    "early": (sold("shop.example.com", born=-5), "valid only from", "cert.pem"),
    "gone": (special(lambda _path: None), "key.pem", "key.pem"),
    "fifo": (special(os.mkfifo), "not a regular file", "key.pem"),
    "huge": (special(huge), "more than the", "key.pem"),
    "no chain": (spoilt("chain.pem", b"rubbish"), "no certificate in PEM or DER", "chain.pem"),
    "no key": (spoilt("key.pem", b"rubbish"), "the private key cannot be read", "key.pem"),
    "dangling": (special(lambda path: path.symlink_to(path.parent / "nowhere")), "nowhere", "key.pem"),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_broken_import_is_told_and_holds_nobody_else(stage: Stage, shop: Party, how: str) -> None:
    damage, word, blamed = DAMAGES[how]
    damage(stage.root / "bought", shop)
    report = stage.apply()[-1]
    hold = held(report)["shop", Reason.IMPORT_INVALID]
    assert hold.failed
    assert word in hold.message
    assert f"{stage.root}/bought/{blamed}" in hold.message
    assert blamed != "key.pem" or "cert.pem" not in hold.message
    assert "PRIVATE" not in hold.message
    assert ready(report, "shop") == ("False", "ImportInvalid")
    assert ready(report, "a")[0] == "True"
    assert stage.live("shop").meta.placeholder
    assert told(stage.diff()) == [], "nothing more is wanted until it is mended"


def test_a_server_starts_although_an_import_is_broken(street: Street) -> None:
    stage, files = street.stage, street.stage.root / "bought"
    good = made("shop.example.com", above=seller())
    good.put(files)
    (files / "cert.pem").write_bytes(b"rubbish")
    blocks = "".join(
        f"server {{ listen 127.0.0.1:{street.tls_port} ssl; server_name {name}.example.com;"
        f" ssl_certificate {stage.state}/live/{name}/fullchain.pem;"
        f" ssl_certificate_key {stage.state}/live/{name}/privkey.pem; }}\n"
        for name in ("shop", "a")
    )
    street.http(blocks)
    target = {"layout": "live", "configDirectory": None}
    street.write(site("shop", **{"import": pair(files)}, targets=["web"]), street.quick("a"), target=target)
    report = stage.apply()[-1]
    assert ready(report, "shop") == ("False", "ImportInvalid")
    assert ready(report, "a") == ("True", "Served"), "the neighbour's block is loaded with ours"
    assert stage.live("shop").meta.placeholder
    good.put(files)
    stage.settle()
    assert street.served("shop.example.com").fingerprint == good.fingerprint


def test_a_good_certificate_stays_while_its_import_is_broken(stage: Stage, shop: Party) -> None:
    stage.settle()
    former, out = stage.live("shop"), stage.root / "out" / "shop.crt"
    DAMAGES["garbage"][0](stage.root / "bought", shop)
    brought = {"import": pair(stage.root / "bought"), "issuers": ["imported", "ca"], "targets": ["copy"]}
    stage.write("site.yaml", site("shop", "shop.example.com", "b.example.org", annotations=LOSE, **brought))
    report = stage.apply()[-1]
    assert ready(report, "shop") == ("False", "ImportInvalid")
    assert stage.live("shop").id == former.id, "a CA is not asked while the import is only broken"
    assert out.read_bytes() == stage.path("shop", "fullchain.pem").read_bytes()
    stage.shift = timedelta(days=250)
    stage.apply()
    assert stage.live("shop").meta.issuer == "ca", "but it is before there would be a gap"


def test_quiet_passes_notice_a_new_pair_behind_a_link(stage: Stage, shop: Party) -> None:
    files = stage.root / "bought"
    real = files.rename(stage.root / "2026")
    files.mkdir()
    for name in ("key.pem", "cert.pem", "chain.pem"):
        (files / name).symlink_to(real / name)
    stage.settle()
    time.sleep(0.05)  # what changed a moment ago is looked at once more
    with stage.app() as app:
        app.engine.converge(FULL, app.executor(), Limits(), lambda _: None, lambda _: None)
        assert app.engine.look(FULL, Limits()).quiet == 2
        made("shop.example.com", above=shop, days=400).put(real)
        report = app.engine.look(FULL, Limits())
    assert report.quiet == 1
    assert told(report)[0] == ("issue", "site/shop", "ImportChanged")


def test_run_takes_a_mended_and_a_new_pair_by_itself(tmp_path: Path) -> None:
    lane, ca, files = loop.Street(tmp_path), seller(), tmp_path / "bought"
    made("other.example.com", above=ca).put(files)
    brought = f", import: {{key: {{file: {files}/key.pem}}, certificate: {files}/cert.pem, chain: {files}/chain.pem}}"
    lane.write("shop", loop.site("shop", issuer="imported", extra=brought))
    with loop.running(lane) as process:
        until(lambda: process.says("ImportInvalid site/shop"), "the hold begins")
        first, second = made("shop.example.com", above=ca), made("shop.example.com", above=ca, days=200)
        first.put(files)
        until(lane.installed("shop").exists, "the mended pair is installed", seconds=30)
        second.put(files)
        until(lambda: lane.installed("shop").read_bytes().startswith(second.pem), "and the new one", seconds=30)
        assert process.stop() == 0
    assert "Traceback" not in process.log
