"""Postfix: what is checked before the map is built, what needs a reload, and the file that stays."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.execute.batches.switching.blocks import edited
from reconciler.execute.batches.switching.content import Content
from reconciler.manifests.resolving.builtins import RELOADS, TESTS
from reconciler.model.desired import PostfixTarget, Reload
from reconciler.model.fragments import HEAD, block, blocks
from reconciler.model.names import Part
from reconciler.model.ports import Changed
from reconciler.targets.postfix import Postfix, paste_lines
from tests.targets.making import ScriptedHands

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reconciler.model.ports import Named

SPEC = PostfixTarget(
    name="mail",
    config_directory="/c",
    postmap=("postmap", "-F", "hash:/c/sni"),
    default_site="d",
    test=TESTS["postfix"],
    reload=Reload(RELOADS["postfix"]),
)
A, D = (Changed(f"/c/{site}.pem", Part.COMBINED, "replace") for site in "ad")


@dataclass
class CheckedHands(ScriptedHands):
    """Hands that find these files unusable."""

    bad: dict[str, str] = field(default_factory=dict)

    def unusable(
        self,
        directory: str,  # noqa: ARG002
        suffix: str,  # noqa: ARG002
        named: Callable[[str], Sequence[Named]],  # noqa: ARG002
    ) -> Mapping[str, str]:
        return self.bad


def test_only_the_default_sites_certificate_or_a_doubt_needs_a_reload() -> None:
    for changed, commands in (((A,), 1), ((A, D), 2), ((), 2)):
        hands = CheckedHands(0, "")
        assert Postfix(SPEC).activate(hands, changed).ok
        assert [argv for _, argv in hands.asked] == [SPEC.postmap, ("postfix", "reload")][:commands]


def test_no_map_is_built_of_what_is_unusable() -> None:
    hands = CheckedHands(0, "", bad={"/c/sni": "/c/sni names /c/a.pem: it is garbage"})
    tested = Postfix(SPEC).test(hands, ["/c/a.pem", "/c/b.pem", "/c/sni"])
    assert (tested.ok, tested.blamed) == (False, ("/c/sni", "/c/a.pem"))
    assert "garbage" in Postfix(SPEC).activate(hands, (A,)).output
    assert hands.asked == []


def test_an_entry_that_postmap_leaves_out_is_a_failure() -> None:
    told = "postmap: warning: /c/sni, line 2: open /c/a.pem: No such file or directory: skipping this entry"
    answer = Postfix(SPEC).activate(CheckedHands(0, told), (A,))
    assert (answer.ok, answer.output) == (False, told)


def test_the_lines_to_paste_name_the_map_that_is_built() -> None:
    assert "tls_server_sni_maps = hash:/c/sni" in paste_lines(SPEC)


def test_the_file_stays_when_its_last_block_leaves() -> None:
    text = block("a", "a.example /c/a.pem\n", kept=True)
    first = edited(None, {"a": Content(text.encode(), 0o600, 0, 0)})
    assert first is not None
    assert first.data.decode() == HEAD + text
    empty = edited(first, {"a": None})
    assert empty is not None
    assert (empty.data.decode(), empty.mode, blocks(HEAD)) == (HEAD, 0o600, {})
    assert edited(empty, {"a": None}) == empty
    listed = edited(None, {"a": Content(block("a", "x\n").encode(), 0o644, 0, 0)})
    assert edited(listed, {"a": None}) is None


def test_the_map_is_known_where_the_command_says_what_it_makes() -> None:
    for kind, path in {"hash": "/c/sni.db", "btree": "/c/sni.db", "lmdb": "/c/sni.lmdb", "cdb": "/c/sni.cdb"}.items():
        assert Postfix(replace(SPEC, postmap=("sudo", "postmap", "-F", f"{kind}:/c/sni"))).built == {path: kind}
    for words in (("postmap", "texthash:/c/sni"), ("postmap", "hash:/other/sni"), ("make", "maps")):
        assert Postfix(replace(SPEC, postmap=words)).built == {}


def test_only_postmap_itself_is_given_a_copy() -> None:
    copies = {("/usr/sbin/postmap", "-F", "hash:/c/sni"): True, ("sudo", "postmap", "hash:/c/sni"): False}
    for command, copied in copies.items():
        hands = CheckedHands(0, "", bad={})
        assert Postfix(replace(SPEC, postmap=command)).activate(hands, (A,)).ok
        assert hands.copied == ([("/c/sni", command)] if copied else [])
