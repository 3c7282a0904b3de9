"""What a plan does with a certificate that the site brings: no order that is not wanted, and nothing worse."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.changes import Reason, Verb
from reconciler.model.desired import DesiredSite, Failover, ImportSpec, IssuerSpec
from reconciler.model.observed import Brought, CertificateFacts, Live, Memory, NoRevision, ObservedSite, Revision
from tests.plan.world import BOUGHT, DAY, LE, NOW, facts, one_plan, revision, site

NAME: Final = "a.example.com"
NAMES: Final = st.sampled_from([(NAME,), ("*.example.com",), ("b.example.com",), (NAME, "c.example.com")])
LISTS: Final = st.sampled_from([(BOUGHT,), (BOUGHT, LE), (LE, BOUGHT)])
FAILOVERS: Final = st.sampled_from([Failover(), Failover(back="never"), Failover(back="now")])


def certificates(serial: str) -> st.SearchStrategy[CertificateFacts]:
    """One that began within the last two years, or begins within a month, and lasts for up to three."""
    begins, lasts = st.integers(-700, 30), st.integers(1, 1000)
    return st.builds(
        lambda names, start, life: facts(*names, start=NOW + start * DAY, life=life * DAY, serial=serial),
        NAMES,
        begins,
        lasts,
    )


BROUGHT: Final = st.one_of(
    st.just(Brought(None, "it is rubbish")),
    st.builds(Brought, certificates("02")),
    st.builds(Brought, certificates("01")),  # it may be the one in use
)


Case = tuple[ObservedSite, DesiredSite, str | None]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A site that brings something, whatever is in use and whoever made it."""
    issuers, brought = draw(LISTS), draw(BROUGHT)
    desired = site("a", issuers=issuers, brought=ImportSpec("/k", "/c"), failover=draw(FAILOVERS))
    seen = draw(certificates("01"))
    known = draw(st.sampled_from([(), (brought.id,)]))
    by: IssuerSpec = BOUGHT if draw(st.booleans()) else LE
    live = revision(desired, issuer=by, at=min(seen.not_before, NOW))
    live = replace(live, facts=seen, meta=replace(live.meta, requested=known))
    asked = draw(st.sampled_from([None, "2026-01-01T00:00:00Z"]))
    used: Live = live if draw(st.booleans()) else NoRevision()
    observed = ObservedSite("a", used, brought=brought, memory=Memory(renew_requested=asked))
    return observed, desired, asked


@given(cases())
def test_nothing_worse_and_no_order_unasked(case: Case) -> None:
    observed, desired, asked = case
    plan = one_plan(desired, observed)
    live = observed.live
    brought = observed.brought
    assert brought is not None
    issues = [change for change in plan.changes if change.verb is Verb.ISSUE]
    for change in issues:
        assert change.issuer == BOUGHT.name or change.reason is not Reason.IMPORT_CHANGED
        if change.issuer == BOUGHT.name:
            assert change.new_orders == 0
            assert brought.facts is not None
            assert brought.facts.not_before <= NOW + timedelta(minutes=5)
            assert brought.facts.not_after > NOW
            assert brought.facts.hostnames != ("b.example.com",)
            valid = isinstance(live, Revision) and live.facts.not_after > NOW
            if valid and isinstance(live, Revision) and not asked and desired.issuers[0] == BOUGHT:
                assert brought.facts.not_after >= live.facts.not_after
        elif isinstance(live, NoRevision) and desired.issuers[0] == BOUGHT:
            over = brought.facts is not None and brought.facts.not_after <= NOW
            assert over, "a CA is asked for a first certificate only once what was brought has expired"
    if desired.issuers == (BOUGHT,):
        assert all(change.new_orders == 0 for change in plan.changes)
        if brought.facts is None:
            assert Reason.IMPORT_INVALID in {hold.reason for hold in plan.holds}


@given(cases())
def test_what_was_taken_is_not_taken_again(case: Case) -> None:
    """The executor's part is played: the next plan wants no other issue, for this or any other reason of the import."""
    observed, desired, _ = case
    plan = one_plan(desired, observed)
    issue = next((change for change in plan.changes if change.verb is Verb.ISSUE), None)
    if issue is None or observed.brought is None:
        return
    taken = issue.issuer == BOUGHT.name
    found = observed.brought.facts if taken else facts(NAME, start=NOW, serial="03")
    assert found is not None
    known = tuple(one for one in (observed.memory.renew_requested, issue.brought) if one)
    made = revision(desired, issuer=BOUGHT if taken else LE, at=NOW)
    made = replace(made, facts=found, meta=replace(made.meta, requested=known))
    after = one_plan(desired, ObservedSite("a", made, brought=observed.brought))
    again = [(change.reason, change.issuer) for change in after.changes if change.verb is Verb.ISSUE]
    assert [one for one in again if one[1] == BOUGHT.name] == []
    assert [one for one in again if one[0] is not Reason.RENEWAL_DUE] == []
