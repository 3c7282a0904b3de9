"""A file that sites share, edited while it stands as somebody's editor left it."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.execute.batches.switching import blocks
from reconciler.execute.batches.switching.content import Content
from reconciler.model import fragments

LINES = st.sampled_from(["/x.pem x.example.com", "# a comment", "", "  ", "/y.pem", "# site", "\r"])
ENDS = st.sampled_from(["\n", "\r\n", "\n\n"])
TEXTS = st.lists(st.tuples(LINES, ENDS), max_size=3).map(lambda found: "".join(map("".join, found)))
PARTS = st.dictionaries(st.sampled_from("abcz"), TEXTS, min_size=1)


def content(text: str) -> Content:
    return Content(text.encode(), 0o644, 0, 0)


@given(parts=PARTS, above=st.sampled_from([fragments.HEAD, "", "# by hand\r\n"]), cut=st.booleans())
@example(parts={"c": "/c.pem c.example.com\n"}, above=fragments.HEAD, cut=True)
def test_new_lines_cost_no_other_site_its_own(parts: dict[str, str], above: str, *, cut: bool) -> None:
    text = above + "".join(fragments.block(site, lines) for site, lines in parts.items())
    text = text.removesuffix("\n") if cut else text
    before = fragments.blocks(text)
    mine = fragments.block("n", "/n.pem n.example.com\n")
    edited = blocks.edited(content(text), {"n": content(mine)})
    assert edited is not None
    after = fragments.blocks(edited.data.decode())
    assert after.pop("n") == mine
    assert after == {site: part if part.endswith("\n") else f"{part}\n" for site, part in before.items()}
