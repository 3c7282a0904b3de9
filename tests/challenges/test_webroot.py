from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reconciler.challenges.http01 import WebrootSolver, remove
from reconciler.challenges.ports import Ports
from reconciler.doors.files.api import FileFailed
from reconciler.errors import Failed
from reconciler.model.desired import Http01, Webroot
from tests.builders import MemoryStore, SteadyClock, solvers

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.challenges.solvers import Solvers
    from reconciler.model.observed import Undo

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
OTHER = "0" * 43
PROOF = f"{TOKEN}.{'a' * 43}"


@pytest.fixture(name="webroot")
def _webroot(tmp_path: Path) -> Path:
    root = tmp_path / "www"
    root.mkdir(mode=0o755)
    return root


def _file(root: Path, token: str = TOKEN) -> Path:
    return root / ".well-known" / "acme-challenge" / token


def _clean_up(solver: WebrootSolver, thing: Undo) -> None:
    remove(thing, solver._made)


def _process() -> Solvers:
    store = MemoryStore()
    return solvers(store, Ports(store, "/nowhere", SteadyClock()))


def test_an_answer_comes_and_goes_without_a_trace(webroot: Path) -> None:
    solver = WebrootSolver(Webroot(str(webroot)))

    done = solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)
    file = _file(webroot)
    facts = file.stat()
    assert file.read_text() == PROOF
    assert (facts.st_mode & 0o777, facts.st_nlink) == (0o644, 1)
    assert done.identity == f"{facts.st_dev}:{facts.st_ino}"
    assert (file.parent.stat().st_mode & 0o777) == 0o755

    _clean_up(solver, done)
    assert list(webroot.iterdir()) == []
    _clean_up(solver, done)


def test_directories_of_the_owner_stay(webroot: Path) -> None:
    (webroot / ".well-known").mkdir(mode=0o755)
    solver = WebrootSolver(Webroot(str(webroot)))

    _clean_up(solver, solver.present(solver.prepare("site", "a.test", TOKEN), PROOF))

    assert [path.name for path in webroot.iterdir()] == [".well-known"]
    assert list((webroot / ".well-known").iterdir()) == []


def test_the_last_of_two_answers_takes_the_directories_with_it(webroot: Path) -> None:
    solver = WebrootSolver(Webroot(str(webroot)))
    first = solver.present(solver.prepare("a", "a.test", TOKEN), PROOF)
    second = solver.present(solver.prepare("b", "b.test", OTHER), f"{OTHER}.{'b' * 43}")

    _clean_up(solver, first)
    assert _file(webroot, OTHER).exists()
    _clean_up(solver, second)

    assert list(webroot.iterdir()) == []


def test_a_file_of_somebody_else_is_neither_overwritten_nor_removed(webroot: Path) -> None:
    solver = WebrootSolver(Webroot(str(webroot)))
    thing = solver.prepare("site", "a.test", TOKEN)
    _file(webroot).parent.mkdir(parents=True, mode=0o755)
    _file(webroot).write_text("mine")

    with pytest.raises(Failed) as caught:
        solver.present(thing, PROOF)
    _clean_up(solver, thing)

    assert caught.value.reason == "TokenExists"
    assert _file(webroot).read_text() == "mine"


def test_a_file_that_was_swapped_is_left_alone(webroot: Path) -> None:
    solver = WebrootSolver(Webroot(str(webroot)))
    done = solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)
    _file(webroot).rename(webroot / "kept")
    _file(webroot).write_text("swapped")

    _clean_up(solver, done)

    assert _file(webroot).read_text() == "swapped"


def test_killed_after_the_file_was_written_it_is_found_by_what_it_says(webroot: Path) -> None:
    solver = WebrootSolver(Webroot(str(webroot)))
    prepared = solver.prepare("site", "a.test", TOKEN)
    solver.present(prepared, PROOF)

    _process().clean_up(prepared)

    assert list(webroot.iterdir()) == []


def test_presented_again_after_a_crash_it_is_the_same_file(webroot: Path) -> None:
    first = WebrootSolver(Webroot(str(webroot)))
    done = first.present(first.prepare("site", "a.test", TOKEN), PROOF)

    second = WebrootSolver(Webroot(str(webroot)))
    again = second.present(second.prepare("site", "a.test", TOKEN), PROOF)

    assert (again.id, again.identity) == (done.id, done.identity)


UNFINISHED = ["", PROOF[:10], f"{TOKEN}.", PROOF[:-1]]


def _killed_at(file: Path, content: str) -> None:
    """Leave what a process leaves that was killed between making the file and its last byte."""
    file.parent.mkdir(parents=True, mode=0o755)
    file.write_text(content)
    file.chmod(0o600)


@pytest.mark.parametrize("content", UNFINISHED)
def test_killed_while_the_file_was_written_it_is_written_again(webroot: Path, content: str) -> None:
    solver = WebrootSolver(Webroot(str(webroot)))
    prepared = solver.prepare("site", "a.test", TOKEN)
    _killed_at(_file(webroot), content)

    done = solver.present(prepared, PROOF)

    facts = _file(webroot).stat()
    assert (_file(webroot).read_text(), facts.st_mode & 0o777) == (PROOF, 0o644)
    assert done.identity == f"{facts.st_dev}:{facts.st_ino}"
    _clean_up(solver, done)
    assert list(webroot.iterdir()) == []


