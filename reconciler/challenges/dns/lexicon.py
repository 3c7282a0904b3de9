"""Records by dns-lexicon's providers: an optional extra, in a child of its own, chosen from a fixed list."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reconciler.challenges.dns.command import record_type
from reconciler.challenges.dns.patience import Silent
from reconciler.challenges.dns.telling import without_secrets
from reconciler.doors.processes import api as processes
from reconciler.errors import Failed
from reconciler.model.text import clean

if TYPE_CHECKING:
    from reconciler.challenges.dns.means import Means
    from reconciler.model.desired import Lexicon as Spec

_CHILD: Final = Path(__file__).with_name("_lexicon_child.py")
_SECONDS: Final = 120.0
_SHOWN: Final = 300
_REASONS: Final = {"missing": "LexiconMissing", "options": "LexiconOptions", "unreached": "HttpFailed"}
# many providers read a whole set and write it back: one at a time for each zone
_LOCKS: Final[dict[tuple[str, str], threading.Lock]] = {}
_LOCKS_LOCK: Final = threading.Lock()


class Lexicon:
    """Starts the child for each value; secrets go there by standard input and are cut out of what comes back."""

    def __init__(self, spec: Spec, means: Means) -> None:
        self._spec, self._means = spec, means

    def add(self, zone: str, name: str, value: str, ttl: int) -> None:
        """Add a value. Raises Failed: LexiconMissing, LexiconOptions, HttpFailed, ProviderFailed; Waiting at a stop."""
        self._run("create", zone, name, value, ttl)

    def remove(self, zone: str, name: str, value: str) -> None:
        """Remove this value. Raises Failed, Waiting."""
        self._run("delete", zone, name, value, 0)

    def add_address(self, zone: str, name: str, address: str, ttl: int) -> None:
        """Add an A or AAAA record. Raises Failed, Waiting."""
        self._run("create", zone, name, address, ttl, record_type(address))

    def remove_address(self, zone: str, name: str, address: str) -> None:
        """Remove this A or AAAA record. Raises Failed, Waiting."""
        self._run("delete", zone, name, address, 0, record_type(address))

    def _run(self, action: str, zone: str, name: str, value: str, ttl: int, kind: str = "TXT") -> None:
        secrets = {
            one.name: self._means.read_secret(one.secret, f"options.{one.name}").reveal().decode("utf-8", "replace")
            for one in self._spec.options
            if one.secret is not None
        }
        options = {one.name: one.text for one in self._spec.options if one.secret is None} | secrets
        task = {"action": action, "provider": self._spec.name, "zone": zone, "type": kind, "name": name, "value": value}
        stdin = json.dumps({**task, "ttl": ttl, "options": options}).encode()
        with _lock(self._spec.name, zone):
            self._means.check_stop()
            finished = processes.run(
                [sys.executable, "-I", str(_CHILD)], stdin=stdin, timeout=_SECONDS, stop=self._means.clock.stopping
            )
        if finished.ended == "stop":
            raise self._means.stopped()
        if finished.ended == "deadline":
            raise Silent("ProviderFailed", f"lexicon provider {self._spec.name} did not end within {_SECONDS:g} s")
        outcome = _outcome(finished)
        if outcome["status"] != "done":
            raise self._failure(outcome, secrets)

    def _failure(self, outcome: dict[str, Any], secrets: dict[str, str]) -> Failed:
        words = without_secrets(str(outcome.get("words", "")), secrets.values())
        status, name = outcome["status"], self._spec.name
        if status == "missing":
            more = "" if words.startswith("lexicon") else f" 'dns-lexicon[{name}]'"
            words = f"needs {clean(words, 60)}, which is not installed; type: pip install 'certwright[lexicon]'{more}"
        return Failed(_REASONS.get(status, "ProviderFailed"), f"lexicon provider {name} {clean(words, _SHOWN)}")


def _outcome(finished: processes.Finished) -> dict[str, Any]:
    if finished.ended == "flood":
        return {"status": "failed", "words": f"printed more than {processes.FLOOD_LIMIT >> 20} MiB and was killed"}
    lines = finished.output.strip().splitlines()
    try:
        outcome = json.loads(lines[-1]) if lines else None
    except ValueError:
        outcome = None
    if isinstance(outcome, dict) and isinstance(outcome.get("status"), str):
        return outcome
    return {"status": "failed", "words": f"ended with {finished.returncode} and said nothing that can be read"}


def _lock(name: str, zone: str) -> threading.Lock:
    with _LOCKS_LOCK:
        return _LOCKS.setdefault((name, zone), threading.Lock())
