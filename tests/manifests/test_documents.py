from __future__ import annotations

import json
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifests.text import documents
from reconciler.manifests.text.composing import ALIAS_LIMIT, DEPTH_LIMIT, NODE_LIMIT, PROBLEM_LIMIT, Composer
from reconciler.manifests.text.documents import Document, Reading, read_documents
from reconciler.manifests.text.rawtext import split


def read(text: str | bytes) -> Reading:
    return read_documents(text.encode() if isinstance(text, str) else text, "site.yaml")


def only(text: str) -> Document:
    (document,) = read(text).documents
    return document


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("off", "off"),
        ("1:30", "1:30"),
        ("010", "010"),
        ("-010", "-010"),
        ("0", 0),
        ("-5", -5),
        ("+7", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("~", None),
        ("", None),
        ("null", None),
        ("NULL", None),
        ("nUll", "nUll"),
        ("true", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("\u0661", "\u0661"),
        ("=", "="),
        ("'no'", "no"),
        ('"1"', "1"),
        ("'~'", "~"),
    ],
)
def test_a_word_means_what_yaml_1_2_says(word: str, value: object) -> None:
    data = only(f"a: {word}\n").data
    assert isinstance(data, dict)
    assert data["a"] == value
    assert type(data["a"]) is type(value)


BAD = [
    ("tab", "a:\n\tb: 1\n", 2, 1, "a tab indents this line: use spaces"),
    ("tab in a list", "a:\n  - b\n\t- c\n", 3, 1, "a tab indents this line: use spaces"),
    ("duplicate key", "a: 1\nb: 2\na: 3\n", 3, 1, "the key `a` stands here a second time; the first is in line 1"),
    ("duplicate in second document", "a: 1\n---\nb: 1\nb: 2\n", 4, 1, "the first is in line 3"),
    ("unquoted wildcard", "hostnames:\n  - *.example.com\n", 2, 5, 'put it in quotes: "*.example.com"'),
    ("unquoted wildcard in flow", "hostnames: [a, *.example.com]\n", 1, 16, 'put it in quotes: "*.example.com"'),
    ("unquoted mode", "key: {path: /a, mode: 0600}\n", 1, 23, 'write "0600"'),
    ("unknown alias", "a: *b\n", 1, 4, "this alias refers to no anchor above it"),
    ("alias to itself", "a: &x [*x]\n", 1, 8, "this alias refers to no anchor above it"),
    ("alias as key", "a: &x 1\n*x : 2\n", 2, 1, "cannot be a key"),
    ("NUL", "a: 1\nb: \0\n", 2, 4, "NUL"),
    ("escape", "a: \x1b[1m\n", 1, 4, "U+001B"),
    ("a line break of another sort", "a: x\u2028b\n", 1, 5, "U+2028"),
    ("byte order mark inside", "a: 1\nb: \ufeff\n", 2, 4, "U+FEFF"),
    ("not UTF-8", b"a: 1\nbc: \xff\n", 2, 5, "byte 0xff is not UTF-8"),
    ("not UTF-8 after a byte order mark", b"\xef\xbb\xbfa: 1\nbc: \xfe\n", 2, 5, "byte 0xfe is not UTF-8"),
    ("UTF-16", "a: 1\n".encode("utf-16"), 1, 1, "is not UTF-8"),
    ("custom tag", "a: !python/object:os.system x\n", 1, 4, "tags are not read"),
    ("standard tag", "a: !!str 1\n", 1, 4, "tags are not read"),
    ("number as key", "1: a\n", 1, 1, 'a key must be text: write "1"'),
    ("boolean as key", "true: a\n", 1, 1, 'write "true"'),
    ("null as key", "~: a\n", 1, 1, 'write "~"'),
    ("list as key", "? [a]\n: b\n", 1, 3, "a key must be text"),
    ("mapping as key", "{{site}}: b\n", 1, 1, "needs quotes"),
    ("merge key", "a: &x {b: 1}\nc:\n  <<: *x\n", 3, 3, "merge keys"),
    ("two values in a line", "a: b: c\n", 1, 5, "put the text in quotes"),
    ("open quote", 'a: "b\nc: d\n', 1, 4, "a quote is opened here and never closed"),
    ("open list", "a: [b\nc: d\n", 1, 4, "a list that opens here with `[`"),
    ("open mapping", "a: {b: 1\nc: d\n", 1, 4, "a mapping that opens here with `{`"),
    ("reserved character", "a: @b\n", 1, 4, "put it in quotes"),
    ("percent", "a: %b\n", 1, 4, "put it in quotes"),
    ("bad indentation", "a:\n   b: 1\n  c: 2\n", 3, 3, "check the indentation"),
    ("list item among keys", "- a\nb: 1\n", 2, 1, "check its indentation"),
    ("bad escape", 'a: "\\q"\n', 1, 5, "use single quotes"),
    ("text after a quote", "a: 'b' c\n", 1, 8, "around a quote"),
    ("key without colon", "a: 1\nb\n", 2, 1, "lacks its `: `"),
    ("long number", f"a: {'9' * 5000}\n", 1, 4, "a number of 5000 digits"),
    ("too deep in brackets", "a: " + "[" * 5000, 1, 35, "nested more than 32 deep"),
    ("too deep in dashes", "- " * 5000, 1, 65, "nested more than 32 deep"),
    ("private key", "a: |\n  -----BEGIN EC PRIVATE KEY-----\n  MHcC\n", 2, 3, "a private key stands here"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_input_is_one_problem_at_its_place(text: str | bytes, line: int, column: int, message: str) -> None:
    (problem,) = read(text).problems
    assert (problem.file, problem.line, problem.column) == ("site.yaml", line, column)
    assert message in problem.message


@pytest.mark.parametrize("text", [row[1] for row in BAD if isinstance(row[1], str)])
def test_without_libyaml_the_same_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for chunk in split(text):
        pure, fast = Composer(), Composer()
        stopped = documents._feed(chunk.text, fast)
        with monkeypatch.context() as patch:
            patch.setattr(yaml, "CSafeLoader", yaml.SafeLoader)
            assert bool(documents._feed(chunk.text, pure)) == bool(stopped)
        assert [(bad.line, bad.message) for bad in pure.problems] == [(bad.line, bad.message) for bad in fast.problems]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "# nothing\n",
        "---\n",
        "---\n---\n...\n",
        "\ufeff",
    ],
)
def test_what_holds_nothing_is_no_document(text: str) -> None:
    assert read(text) == Reading((), ())


