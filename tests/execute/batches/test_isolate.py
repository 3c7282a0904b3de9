from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.execute.batches.setbacks.isolate import Isolation, Verdict
from reconciler.execute.batches.switching.content import Content
from reconciler.execute.batches.switching.swap import Swap, Switch
from reconciler.model.names import Part
from reconciler.model.ports import Tested as Answer
from tests.builders import SteadyClock

if TYPE_CHECKING:
    from collections.abc import Collection


class Paper(Switch):
    """A switch on paper: knows which sites are forward."""

    def __init__(self, sites: Collection[str]) -> None:
        content = Content(b"x", 0o644, 0, 0)
        swaps = tuple(Swap(site, f"/etc/x/{site}.conf", Part.CONFIG, None, content) for site in sites)
        super().__init__(swaps)
        self.standing = set(sites)
        self.tests = 0

    def forward(self, sites: Collection[str] | None = None) -> None:
        self.standing |= set(sites if sites is not None else (swap.site for swap in self.swaps))

    def back(self, sites: Collection[str] | None = None) -> None:
        self.standing -= set(sites if sites is not None else (swap.site for swap in self.swaps))


def search(sites: list[str], bad: set[str], *, names: bool, broken: bool = False) -> tuple[Paper, Verdict]:
    """Search with a server that refuses `bad`; with `names` it names the first of them by its file."""
    paper = Paper(sites)

    def test() -> Answer:
        paper.tests += 1
        wrong = sorted(paper.standing & bad)
        if not wrong and not broken:
            return Answer(ok=True, output="")
        blamed = (f"/etc/x/{wrong[0]}.conf",) if names and wrong else ()
        return Answer(ok=False, output="syntax error", blamed=blamed)

    first = test()
    paper.tests = 0
    return paper, Isolation(paper, test, SteadyClock()).search(sites, first)


SITES = [f"s{number:03}" for number in range(200)]


def test_broken_before_us() -> None:
    paper, verdict = search(["a", "b"], set(), names=False, broken=True)
    assert verdict.broken is not None
    assert verdict.broken.output == "syntax error"
    assert paper.standing == set(), "nothing of ours stays"
    assert paper.tests == 1, "no search"


def test_what_was_taken_out_before_is_not_put_back_by_the_search() -> None:
    paper = Paper(["a", "b", "out"])

    def test() -> Answer:
        return Answer(ok="a" not in paper.standing and "out" in paper.standing, output="no")

    # on this paper what was taken out stands: to put it back would take it away
    verdict = Isolation(paper, test, SteadyClock()).search(["a", "b"], test())
    assert (verdict.good, [site for site, _ in verdict.bad], verdict.broken) == (("b",), ["a"], None)
    assert paper.standing == {"b", "out"}


def test_named_site_is_found_with_one_more_test() -> None:
    paper, verdict = search(SITES, {"s100"}, names=True)
    assert [site for site, _ in verdict.bad] == ["s100"]
    assert paper.tests == 2
    assert paper.standing == set(SITES) - {"s100"}


def test_unnamed_site_among_two_hundred_is_found_by_halves() -> None:
    paper, verdict = search(SITES, {"s137"}, names=False)
    assert [site for site, _ in verdict.bad] == ["s137"]
    assert paper.tests <= 16
    assert paper.standing == set(SITES) - {"s137"}


@settings(max_examples=60)
@given(st.integers(1, 60), st.data(), st.booleans())
def test_no_bad_site_ever_stays_and_tests_are_bounded(count: int, data: st.DataObject, names: bool) -> None:  # noqa: FBT001
    sites = SITES[:count]
    bad = set(data.draw(st.lists(st.sampled_from(sites), unique=True)))
    paper, verdict = search(sites, bad or {sites[0]}, names=names)
    assert paper.tests <= 16
    assert not paper.standing & (bad or {sites[0]})
    held = {site for site, _ in verdict.bad}
    assert paper.standing == set(verdict.good) == set(sites) - held


def test_what_broke_it_and_is_gone_by_now_is_nobodys() -> None:
    paper = Paper(["a", "b"])
    others = Answer(ok=False, output="names garbage", blamed=("/etc/x/other.conf",))
    verdict = Isolation(paper, lambda: Answer(ok=True, output=""), SteadyClock()).search(["a", "b"], others)
    assert (verdict.good, verdict.bad, verdict.broken) == (("a", "b"), (), None)
    assert paper.standing == {"a", "b"}
