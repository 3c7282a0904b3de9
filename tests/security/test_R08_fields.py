"""R8, R3: what reaches paths, commands and configuration is checked whole and in ASCII; no error quotes a secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifests.kinds.challenge_method import split_endpoint
from reconciler.manifests.kinds.fields import parse_email, parse_hostname_field, parse_machine, parse_mode, parse_name
from reconciler.manifests.kinds.paths import parse_argv, parse_path, parse_target_path, parse_webroot
from reconciler.manifests.kinds.urls import parse_directory
from reconciler.manifests.kinds.validate import Invalid, validate_document
from reconciler.manifests.text.documents import read_documents
from reconciler.model.ports import Refusal
from reconciler.targets import files

if TYPE_CHECKING:
    from collections.abc import Callable

INJECTIONS = [
    "\n", "\r", "\0", "\t", " ", ";", "{", "}", "$", "'", '"', "\\", "#", "`", "|", "&", "<", ">", "*",
    "é", "\uff41", "\u2028", "\u202e", "\x1b",
]  # fmt: skip
PARSERS: list[tuple[Callable[[object], object], str]] = [
    (parse_name, "site"),
    (parse_machine, "host.example"),
    (parse_path, "/etc/nginx/x"),
    (parse_target_path, "/etc/{site}/x"),
    (parse_webroot, "/var/{hostname}"),
    (parse_mode, "0600"),
]
SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/@+-")
SECRET = "hunter2-CANARY"


@pytest.mark.parametrize("injected", INJECTIONS)
@pytest.mark.parametrize(("parse", "good"), PARSERS)
def test_no_field_lets_a_special_character_through(parse: Callable[[object], object], good: str, injected: str) -> None:
    assert parse(good) is not None
    for text in (good + injected, injected + good, good[:2] + injected + good[2:]):
        with pytest.raises(ValueError, match=r"."):
            parse(text)


@given(st.text(max_size=40))
def test_a_path_that_is_taken_is_of_the_safe_alphabet(text: str) -> None:
    for candidate in (text, f"/{text}", f"/a/{text}/b"):
        try:
            path = parse_path(candidate)
        except ValueError:
            continue
        assert set(path) <= SAFE
        assert not {"..", ""} & set(path.removeprefix("/").split("/"))


@given(st.text(max_size=30))
def test_a_placeholder_never_leaves_its_part(value: str) -> None:
    path = files._filled("/a/{site}/b", {"site": value})
    if isinstance(path, Refusal):
        return
    assert path == f"/a/{value}/b"
    assert set(value) <= SAFE - {"/"}


@given(st.text(max_size=60))
def test_any_text_is_taken_whole_or_refused(text: str) -> None:
    parsers = (
        parse_name,
        parse_machine,
        parse_email,
        parse_hostname_field,
        parse_directory,
        parse_argv,
        split_endpoint,
    )
    for parse in parsers:
        said = "taken"
        try:
            parse(text)
        except ValueError as error:
            said = str(error)
        assert said
        assert "\n" not in said


@pytest.mark.parametrize("word", ["a\nb", "a\0b", "\x1b[0m", 5, None, ["a"], ""])
def test_a_command_takes_no_control_character(word: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_argv(["nginx", word])


@pytest.mark.parametrize("program", ["./x", "../x", "a/b", "/a/../b", "", "-\n", "/usr/bin/", "a b", "$x", "//x"])
def test_a_program_is_a_bare_name_or_an_absolute_path(program: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_argv([program])


def problems_of(text: str) -> str:
    reading = read_documents(text.encode(), "f.yaml")
    found = list(reading.problems)
    for document in reading.documents:
        outcome = validate_document(document)
        found += outcome.problems if isinstance(outcome, Invalid) else ()
    assert found
    return "\n".join(f"{problem} {problem.excerpt}" for problem in found)


ISSUER = "apiVersion: certwright/v1\nkind: Issuer\nmetadata: {name: x}\nspec:\n  type: acme\n  directory: letsencrypt\n"


@pytest.mark.parametrize(
    "spec",
    [
        f"  eab: {{kid: k, hmacKey: {SECRET}}}\n",
        f"  eab: {{kid: 1, hmacKey: {SECRET}}}\n",
        f"  eab:\n    kid: k\n    hmacKey: {SECRET}\n",
        f"  eab:\n    kid: k\n    hmacKey:\n      {SECRET}\n",
        f"  eab:\n    kid: k\n    hmacKey:\n      file: {SECRET} not a path\n",
        f"  eab:\n    kid: k\n    hmacKey: {{{SECRET}: 1}}\n",
        f"  eab:\n    kid: k\n    hmacKey: [{SECRET}]\n",
        f"  eab:\n    kid: k\n    hmackey: {SECRET}\n",
        f'  eab:\n    kid: k\n    hmacKey: "{SECRET}\n',
        f"  eab:\n    kid: k\n    hmacKey: !{SECRET} x\n",
        f"  eab:\n    kid: k\n    hmacKey: *{SECRET}\n",
        f"  eab:\n    kid: k\n    hmacKey: *.{SECRET}\n",
        f"  eab: {SECRET}\n",
        f"  password: {SECRET}\n",
        f"  token: [{SECRET}\n",
    ],
)
def test_no_problem_quotes_a_secret(spec: str) -> None:
    assert SECRET not in problems_of(ISSUER + spec)


@pytest.mark.parametrize("label", ["", "EC ", "RSA ", "OPENSSH ", "ENCRYPTED "])
def test_a_private_key_is_refused_and_no_line_of_it_quoted(label: str) -> None:
    body = "MHcCAQEEIAbCdEf0123456789\n"
    text = ISSUER + f"  key: |\n-----BEGIN {label}PRIVATE KEY-----\n{body}-----END {label}PRIVATE KEY-----\n"
    said = problems_of(text)
    assert "a private key stands here" in said
    assert "MHcC" not in said


@given(st.text(st.sampled_from("ab:-?*&!|>[]{},#'\"%@ \n\t"), max_size=30), st.text("ab:-{}[]'\" \n", max_size=10))
def test_no_damage_around_a_private_key_quotes_it(before: str, after: str) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----\n"
    reading = read_documents(f"{before}\n{key}{after}".encode(), "f.yaml")
    assert not reading.documents or all("CANARY" not in json.dumps(one.data) for one in reading.documents)
    assert all("CANARY" not in f"{problem}{problem.excerpt}" for problem in reading.problems)
