"""Tasks: what a target's own command is given on standard input, once for each site with something new."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reconciler.execute.batches.batch import in_one_line
from reconciler.model.changes import Reason
from reconciler.model.names import Part
from reconciler.model.observed import Revision
from reconciler.model.plain import to_plain

if TYPE_CHECKING:
    from reconciler.execute.batches.batch import Batch
    from reconciler.execute.batches.switching.swap import Swap, Switch


def give(batch: Batch, switch: Switch) -> None:
    """Run the command for each task; a site whose command fails is noted as failed, the others go on."""
    if batch.spec.type != "exec":
        return
    for swap in switch.swaps:
        if swap.part is Part.TASK and swap.after is not None and swap.site not in batch.failed:
            why = _given(batch, swap, batch.spec.install)
            if why is not None:
                batch.failed[swap.site] = (Reason.COMMAND_FAILED, why)


def _given(batch: Batch, swap: Swap, argv: tuple[str, ...]) -> str | None:
    live = batch.live.get(swap.site)
    if not isinstance(live, Revision) or swap.after is None:
        return "there is no certificate yet"
    task = json.loads(swap.after.data) | {
        "revision": live.id,
        "fingerprint": live.facts.fingerprint,
        "notAfter": to_plain(live.facts.not_after),
        "placeholder": live.meta.placeholder,
    }
    code, output = batch.bench.hands.give(argv, json.dumps(task))
    if code == 0:
        return None
    what = f"{argv[0]} ended with {code}: " if code > 0 else ""
    return f"{what}{in_one_line(output)}"
