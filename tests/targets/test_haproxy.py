"""HAProxy: certificate files, the list they stand in, and when the runtime socket does."""

from __future__ import annotations

import pytest

from reconciler.manifests.resolving.builtins import RELOADS, TESTS
from reconciler.model import fragments
from reconciler.model.desired import HaproxyTarget, Reload
from reconciler.model.names import Part
from reconciler.model.ports import Artifact, Changed, Refusal
from reconciler.targets.haproxy import Haproxy, paste_lines
from tests.targets.making import ScriptedHands, seat

DIRECTORY = "/etc/haproxy/certwright.d"
SOCKET = "/run/haproxy/admin.sock"
MADE = (True, "Transaction created for certificate x!")
DONE = (True, "Committing x / Success!")
REPLACED = [Changed(f"{DIRECTORY}/a.pem", Part.COMBINED, "replace")]
SET = ("ask", (SOCKET, f"set ssl cert {DIRECTORY}/a.pem <<", f"{DIRECTORY}/a.pem"))
COMMIT = ("ask", (SOCKET, f"commit ssl cert {DIRECTORY}/a.pem", ""))
ABORT = ("ask", (SOCKET, f"abort ssl cert {DIRECTORY}/a.pem", ""))


def files(target: Haproxy, *hostnames: str, site: str = "a") -> tuple[Artifact, ...]:
    found = target.render([seat(target.spec, site, *hostnames)])[site]
    assert not isinstance(found, Refusal), found
    return found


def with_socket() -> Haproxy:
    declared = HaproxyTarget(name="web", socket=SOCKET, test=TESTS["haproxy"], reload=Reload(RELOADS["haproxy"]))
    return Haproxy(declared)


def test_a_site_is_a_certificate_file_and_a_line() -> None:
    material, listed = files(Haproxy(HaproxyTarget(name="web")), "a.example", "*.a.example", "192.0.2.1", "::1")
    assert (material.path, material.part, material.mode) == (f"{DIRECTORY}/a.pem", Part.COMBINED, 0o600)
    assert (material.text, material.own_directory) == (None, True)
    assert (listed.path, listed.fragment) == (f"{DIRECTORY}/crt-list.txt", True)
    assert listed.text == f"# site a\n{DIRECTORY}/a.pem a.example *.a.example\n"


def test_the_default_site_stands_first() -> None:
    target = Haproxy(HaproxyTarget(name="web", default_site="b"))
    parts = {site: str(files(target, site=site)[1].text) for site in ("a", "b", "c")}
    assert list(fragments.blocks(fragments.joined(parts))) == ["b", "a", "c"]


def test_blocks_come_back_as_they_were_joined() -> None:
    parts = {"b": "# site b\n/b.pem b.example\n", "a.x": "# site a.x\n/a.pem\n"}
    text = fragments.joined(parts)
    assert fragments.is_shared(text)
    assert fragments.blocks(text) == parts
    assert fragments.joined({}) == ""
    assert fragments.blocks("anything\n# sites\n") == {}
    assert fragments.blocks(text + parts["b"])["b"] == parts["b"] * 2, "a line too many is a difference"


@pytest.mark.parametrize("site", ["A", "a b", "a/b", "a\nb", "-a", "a;b", "x\u2028"])
def test_a_name_that_is_none_is_refused(site: str) -> None:
    target = Haproxy(HaproxyTarget(name="web"))
    assert isinstance(target.render([seat(target.spec, site)])[site], Refusal)


def test_a_replaced_certificate_is_committed() -> None:
    hands = ScriptedHands(answers=[MADE, DONE])
    target = with_socket()
    assert target.replaces(REPLACED)
    activated = target.activate(hands, REPLACED)
    assert (activated.ok, activated.how, hands.asked) == (True, "replaced by the runtime socket", [SET, COMMIT])


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ([], "nothing in particular"),
        ([Changed("/x/a.pem", Part.COMBINED, "create")], "new"),
        ([Changed("/x/a.pem", Part.COMBINED, "remove")], "gone"),
        ([*REPLACED, Changed("/x/crt-list.txt", Part.CONFIG, "replace")], "the list too"),
    ],
)
def test_everything_else_is_a_reload(changed: list[Changed], why: str) -> None:
    hands = ScriptedHands()
    assert not with_socket().replaces(changed), why
    assert with_socket().activate(hands, changed).how == "reloaded"
    assert hands.asked == [("reload", ("systemctl", "reload", "haproxy"))]
    assert not Haproxy(HaproxyTarget(name="web")).replaces(REPLACED), "no socket"


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ([], [SET]),
        ([(True, "Can't load the payload")], [SET, ABORT]),
        ([MADE], [SET, COMMIT, ABORT]),
        ([MADE, (True, "Committing x... / failed")], [SET, COMMIT, ABORT]),
    ],
)
def test_what_the_socket_refuses_is_told_and_left_to_the_batch(
    answers: list[tuple[bool, str]], asked: list[tuple[str, tuple[str, ...]]]
) -> None:
    hands = ScriptedHands(answers=list(answers))
    activated = with_socket().activate(hands, REPLACED)
    assert (activated.ok, bool(activated.output), hands.asked) == (False, True, asked)


def test_an_alert_blames_the_files_that_it_names() -> None:
    output = (
        f"[WARNING] (1) : {DIRECTORY}/b.pem is odd\n"
        f"[ALERT] (1) : config : unable to load certificate from file '{DIRECTORY}/a.pem': no start line.\n"
    )
    paths = [f"{DIRECTORY}/{name}.pem" for name in "abc"]
    tested = with_socket().test(ScriptedHands(1, output), paths)
    assert (tested.ok, tested.blamed) == (False, (paths[0],))


def test_what_the_user_pastes() -> None:
    assert f"bind :443 ssl crt-list {DIRECTORY}/crt-list.txt" in paste_lines(HaproxyTarget(name="web"))
    assert "stats socket /x/s mode 600 level admin" in paste_lines(HaproxyTarget(name="web", socket="/x/s"))