def test_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    document = only("\ufeffa: 1\r\nb:\r\n  - x\r\n")
    assert document.data == {"a": 1, "b": ["x"]}
    assert document.place(("b", 0)) == (3, 5)


def test_a_broken_document_hides_neither_the_others_nor_their_problems() -> None:
    reading = read('a: 1\n---\nb: "open\n---\nc: 3\n---\nd: [\n')
    assert [document.data for document in reading.documents] == [{"a": 1}, {"c": 3}]
    assert [problem.line for problem in reading.problems] == [3, 8]


def test_all_problems_of_a_document_are_told_at_once() -> None:
    problems = read("a: !x 1\nmode: 0644\n1: 2\nb: 1\nb: 2\n").problems
    assert [problem.line for problem in problems] == [1, 2, 3, 5]


def test_problems_of_one_document_are_bounded() -> None:
    assert len(read("a: 1\n" * 5000).problems) == PROBLEM_LIMIT


def test_a_directive_and_comments_belong_to_the_document_after_them() -> None:
    document = only("# yaml-language-server: $schema=x\n%YAML 1.2\n---\na: 1\n")
    assert document.place(("a",)) == (4, 4)


def test_three_dashes_inside_a_word_start_no_document() -> None:
    assert only("a: |\n  ---\n  b\nc: ---x\n").data == {"a": "---\nb\n", "c": "---x"}


