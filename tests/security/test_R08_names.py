"""R8: injection through names and values. Types come first: any text is refused, or the configuration keeps shape."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.doors.hostnames import parse_hostname
from reconciler.doors.templates.api import Job, Renderer, RenderError

TEMPLATE = """\
server {
    server_name{% for name in hostnames %} {{ name }}{% endfor %};
    root {{ values.root }};
    error_log {{ values.log }} {{ values.level }};
}
"""
HOSTILE = [
    "\n",
    ";",
    "{",
    "}",
    "$",
    "'",
    '"',
    "\\",
    " ",
    "#",
    "\0",
    "\u2028",
    "\uff1b",
    "\r",
    "\t",
    "%",
    "`",
    "|",
    "&",
    "<",
]


def directives(text: str) -> list[tuple[str, int]]:
    """Split text without quotes, escapes and comments the way nginx does: each directive's name and number of words."""
    assert not re.search(r"['\"\\#$]", text)
    found = re.findall(r"([^;{}]*)([;{}])", text)
    return [(words.split()[0] if words.split() else end, len(words.split())) for words, end in found]


NORMAL = directives(
    TEMPLATE.replace("{% for name in hostnames %} {{ name }}{% endfor %}", " x")
    .replace("{{ values.root }}", "x")
    .replace("{{ values.log }} {{ values.level }}", "x x")
)


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.parametrize("shape", ["{}a.example", "a{}b.example", "a.example{}", "*{}.example", "a.example;{}"])
def test_a_hostname_with_a_hostile_character_is_refused(piece: str, shape: str) -> None:
    for public in (True, False):
        with pytest.raises(ValueError, match="is not a hostname"):
            parse_hostname(shape.replace("{}", piece), public=public)


def test_letters_of_other_alphabets_never_pass_as_they_are() -> None:
    for text in ("\u0430.example.com", "\uff41.example.com", "a\u0660.example.com", "\u212a.example.com"):
        try:
            name, _ = parse_hostname(text, public=True)
        except ValueError:
            continue
        assert name.isascii()
        assert name == name.lower()


@given(st.text(max_size=60), st.text(max_size=30), st.text(max_size=30))
@settings(deadline=None)
def test_any_text_in_a_value_leaves_the_same_directives(renderer: Renderer, root: str, log: str, level: str) -> None:
    variables = {"hostnames": ["x"], "values": {"root": root, "log": log, "level": level}}
    result = renderer.render([Job("t", TEMPLATE, variables)])[0]
    if isinstance(result, RenderError):
        return
    # an empty value is the one thing that may take a word away: it never adds one
    same = [(name, words) for name, words in directives(result)]
    assert [name for name, _ in same] == [name for name, _ in NORMAL]
    assert all(words <= most for (_, words), (_, most) in zip(same, NORMAL, strict=True))


@given(st.text(max_size=60))
@settings(deadline=None)
def test_any_text_as_a_hostname_leaves_the_same_directives(renderer: Renderer, text: str) -> None:
    try:
        name, _ = parse_hostname(text, public=False)
    except ValueError:
        return
    result = renderer.render(
        [Job("t", TEMPLATE, {"hostnames": [name], "values": dict.fromkeys(["root", "log", "level"], "x")})]
    )
    assert directives(str(result[0])) == NORMAL
