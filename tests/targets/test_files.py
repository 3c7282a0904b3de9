"""The target `files`: where copies go, and which paths are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.desired import FileRule, FilesTarget, Reload, Values, Verify
from reconciler.model.names import Part
from reconciler.model.ports import Refusal
from reconciler.targets.files import Files
from tests.targets.making import ScriptedHands, one, refusal, seat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.ports import Artifact

PATH = "/etc/ssl/{site}.pem"


def files(*rules: FileRule, **changes: object) -> FilesTarget:
    return FilesTarget(name="f", files=rules, **changes)  # type: ignore[arg-type]


def rendered(path: str, *hostnames: str, values: Values | None = None) -> Mapping[str, tuple[Artifact, ...] | Refusal]:
    spec = files(FileRule(Part.FULLCHAIN, path, 0o644), values={"team": "red", "flag": True, "many": (1, 2)})
    return Files(spec).render([seat(spec, "a", *hostnames, values=values)])


def test_a_hosting_panels_layout() -> None:
    base = "/home/virtual/{site}/fst/etc/httpd/conf"
    spec = files(
        FileRule(Part.KEY, f"{base}/ssl.key/server.key", 0o600),
        FileRule(Part.CERTIFICATE, f"{base}/ssl.crt/server.crt", 0o644, "root", "www-data"),
        FileRule(Part.COMBINED, "/etc/haproxy/ssl.d/{site}", 0o600),
    )
    target = Files(spec)
    found = target.render([seat(spec)])["a"]
    assert not isinstance(found, Refusal)
    assert [(artifact.path, artifact.part, artifact.mode) for artifact in found] == [
        ("/home/virtual/a/fst/etc/httpd/conf/ssl.key/server.key", Part.KEY, 0o600),
        ("/home/virtual/a/fst/etc/httpd/conf/ssl.crt/server.crt", Part.CERTIFICATE, 0o644),
        ("/etc/haproxy/ssl.d/a", Part.COMBINED, 0o600),
    ]
    assert (found[1].owner, found[1].group) == ("root", "www-data")
    assert all(artifact.text is None for artifact in found)
    assert target.copies
    assert target.shared([seat(spec)]) == ()


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/x/{site}/{hostname}.pem", "/x/a/a.example.pem"),
        ("/x/{server}-{values.team}.pem", "/x/svr-red.pem"),
        ("/x/{values.port}", "/x/8443"),
    ],
)
def test_placeholders(path: str, outcome: str) -> None:
    assert one(rendered(path, values={"port": 8443})).path == outcome


def test_a_wildcard_gets_a_plain_name() -> None:
    assert one(rendered("/x/{hostname}.pem", "*.a.example", "a.example")).path == "/x/_wildcard.a.example.pem"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/x/{values.v}", ".."),
        ("/x/{values.v}", "."),
        ("/x/{values.v}", "a/b"),
        ("/x/{values.v}", "../../etc/cron.d/x"),
        ("/x/{values.v}", ""),
        ("/x/{values.v}", "a\nb"),
        ("/x/{values.v}", "a b"),
        ("/x/{values.v}", "a\0b"),
        ("/x/{values.v}", "x" * 256),
        ("/x/{values.v}", True),
        ("{values.v}", "x"),
        ("x/{values.v}", "x"),
        ("/x/{values.v}/", "x"),
        ("/x//{values.v}", "x"),
        ("/x/{values.none}", "x"),
        ("/x/{values.many}", "x"),
        ("/x/{nothing}", "x"),
        ("/x/{values.v", "x"),
        ("/x/{site.__class__}", "x"),
    ],
)
def test_a_path_that_is_not_safe_is_refused(path: str, value: str | bool) -> None:  # noqa: FBT001
    assert refusal(rendered(path, values={"v": value})).reason == "PathRefused"


def test_a_value_that_is_missing_is_told_with_the_place_for_it() -> None:
    assert "write it into `values` of the Target" in refusal(rendered("/x/{values.none}")).message


@given(value=st.text(max_size=40))
def test_whatever_a_value_holds_the_path_stays_below_its_directory(value: str) -> None:
    found = rendered("/x/{values.v}/key", values={"v": value})["a"]
    if not isinstance(found, Refusal):
        parts = found[0].path.split("/")
        assert (len(parts), parts[:2], parts[3]) == (4, ["", "x"], "key")
        assert parts[2] not in {"", ".", ".."}


def test_an_address_in_a_path_is_refused_where_it_has_colons() -> None:
    assert refusal(rendered("/x/{hostname}", "2001:db8::1")).reason == "PathRefused"
    assert one(rendered("/x/{hostname}", "192.0.2.1")).path == "/x/192.0.2.1"


def test_a_key_that_others_may_read_is_refused() -> None:
    for part in (Part.KEY, Part.COMBINED):
        spec = files(FileRule(part, PATH, 0o644))
        assert "private key" in refusal(Files(spec).render([seat(spec)])).message
    spec = files(FileRule(Part.KEY, PATH, 0o640))
    assert one(Files(spec).render([seat(spec)])).mode == 0o640


def test_set_id_bits_are_refused() -> None:
    spec = files(FileRule(Part.CHAIN, PATH, 0o4644))
    assert refusal(Files(spec).render([seat(spec)])).reason == "PathRefused"


def test_two_sites_with_one_path_are_both_refused_and_a_third_is_not() -> None:
    spec = files(FileRule(Part.FULLCHAIN, "/x/{values.v}", 0o644))
    sites = [seat(spec, name, values={"v": value}) for name, value in (("a", "same"), ("b", "same"), ("c", "own"))]
    found = Files(spec).render(sites)
    assert "site b" in refusal(found, "a").message
    assert "site a" in refusal(found, "b").message
    assert one(found, "c").path == "/x/own"


def test_two_files_of_one_site_with_one_path_are_refused() -> None:
    spec = files(FileRule(Part.FULLCHAIN, "/x/{site}", 0o644), FileRule(Part.CHAIN, "/x/{values.v}", 0o644))
    assert "two files" in refusal(Files(spec).render([seat(spec, values={"v": "a"})])).message


def test_without_commands_nothing_is_run() -> None:
    hands = ScriptedHands(1)
    target = Files(files(FileRule(Part.KEY, PATH, 0o600)))
    assert target.test(hands, []).ok
    assert target.activate(hands, []).ok
    assert hands.asked == []


def test_declared_commands_are_run_and_files_that_they_name_are_blamed() -> None:
    spec = files(FileRule(Part.KEY, PATH, 0o600), test=("check",), reload=Reload(("load",)))
    hands = ScriptedHands(2, "bad file /etc/ssl/a.pem, line 3.\n/etc/ssl/a.pem.\n/etc/ssl/other.pem")
    target = Files(spec)
    tested = target.test(hands, ["/etc/ssl/a.pem", "/etc/ssl/b.pem"])
    assert (tested.ok, tested.blamed) == (False, ("/etc/ssl/a.pem",))
    assert not target.activate(hands, []).ok
    assert hands.asked == [("test", ("check",)), ("reload", ("load",))]


def test_a_probe_for_each_declared_port_only() -> None:
    spec = files(FileRule(Part.KEY, PATH, 0o600), verify=Verify("192.0.2.1", (993,)))
    (probe,) = Files(spec).probes(seat(spec))
    assert (probe.address, probe.port, probe.sni) == ("192.0.2.1", 993, "a.example")
    assert Files(files(FileRule(Part.KEY, PATH, 0o600))).probes(seat(spec)) == ()
