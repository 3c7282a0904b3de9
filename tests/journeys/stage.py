"""A stage for journeys: a manifest tree, a state directory and what happens between them, through the real wiring."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import yaml

from reconciler import wiring
from reconciler.doors.clock import SystemClock
from reconciler.model.observed import Revision
from reconciler.model.ports import Limits, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconciler.engine import Report
    from reconciler.model.changes import Change, Hold
    from reconciler.model.observed import Memory

FULL = Scope(full=True)
SERVER = {"email": "me@example.com", "agreeToTerms": True, "hostname": "home.example.com"}
# http-01 for names that the CA's resolver alone knows
WAY = {"type": "http-01", "preflight": {"pointsHere": "off"}}


class ShiftedClock(SystemClock):
    """The real time, moved."""

    def __init__(self, shift: timedelta) -> None:
        super().__init__()
        self.shift = shift

    def now(self) -> datetime:  # type: ignore[override]
        return datetime.now(UTC) + self.shift


def document(kind: str, name: str, spec: Mapping[str, object], **metadata: object) -> dict[str, object]:
    """Make one manifest."""
    return {"apiVersion": "certwright/v1", "kind": kind, "metadata": {"name": name, **metadata}, "spec": dict(spec)}


@dataclass
class Stage:
    """One machine: `root/manifests`, `root/state`. `bugs` must stay empty."""

    root: Path
    bugs: list[Exception] = field(default_factory=list)
    shift: timedelta = timedelta()

    @property
    def manifests(self) -> Path:
        """Where the tree is."""
        return self.root / "manifests"

    @property
    def state(self) -> Path:
        """Where the store is."""
        return self.root / "state"

    def write(self, file: str, *documents: Mapping[str, object]) -> Path:
        """Write a manifest file."""
        path = self.manifests / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        return path

    @contextmanager
    def app(self, **options: object) -> Iterator[wiring.App]:
        """Open the application the way one command does."""
        chosen = wiring.Options((str(self.manifests),), str(self.state), **options)  # type: ignore[arg-type]

        def on_bug(_change: Change, bug: Exception) -> None:
            self.bugs.append(bug)

        app = wiring.build(chosen, on_bug=on_bug, clock=ShiftedClock(self.shift))
        try:
            yield app
        finally:
            app.close()

    def diff(self, scope: Scope = FULL, limits: Limits | None = None) -> Report:
        """Plan and do nothing."""
        with self.app(read_only=True) as app:
            return app.engine.look(scope, limits or Limits())

    def apply(self, scope: Scope = FULL, limits: Limits | None = None, **options: object) -> tuple[Report, ...]:
        """Converge; a bug fails the test."""
        with self.app(**options) as app:
            reports = app.engine.converge(
                scope, app.executor(), limits or Limits(), lambda _report: None, lambda _outcome: None
            )
        for bug in self.bugs:
            raise bug
        return reports

    def settle(self, limits: Limits | None = None) -> tuple[Report, ...]:
        """Converge, and see that nothing failed and nothing is left to do."""
        reports = self.apply(limits=limits)
        bad = [outcome for outcome in self.outcomes(reports) if outcome[2] != "done"]
        assert bad == [], bad
        self.assert_calm()
        return reports

    def assert_calm(self) -> None:
        """See that `diff` shows nothing at all."""
        report = self.diff()
        found = (told(report), {key: hold.message for key, hold in held(report).items()})
        assert found == ([], {}), found

    def live(self, site: str) -> Revision:
        """Give the revision in use; there must be a usable one."""
        with self.app(read_only=True) as app:
            found = app.store.live([site])[site]
        assert isinstance(found, Revision), found
        return found

    def memory(self, site: str) -> Memory:
        """Give what is remembered."""
        with self.app(read_only=True) as app:
            return app.store.memory([site])[site]

    def path(self, site: str, file: str) -> Path:
        """Give a file of the revision in use, by its own path."""
        return (self.state / "live" / site).resolve() / file

    def outcomes(self, reports: tuple[Report, ...]) -> list[tuple[str, str, str, str]]:
        """Give (verb, subject, status, message) of all that was done."""
        return [
            (outcome.change.verb, outcome.change.subject, outcome.status, f"{outcome.reason} {outcome.message}".strip())
            for report in reports
            for outcome in report.outcomes
        ]


def told(report: Report) -> list[tuple[str, str, str]]:
    """Give (verb, subject, reason) of a plan's changes, in its order."""
    return [(change.verb, change.subject, change.reason) for change in report.plan.changes]


def held(report: Report) -> dict[tuple[str | None, str], Hold]:
    """Give the holds by (site, reason)."""
    return {(hold.site, hold.reason): hold for hold in report.plan.holds}


def site(name: str, *hostnames: str, **spec: Any) -> dict[str, object]:  # noqa: ANN401  any field
    """Make a Site; without hostnames one of its own. `annotations` go to the metadata."""
    annotations = spec.pop("annotations", {})
    names = list(hostnames) or [f"{name}.example.com"]
    return document("Site", name, {"hostnames": names, **spec}, annotations=annotations)


def ca_site(name: str, *hostnames: str, **spec: Any) -> dict[str, object]:  # noqa: ANN401
    """Make a Site that the embedded CA signs, copied to the target `copy`."""
    return site(name, *hostnames, **{"issuers": ["ca"], "targets": ["copy"], **spec})


def copy_target(directory: Path, **spec: Any) -> dict[str, object]:  # noqa: ANN401
    """Make a `files` target `copy` with key and full chain in a directory, and a reload that is counted."""
    directory.mkdir(parents=True, exist_ok=True)
    values = {
        "type": "files",
        "key": str(directory / "{site}.key"),
        "fullchain": str(directory / "{site}.crt"),
        "reload": {"command": ["/bin/sh", "-c", f"echo reloaded >> {directory.parent}/reloads"]},
        **spec,
    }
    return document("Target", "copy", {name: value for name, value in values.items() if value is not None})
