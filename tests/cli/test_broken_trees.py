"""A tree with something wrong in it: told like a compiler's errors, and no verb that only looks gives up for it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.program import ENTRY

if TYPE_CHECKING:
    from tests.program import Program


def test_problems_are_told_like_a_compilers_all_at_once(program: Program) -> None:
    (program.manifests / "bad.yaml").write_text(
        "apiVersion: certwright/v1\nkind: Site\nmetadata: {name: bad}\nspec: {hostname: [a.test]}\n"
    )
    (program.manifests / "tab.yaml").write_text("a:\n\tb: 1\n")
    for verb in ("validate", "diff", "apply"):
        told = program(verb)
        assert (told.returncode, told.stdout) == (2, "")
        lines = told.stderr.splitlines()
        assert lines[0].startswith(f"{program.manifests}/bad.yaml:4:8: unknown field `hostname`")
        assert lines[1:3] == ["    spec: {hostname: [a.test]}", "           ^"]
        assert lines[-1] == "2 errors in 2 files; nothing was touched"
    assert not list(program.out.iterdir())


def test_a_name_of_two_sites_is_told_where_it_stands(program: Program) -> None:
    program.site("one", "shared.test")
    two = program.site("two", "own.test", "shared.test")
    told = program("validate")
    assert told.returncode == 2
    column = two.read_text().splitlines()[3].index("shared.test") + 1
    assert told.stderr.startswith(f"{two}:4:{column}: site two: shared.test on target disk belongs to site one already")


def test_keep_going_holds_only_what_is_broken(applied: Program) -> None:
    (applied.manifests / "bad.yaml").write_text("kind: Site\n")
    applied.site("good")
    told = applied("apply", "--keep-going")
    assert (applied.out / "good.pem").exists()
    assert "the rest goes on" in told.stderr


def test_an_empty_tree_is_told(program: Program) -> None:
    (program.manifests / "server.yaml").unlink()
    for verb in ("validate", "diff", "apply"):
        told = program(verb)
        assert told.returncode == 2
        assert "holds no manifest" in told.stderr


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
@pytest.mark.parametrize("root", ["server.yaml", ""])
def test_files_that_say_nothing_are_told(program: Program, text: str, root: str) -> None:
    """One file, or a tree of such: as one without files."""
    (program.manifests / "server.yaml").write_text(text)
    for verb in ("validate", "diff", "apply"):
        told = program("-f", str(program.manifests / root), verb)
        assert (told.returncode, "holds no manifest" in told.stderr) == (2, True), told.stderr


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_standard_input_is_told(program: Program, text: str) -> None:
    """As an empty tree: what writes it may have failed."""
    for verb in ("validate", "diff", "apply"):
        argv = [*ENTRY, "-f", "-", "--state", str(program.state), verb]
        told = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, env=program.environment())
        assert told.returncode == 2
        assert told.stderr.startswith("<stdin>: holds no manifest: did the command that writes it fail?\n")


def test_who_only_looks_goes_by_the_last_good_meaning(applied: Program) -> None:
    other = applied.site("other")
    assert applied("apply").returncode == 0
    good = other.read_text()
    other.write_text(good.replace("hostnames", "hostname"))
    place = f"{other}:4:8: unknown field `hostname`"
    for verb in (("why",), ("verify",), ("describe", "site")):
        for name in ("example", "other"):
            told = applied(*verb, name)
            assert (told.returncode, told.stderr.startswith(place)) == (0, True), told.stderr
            assert "goes by what it last meant" in told.stderr
    assert (
        f"InvalidManifest: the manifest is not valid; the last good meaning is kept: {place}"
        in applied("why", "other").stdout
    )
    other.write_text(good.replace("hostnames", "hostname").replace("name: other", "name: another"))
    for verb in (("why",), ("verify",), ("describe", "site")):
        told = applied(*verb, "another")
        assert (told.returncode, told.stderr.startswith(place)) == (2, True), "why there is no such site"
        assert "beside what is broken, there is no Site `another`: did you mean `other`?" in told.stderr
    assert applied("apply").returncode == 2


def test_who_waits_for_one_site_waits_beside_a_broken_one_and_never_for_what_that_meant(applied: Program) -> None:
    other = applied.site("other")
    assert applied("apply").returncode == 0
    good = other.read_text()
    other.write_text(good.replace("hostnames", "hostname"))
    place = f"{other}:4:8: unknown field `hostname`"
    told = applied("wait", "site/example", "--timeout", "0s")
    assert (told.returncode, told.stderr.startswith(place)) == (0, True), told.stderr
    late = applied("wait", "site/other", "--timeout", "0s")
    assert late.returncode == 1, "what stands on disk now has no meaning, whatever was seen of the former one"
    why = f"InvalidManifest: the manifest is not valid; the last good meaning is kept: {place}"
    assert f"site/other: Ready is Unknown after 0 s: {why}" in late.stderr
    other.write_text(good)
    assert applied("wait", "site/other", "--timeout", "0s").returncode == 0


def test_a_site_whose_manifest_is_broken_is_not_ready(applied: Program) -> None:
    file = applied.manifests / "example.yaml"
    good = file.read_text()
    file.write_text(good.replace("hostnames", "hostname"))
    assert applied("apply", "--keep-going").returncode == 1
    assert "False   InvalidManifest" in applied("get", "sites").stdout
    assert "held for site/example: InvalidManifest: " in (told := applied("status").stdout)
    assert f"{file}:4:8: unknown field `hostname`" in told
    file.write_text(good)
    assert applied("apply").returncode == 0
    assert "InvalidManifest" not in applied("get", "sites").stdout


def test_verify_of_all_is_no_success_where_a_broken_site_never_had_a_meaning(applied: Program) -> None:
    other = applied.site("other")
    other.write_text(other.read_text().replace("hostnames", "hostname"))
    told = applied("verify")
    assert told.returncode == 1
    assert "site/other: not looked at, since it has no last good meaning: mend its manifest" in told.stderr
    assert json.loads(applied("verify", "-o", "json").stdout)["ok"] is False
    assert applied("verify", "example").returncode == 0, "what is broken does not concern it"