def test_places_of_values_and_keys() -> None:
    document = read("x: 1\n---\na:\n  - b: {c: 1}\n  - 2\n").documents[1]
    assert document.place(("a",)) == (4, 3)
    assert document.place(("a",), key=True) == (3, 1)
    assert document.place(("a", 0, "b", "c")) == (4, 12)
    assert document.place(("a", 0, "b", "c"), key=True) == (4, 9)
    assert document.place(("a", 0, "absent", 3)) == (4, 5)
    assert document.place() == (3, 1)


def test_an_alias_is_its_value_and_stands_where_it_is_used() -> None:
    document = only("a: &x [1, 2]\nb: *x\n")
    assert document.data == {"a": [1, 2], "b": [1, 2]}
    assert document.place(("b", 1)) == (2, 4)


def test_an_alias_bomb_is_refused_fast() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    start = time.monotonic()
    (problem,) = read("\n".join(lines)).problems
    assert time.monotonic() - start < 2
    assert f"more than {NODE_LIMIT} values" in problem.message


def test_aliases_are_bounded() -> None:
    (problem,) = read("a: &a 1\nb: [" + "*a, " * (ALIAS_LIMIT + 1) + "]\n").problems
    assert f"more than {ALIAS_LIMIT} aliases" in problem.message


def test_depth_within_the_bound_is_read() -> None:
    assert read("[" * DEPTH_LIMIT + "]" * DEPTH_LIMIT).problems == ()
    half = DEPTH_LIMIT // 2
    assert read(f"- &a {nested(half - 1)}\n- {nested(half - 1, '*a')}\n").problems == ()


def nested(depth: int, inner: str = "") -> str:
    return "[" * depth + inner + "]" * depth


def test_what_stands_behind_an_alias_is_as_deep_as_if_it_were_written_there() -> None:
    half = DEPTH_LIMIT // 2
    (problem,) = read(f"- &a {nested(half)}\n- {nested(half, '*a')}\n").problems
    assert (problem.line, problem.column) == (2, 3 + half)
    assert problem.message == f"nested more than {DEPTH_LIMIT} deep"
    chain = "".join(f"- &a{number} {nested(25, f'*a{number - 1}')}\n" for number in range(1, 70))
    text = f"apiVersion: &a0 []\nkind:\n{chain}metadata: *a69\n"
    (problem,) = read(text).problems
    assert problem.line == 4
    (problem,) = read("- &a {x: &b [[1]]}\n- " + nested(DEPTH_LIMIT - 2, "*b, [*b]") + "\n").problems
    assert problem.line == 2


def test_a_file_of_50_megabytes_is_refused_unparsed() -> None:
    raw = b"- " * (25 * 1024 * 1024)
    start = time.monotonic()
    (problem,) = read(raw).problems
    assert time.monotonic() - start < 10
    assert (problem.line, problem.message) == (0, "the file has 52428800 bytes; at most 1048576 are read: split it")


def test_the_offending_line_is_quoted() -> None:
    (problem,) = read("a: 1\nb: b: c   \n").problems
    assert problem.excerpt == "b: b: c"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for problem in read(raw).problems:
        assert problem.message
        assert "\n" not in problem.excerpt


YAML_LIKE = st.text(st.sampled_from("ab:-?*&!|>[]{},#'\"%@ \n\t\\01~.<=é\r"), max_size=60)


@given(YAML_LIKE)
def test_any_text_is_read_or_refused_at_a_place_inside_it(text: str) -> None:
    reading = read(text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    assert all(1 <= problem.line <= lines and problem.column >= 1 for problem in reading.problems)
    for document in reading.documents:
        assert document.place() >= (1, 1)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_what_json_says_is_read_back(value: object) -> None:
    reading = read(json.dumps({"a": value}, ensure_ascii=False))
    assert [document.data for document in reading.documents] == [{"a": value}]
