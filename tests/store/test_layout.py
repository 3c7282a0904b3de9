from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.errors import UsageError
from reconciler.store import layout
from reconciler.store.layout import Layout, directory_segment, segment

SPECIFICATION = Path(__file__).resolve().parents[2] / "state" / "README.md"
ROW = re.compile(r"\| `([^`]+)` \| (0[0-7]{3}|link) \|")
FILLED = {"site": "s", "target": "t", "name": "n", "id": "i", "token": "k", "revision": "20260101T000000Z-00000000"}


def test_the_specification_has_the_table_of_the_code() -> None:
    specified = dict(ROW.findall(SPECIFICATION.read_text()))
    coded = {row.pattern: "link" if row.mode is None else f"0{row.mode:o}" for row in layout.ROWS}
    assert specified == coded
    assert len(layout.ROWS) == len(coded)


def test_every_path_of_the_code_stands_in_the_table() -> None:
    paths = Layout("")
    r = FILLED["revision"]
    formed = [
        *(f"{paths.fixed(name)}/" for name in layout.FIXED),
        f"{paths.ca('n')}/",
        f"{paths.certificates('s')}/",
        f"{paths.revision('s', r)}/",
        *(f"{paths.revision('s', r)}/{name}" for name in layout.REVISION_FILES),
        paths.live("s"),
        f"{paths.imports('s')}/",
        f"{paths.imported('s', r)}/",
        *(f"{paths.imported('s', r)}/{name}" for name in layout.IMPORT_FILES),
        f"{paths.orders('s')}/",
        f"{paths.orders('s')}/order.json",
        paths.token("k"),
        paths.undo("i"),
        paths.desired("s"),
        paths.status("s"),
        f"{paths.inventory('t')}/",
        paths.inventory_of("t", "s"),
        f"{paths.archive('s')}/",
        paths.lock("run"),
        paths.lock("site/s"),
        paths.lock("target/t"),
    ]
    known = set()
    for row in layout.ROWS:
        text = row.pattern
        for name, value in FILLED.items():
            text = text.replace(f"<{name}>", value)
        known.add(f"/{text}")
    assert set(formed) <= known


NAMES = st.one_of(
    st.text(max_size=260),
    st.text(alphabet="abcXYZ019._-", max_size=260),
    st.sampled_from(["..", ".", "", "*", "*.a", "a/../b", "a\0", "a\n", "%2e%2e", "\uff41", "x" * 200, "x" * 253]),
)


@given(NAMES)
@example("a" * 253)
def test_a_name_is_one_part_of_a_path_as_it_is_or_refused(name: str) -> None:
    if not layout.is_segment(name):
        with pytest.raises(UsageError) as caught:
            segment(name)
        assert len(str(caught.value)) < 300
        assert not {"\n", "\x1b", "\0"} & set(str(caught.value))
        return
    part = segment(name)
    assert part == name == segment(part)
    assert 0 < len(part.encode()) <= 200
    assert not {"/", "\0"} & set(part)
    assert part[0] not in ".-"
    assert os.path.normpath(f"/live/{part}") == f"/live/{part}"


@given(NAMES, NAMES)
def test_two_names_never_share_a_path(one: str, other: str) -> None:
    paths = Layout("/s")
    try:
        same = paths.status(one) == paths.status(other) or paths.live(one) == paths.live(other)
    except UsageError:
        return
    assert same == (one == other)


@given(st.one_of(st.text(), st.from_regex(r"https?://[a-z0-9.:\[\]-]{0,300}/.*", fullmatch=True)))
def test_every_directory_url_has_a_folder(url: str) -> None:
    folder = directory_segment(url)
    assert segment(folder) == folder


def test_directories_of_one_host_have_two_folders() -> None:
    one, other = directory_segment("https://ca.example/a"), directory_segment("https://ca.example/b")
    assert one != other
    assert one.startswith("ca.example-")


@pytest.mark.parametrize(
    "name", ["", "x", "20260101T000000Z-0000000", "20260101T000000Z-00000000-0", "../x", "20260101T000000Z-00000000\n"]
)
def test_what_is_no_revision_is_refused(name: str) -> None:
    assert not layout.is_revision(name)
    with pytest.raises(UsageError):
        Layout("/s").revision("a", name)


def test_an_address_may_be_the_host_of_an_account() -> None:
    assert Layout("").lock("account/::1/default") == "/locks/account/__1/default"
