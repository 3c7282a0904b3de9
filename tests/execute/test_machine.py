from __future__ import annotations

from reconciler.execute.preflight.machine import _rights
from reconciler.model.names import Part
from reconciler.model.ports import Artifact


def test_an_owner_that_the_machine_does_not_know_is_told_with_what_mends_it() -> None:
    (finding,) = _rights("a", "copy", Artifact("/no/such/key.pem", Part.KEY, 0o600, owner="no-such", group="root"))
    assert finding.seen == "there is no user no-such on this machine"
    assert finding.mend == "create it first, or correct `owner` and `group` in the Target copy"
