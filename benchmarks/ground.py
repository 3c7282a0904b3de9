"""Manifest trees with as many sites as one wants, and the application over them."""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import OURS, ROOT
from reconciler import wiring
from reconciler.doors.one_cpu import OneCpu
from reconciler.model.ports import Limits, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.model.changes import Change


def manifest(kind: str, name: str, spec: Mapping[str, object]) -> str:
    """Write one manifest; JSON is YAML."""
    return json.dumps({"apiVersion": "certwright/v1", "kind": kind, "metadata": {"name": name}, "spec": dict(spec)})


@contextmanager
def room() -> Iterator[Path]:
    """Give a new folder in the checkout, not in the system's temporary one, deleted at the end.

    On ext4 each inode that was deleted in its group within the last minutes slows the making of new ones, and where
    tests run there are thousands. `chattr +T` spreads the rooms over the groups; elsewhere it is not known, nor needed.
    """
    place = ROOT / ".cache" / "bench"
    place.mkdir(parents=True, exist_ok=True)
    if tool := shutil.which("chattr"):
        subprocess.run([tool, "+T", str(place)], check=False, capture_output=True)
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield Path(folder)


def crew(workers: int) -> ThreadPoolExecutor:
    """Give threads as the executor's are: they share one CPU."""
    return ThreadPoolExecutor(workers, initializer=OneCpu().join)


@dataclass(frozen=True, slots=True)
class Ground:
    """A machine in one directory: `manifests`, `state`, and `out`, where a `files` target puts its copies."""

    root: Path

    @property
    def manifests(self) -> Path:
        return self.root / "manifests"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def out(self) -> Path:
        return self.root / "out"

    def declare(
        self, count: int, more: Mapping[tuple[str, str], Mapping[str, object]] | None = None, **site: object
    ) -> None:
        """Declare `count` sites of one hostname each, a file each.

        `more` are objects by kind and name, `site` fields of each site.
        """
        (self.manifests / "sites").mkdir(parents=True)
        self.out.mkdir()
        copies = {"type": "files", "key": f"{self.out}/{{site}}.key", "fullchain": f"{self.out}/{{site}}.crt"}
        objects: dict[tuple[str, str], Mapping[str, object]] = {
            ("Server", "home"): {"email": "me@example.com", "agreeToTerms": True},
            ("Target", "copy"): copies,
            **(more or {}),
        }
        documents = [manifest(kind, name, spec) for (kind, name), spec in objects.items()]
        (self.manifests / "base.yaml").write_text("\n---\n".join(documents))
        for number in range(count):
            self.write_site(number, **site)

    def retarget(self, name: str, spec: Mapping[str, object]) -> None:
        """Declare a Target anew."""
        path = self.manifests / "base.yaml"
        documents = [text for text in path.read_text().split("\n---\n") if json.loads(text)["metadata"]["name"] != name]
        path.write_text("\n---\n".join([*documents, manifest("Target", name, spec)]))

    def write_site(self, number: int, *more: str, **fields: object) -> None:
        """Write the manifest of one site; `more` are further hostnames, `fields` what it says, else `ca` and `copy`."""
        name = f"s{number}"
        said = fields or {"issuers": ["ca"], "targets": ["copy"]}
        spec = {**said, "hostnames": [f"{name}.example.com", *more]}
        (self.manifests / "sites" / f"{name}.yaml").write_text(manifest("Site", name, spec))

    def argv(self, *verb: str) -> tuple[str, ...]:
        """Give the command line of a verb here."""
        return (OURS, "--manifests", str(self.manifests), "--state", str(self.state), *verb)

    @contextmanager
    def app(self, workers: int = 8) -> Iterator[wiring.App]:
        """Open the application as one command does; a bug ends the benchmark."""
        # as `cli/shared/apps.py` has it: what a pass makes lives as long as the pass
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        bugs: list[Exception] = []

        def on_bug(_change: Change, bug: Exception) -> None:
            bugs.append(bug)

        app = wiring.build(wiring.Options((str(self.manifests),), str(self.state), workers=workers), on_bug=on_bug)
        try:
            yield app
        finally:
            app.close()
        if bugs:
            raise bugs[0]

    def converge(self, workers: int = 8) -> int:
        """Do the whole `apply`; give how many certificates were issued. RuntimeError if anything failed."""
        with self.app(workers) as app:
            executor = app.executor()
            reports = app.engine.converge(Scope(full=True), executor, Limits(), lambda _plan: None, lambda _told: None)
        outcomes = [outcome for report in reports for outcome in report.outcomes]
        bad = [
            f"{one.change.subject}: {one.status} {one.reason} {one.message}" for one in outcomes if one.status != "done"
        ]
        if bad:
            raise RuntimeError(f"{len(bad)} changes were not done, the first: {bad[0]}")
        return sum(one.change.verb == "issue" for one in outcomes)
