"""`import` is written into a manifest as a person would: one line, and every other byte stays."""

from __future__ import annotations

import difflib
from typing import Any, Final

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import UsageError
from reconciler.manifests.editing import flow, with_import

DATA: Final[dict[str, Any]] = {"key": {"file": "/s/privkey.pem"}, "certificate": "/s/fullchain.pem"}
LINE: Final = "import: {key: {file: /s/privkey.pem}, certificate: /s/fullchain.pem}"
HEAD: Final = "apiVersion: certwright/v1\nkind: Site\nmetadata: {name: shop}\n"
OTHER: Final = (
    "# first\napiVersion: certwright/v1\nkind: Site\nmetadata: {name: a}\nspec: {hostnames: [a.example.com]}\n---\n"
)

FORMS: Final = {
    "block": (
        "spec:\n  # the shop\n  hostnames: [shop.example.com]  # one\n\n# end\n",
        f"spec:\n  {LINE}\n  # the shop\n  hostnames: [shop.example.com]  # one\n\n# end\n",
    ),
    "flow": ("spec: {hostnames: [shop.example.com]}\n", f"spec: {{{LINE}, hostnames: [shop.example.com]}}\n"),
    "again": (
        "spec:\n  import: {key: {file: /old}, certificate: /o}  # bought in May\n  hostnames: [a.example.com]\n",
        f"spec:\n  {LINE}  # bought in May\n  hostnames: [a.example.com]\n",
    ),
    "instead of nothing": (
        "spec:\n  import: null # none yet\n  hostnames: [a.example.com]\n",
        f"spec:\n  {LINE} # none yet\n  hostnames: [a.example.com]\n",
    ),
    "again, in blocks": (
        "spec:\n  import:\n    key:\n      file: /old\n\n    certificate: /o\n\n  # x\n  hostnames: [a.example.com]\n",
        f"spec:\n  {LINE}\n\n  # x\n  hostnames: [a.example.com]\n",
    ),
    "at the end": (
        "spec:\n  hostnames: [a.example.com]\n  import: {pkcs12: {file: /o}}",
        f"spec:\n  hostnames: [a.example.com]\n  {LINE}",
    ),
}
ISSUERS: Final = {
    "flow": ("issuers: [ca]", "issuers: [imported, ca]"),
    "block": (
        "issuers:\n    # mine\n    - ca\n    - le",
        "issuers:\n    # mine\n    - imported\n    - ca\n    - le",
    ),
}


def edited(text: str, issuer: str | None = None) -> str:
    return with_import(text.encode(), "/f.yaml", "shop", DATA, issuer).decode()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("before", ["", OTHER, "\ufeff"])
def test_one_line_changes(form: str, ends: str, before: str) -> None:
    old, new = ((before + HEAD + text).replace("\n", ends) for text in FORMS[form])
    assert edited(old) == new
    assert edited(new) == new, "the same again is no change"


@pytest.mark.parametrize("form", ISSUERS)
def test_the_issuer_comes_first(form: str) -> None:
    old, new = ISSUERS[form]
    spec = "spec:\n  hostnames: [shop.example.com]\n  "
    assert edited(f"{HEAD}{spec}{old}\n", "imported") == f"{HEAD}spec:\n  {LINE}\n{spec[6:]}{new}\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}spec: {{hostnames: [shop.example.com], import: null}}\n",
        f'{HEAD}spec:\n  hostnames: [shop.example.com]\n  import: {{pkcs12: {{file: "/o"}}}}\n',
        f"{HEAD}spec: &x {{hostnames: [shop.example.com]}}\n---\n{HEAD.replace('shop', 'x')}spec: {{}}\n",
        f"{HEAD}spec:\n  hostnames: [shop.example.com]\r\n",
        f"{HEAD}spec:\n  hostnames: [shop.example.com]\n  import:  # bought\n    pkcs12: {{file: /o}}\n",
        f"{HEAD}spec:\n  hostnames: [shop.example.com]\n  import:\n    # bought\n    pkcs12: {{file: /o}}\n",
        "rubbish",
        "",
    ],
)
def test_what_is_not_clear_is_left_to_a_person_with_the_line(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be edited safely") as refusal:
        edited(text)
    assert LINE in str(refusal.value)


def test_issuers_behind_an_alias_are_left_to_a_person() -> None:
    anchor = "metadata: {name: shop, annotations: {a: b}}"
    spec = "spec:\n  hostnames: [shop.example.com]\n  hostnameSets: &x [ca]\n  issuers: *x\n"
    text = HEAD.replace("metadata: {name: shop}", anchor) + spec
    with pytest.raises(UsageError, match="cannot be edited safely") as refusal:
        edited(text, "imported")
    assert f"{LINE} and `imported` first in `issuers`" in str(refusal.value)


STYLES: Final = {"mixed": None, "flow": True, "block": False}
SPECS: Final = st.fixed_dictionaries(
    {"hostnames": st.lists(st.sampled_from(["a.example.com", "*.b.example.com", "c.d"]), min_size=1, unique=True)},
    optional={
        "suspend": st.booleans(),
        "issuers": st.lists(st.sampled_from(["ca", "letsencrypt"]), min_size=1, unique=True),
        "import": st.sampled_from([{"pkcs12": {"file": "/x y"}}, {"key": {"file": "/k"}, "certificate": "/c"}]),
        "targets": st.lists(st.sampled_from([{"name": "a", "values": {"k": "#"}}, "web"]), min_size=1, unique_by=str),
    },
)


@given(spec=SPECS, style=st.sampled_from(sorted(STYLES)), width=st.sampled_from([20, 200]))
def test_it_says_what_it_should_or_nothing_is_done(spec: dict[str, Any], style: str, width: int) -> None:
    site = {"apiVersion": "certwright/v1", "kind": "Site", "metadata": {"name": "shop"}, "spec": spec}
    text: str = yaml.safe_dump(site, default_flow_style=STYLES[style], width=width, sort_keys=False)
    issuer = "imported" if "issuers" in spec else None
    try:
        new = edited(text, issuer)
    except UsageError:
        return
    wanted = {**spec, "import": DATA} | ({"issuers": ["imported", *spec["issuers"]]} if issuer else {})
    assert yaml.safe_load(new)["spec"] == wanted
    changed = [line for line in difflib.ndiff(text.splitlines(), new.splitlines()) if line.startswith("+ ")]
    assert len(changed) <= 3


@given(
    st.dictionaries(st.sampled_from(["key", "chain"]), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
)
def test_what_is_written_reads_back(data: dict[str, str]) -> None:
    assert yaml.safe_load(flow(data)) == data
