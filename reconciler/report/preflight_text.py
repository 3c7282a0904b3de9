"""The checklist's result, for a person and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.report.cells import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.model.findings import Finding


def preflight_json(findings: Sequence[Finding], notes: Sequence[str], sites: Sequence[str]) -> dict[str, Any]:
    """Give the report; `ok` is whether nothing is an error."""
    return {
        "apiVersion": "certwright/v1",
        "kind": "PreflightReport",
        "ok": not any(one.severity == "error" for one in findings),
        "sites": list(sites),
        "items": [
            {
                "check": one.check.value,
                "severity": one.severity.value,
                "site": one.site,
                "subject": one.subject,
                "seen": one.seen,
                "expected": one.expected,
                "next": one.mend,
            }
            for one in findings
        ],
        "notes": list(notes),
    }


def preflight_lines(findings: Sequence[Finding], sites: int) -> Iterator[tuple[str, str]]:
    """Give (severity, line): three lines a finding, and a sum; the severity of a line that is none's is ""."""
    for one in findings:
        where = f"site/{shown(one.site)}: " if one.site else ""
        yield one.severity.value, f"{one.severity.value.upper():7} {one.check.value}: {where}{shown(one.subject)}"
        yield "", f"        seen: {shown(one.seen)}"
        yield "", f"        expected: {shown(one.expected)}"
        yield "", f"        next: {shown(one.mend)}"
    errors = sum(one.severity == "error" for one in findings)
    warnings = len(findings) - errors
    of = f"{sites} site{'' if sites == 1 else 's'}"
    counts = f"{errors} error{'' if errors == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"
    yield "", f"{of} looked at: {counts if findings else 'nothing is in the way'}"
