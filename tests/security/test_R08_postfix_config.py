"""R8: whatever stands in a name, Postfix reads the lines of a harmless one in the SNI map, or the site is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.desired import PostfixTarget
from reconciler.model.fragments import blocks
from reconciler.model.names import Hostname
from reconciler.model.ports import Refusal
from reconciler.targets.postfix import Postfix, names
from tests.security.test_R08_nginx_config import HOSTILE
from tests.targets.making import seat

SPEC = PostfixTarget(name="mail", config_directory="/c")


def check(field: str, text: str) -> None:
    site = replace(seat(SPEC, "x", "x"), **{field: (text,) if field == "hostnames" else text})  # type: ignore[arg-type]
    (found,) = Postfix(SPEC).render([site]).values()
    if isinstance(found, Refusal) or (field == "hostnames" and Hostname(text).is_address):
        return
    material, source = found
    lines = (source.text or "").split("\n")
    assert [len(line.split(" ")) for line in lines[1:]] == [2, 1]
    assert lines[0].startswith("# site ")
    assert len(blocks(source.text or "")) == 1
    assert [one.certificate for one in names(source.text or "")] == [material.path]
    assert material.path.count("/") == 2
    assert source.path == "/c/sni"


@pytest.mark.parametrize("text", [*HOSTILE, " x", "\tx", "# x", "a b", "sni\n"])
@pytest.mark.parametrize("field", ["site", "hostnames"])
def test_hostile_text_adds_no_line(field: str, text: str) -> None:
    check(field, text)


@given(text=st.text(min_size=1, max_size=30), field=st.sampled_from(["site", "hostnames"]))
def test_no_text_adds_a_line(text: str, field: str) -> None:
    check(field, text)


@given(name=st.from_regex(r"(\*\.)?[a-z0-9-]{1,8}(\.[a-z0-9-]{1,8}){1,3}", fullmatch=True))
def test_a_wildcard_is_the_parent_with_a_dot(name: str) -> None:
    if Hostname(name).is_address:
        return
    (found,) = Postfix(SPEC).render([seat(SPEC, "x", name)]).values()
    assert not isinstance(found, Refusal)
    assert (found[1].text or "").splitlines()[1] == f"{name.removeprefix('*')} /c/x.pem"
