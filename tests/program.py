"""The program as a person starts it: a process with a manifest tree, a state directory and a place for files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = (sys.executable, "-I", "-m", "reconciler.cli")
TREE = """\
apiVersion: certwright/v1
kind: Server
metadata: {{name: home}}
spec: {{defaults: {{issuers: [ca], targets: [disk]}}}}
---
apiVersion: certwright/v1
kind: Target
metadata: {{name: disk}}
spec: {{type: files, key: "{out}/{{site}}.key", fullchain: "{out}/{{site}}.pem"}}
"""
SITE = """\
apiVersion: certwright/v1
kind: Site
metadata: {{name: {name}, labels: {{tier: {tier}}}}}
spec: {{hostnames: [{hostnames}]}}
"""


@dataclass(frozen=True)
class Program:
    """A machine in a directory: `manifests`, `state` and `out`. Nothing of the environment comes along but `env`."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def manifests(self) -> Path:
        return self.root / "manifests"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def out(self) -> Path:
        return self.root / "out"

    def prepare(self) -> Program:
        """Make the directories, and a tree without sites: the embedded CA, plain files."""
        self.manifests.mkdir(parents=True)
        self.out.mkdir()
        (self.manifests / "server.yaml").write_text(TREE.format(out=self.out))
        return self

    def site(self, name: str, *hostnames: str, tier: str = "customer") -> Path:
        """Declare a site in a file of its own."""
        path = self.manifests / f"{name}.yaml"
        path.write_text(SITE.format(name=name, tier=tier, hostnames=", ".join(hostnames or (f"{name}.test",))))
        return path

    def flags(self) -> str:
        """Give what `argv` says of tree and state, as it stands in the commands that are printed."""
        return f"-f {self.manifests} --state {self.state}"

    def argv(self, *arguments: str) -> list[str]:
        return [*ENTRY, "-f", str(self.manifests), "--state", str(self.state), *arguments]

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **self.env}

    def __call__(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a verb to its end."""
        argv, env = self.argv(*arguments), self.environment()
        return subprocess.run(argv, input=stdin, capture_output=True, text=True, env=env, timeout=120, check=False)

    def json(self, *arguments: str) -> Any:  # noqa: ANN401  JSON has no tighter type
        """Run a verb with -o json and read what it prints."""
        return json.loads(self(*arguments, "-o", "json").stdout)