@pytest.mark.parametrize("content", UNFINISHED)
def test_killed_while_the_file_was_written_it_is_taken_away(webroot: Path, content: str) -> None:
    prepared = WebrootSolver(Webroot(str(webroot))).prepare("site", "a.test", TOKEN)
    _killed_at(_file(webroot), content)

    _process().clean_up(prepared)

    assert list(webroot.iterdir()) == []


@pytest.mark.parametrize("content", [f"{PROOF}x", f"{TOKEN}x", f"{TOKEN}. ", "mine"])
def test_what_we_cannot_have_begun_is_somebody_elses(webroot: Path, content: str) -> None:
    solver = WebrootSolver(Webroot(str(webroot)))
    prepared = solver.prepare("site", "a.test", TOKEN)
    _killed_at(_file(webroot), content)
    with pytest.raises(Failed, match="not ours"):
        solver.present(prepared, PROOF)
    _clean_up(solver, prepared)
    assert _file(webroot).read_text() == content


def test_what_has_another_name_too_is_somebody_elses(webroot: Path) -> None:
    solver = WebrootSolver(Webroot(str(webroot)))
    prepared = solver.prepare("site", "a.test", TOKEN)
    _killed_at(_file(webroot), "")
    (webroot / "other").hardlink_to(_file(webroot))
    with pytest.raises(Failed):
        solver.present(prepared, PROOF)
    assert _file(webroot).exists()


def test_a_missing_webroot_is_named_with_the_remedy(tmp_path: Path) -> None:
    solver = WebrootSolver(Webroot(str(tmp_path / "missing")))

    with pytest.raises(Failed, match=r"missing does not exist; create it") as caught:
        solver.prepare("site", "a.test", TOKEN)

    assert (caught.value.reason, caught.value.blame) == ("WebrootMissing", "local")
    assert not (tmp_path / "missing").exists()


def test_the_built_in_webroot_is_made_and_stays(tmp_path: Path) -> None:
    root = tmp_path / "run" / "http-01"
    solver = WebrootSolver(Webroot(str(root), builtin=True))

    _clean_up(solver, solver.present(solver.prepare("site", "a.test", TOKEN), PROOF))

    assert root.stat().st_mode & 0o777 == 0o755
    assert list(root.iterdir()) == []


def test_each_name_may_have_its_own_webroot(tmp_path: Path) -> None:
    (tmp_path / "a.test").mkdir(mode=0o755)
    solver = WebrootSolver(Webroot(f"{tmp_path}/{{hostname}}"))

    solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)

    assert _file(tmp_path / "a.test").exists()


@pytest.mark.parametrize("hostname", ["../etc", "a/b", "", "*.a.test", "a..test", "::1", "A.test\n"])
def test_a_name_that_cannot_stand_in_a_path(tmp_path: Path, hostname: str) -> None:
    solver = WebrootSolver(Webroot(f"{tmp_path}/{{hostname}}"))

    with pytest.raises(Failed) as caught:
        solver.prepare("site", hostname, TOKEN)

    assert caught.value.reason == "HostnameUnfit"


def test_a_link_instead_of_the_directory_is_not_followed(webroot: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (webroot / ".well-known").symlink_to(tmp_path / "elsewhere")
    os.lchown(webroot / ".well-known", 60001, 60001)
    solver = WebrootSolver(Webroot(str(webroot)))

    with pytest.raises(FileFailed):
        solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)

    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("part", [".well-known", ".well-known/acme-challenge"])
@pytest.mark.parametrize("kind", ["link", "file", "fifo"])
def test_what_an_owner_put_in_a_directorys_place_is_no_answer_of_ours(webroot: Path, kind: str, part: str) -> None:
    """It is not followed, and nothing is left to be taken away: he cannot have every pass fail for it."""
    os.chown(webroot, 60001, 60001)
    solver, process = WebrootSolver(Webroot(str(webroot))), _process()
    thing = solver.present(solver.prepare("site", "a.test", TOKEN), PROOF)
    (webroot / part).rename(webroot / "moved")
    match kind:
        case "link":
            (webroot / part).symlink_to(webroot / "moved")
        case "file":
            (webroot / part).write_text("his")
        case _:
            os.mkfifo(webroot / part)
    os.lchown(webroot / part, 60001, 60001)

    process.clean_up(thing)

    with pytest.raises(FileFailed):
        solver.present(solver.prepare("site", "a.test", OTHER), f"{OTHER}.x")
    process.clean_up(thing)


def test_an_owner_and_a_mode(webroot: Path) -> None:
    mine = WebrootSolver(Webroot(str(webroot), mode=0o640))
    nobody = WebrootSolver(Webroot(str(webroot), owner="no-such-user"))

    mine.present(mine.prepare("site", "a.test", TOKEN), PROOF)
    with pytest.raises(Failed) as caught:
        nobody.present(nobody.prepare("site", "b.test", OTHER), f"{OTHER}.x")

    assert _file(webroot).stat().st_mode & 0o777 == 0o640
    assert caught.value.reason == "NoSuchUser"


def test_methods_that_say_the_same_share_a_solver(webroot: Path) -> None:
    process = _process()
    one, two = Http01("one", Webroot(str(webroot))), Http01("two", Webroot(str(webroot)))

    assert process.solver(one) is process.solver(two)
