"""Run one provider of dns-lexicon for one record: a process of its own, with a deadline and without our environment.

Task as JSON on standard input: `action` (create, delete), `provider` (checked by who starts us), `zone`, `type` (TXT,
A, AAAA), `name`, `value`, `ttl`, `options`. The last line printed is JSON: `status` (done, missing, options, failed)
and `words`.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any


def known_options(module: Any) -> list[str]:  # noqa: ANN401  a module of somebody else's
    """Give the names of the options that a provider takes."""
    parser = argparse.ArgumentParser(add_help=False)
    module.Provider.configure_parser(parser)
    return sorted(action.dest for action in parser._actions)  # noqa: SLF001  argparse shows them no other way


def perform(task: dict[str, Any]) -> dict[str, str]:
    """Do the task; every failure is words, since providers raise whatever they like."""
    try:
        from lexicon.config import ConfigResolver

        module = importlib.import_module(f"lexicon._private.providers.{task['provider']}")
    except ImportError as error:
        return {"status": "missing", "words": str(error.name or error)}
    known = known_options(module)
    unknown = sorted(set(task["options"]) - set(known))
    if unknown:
        words = f"takes no {', '.join(unknown)}; it takes {', '.join(known) or 'nothing'}"
        return {"status": "options", "words": words}
    absent = [name for name in known if name not in task["options"]]
    hint = f" (options of it that are not given: {', '.join(absent)})" if absent else ""
    settings = {
        "provider_name": task["provider"],
        "action": task["action"],
        "domain": task["zone"],
        "type": task["type"],
        "name": task["name"],
        "content": task["value"],
        "ttl": task["ttl"],
        task["provider"]: task["options"],
    }
    try:
        resolver: Any = ConfigResolver
        provider = module.Provider(resolver().with_dict(settings))
        provider.authenticate()
    except (ImportError, NameError) as error:
        # what a provider needs beyond the extra is imported behind its back, and missed on use
        return {"status": "missing", "words": str(error.name or error)}
    except Exception as error:  # noqa: BLE001  a provider of somebody else's
        return {"status": "options", "words": f"cannot log in: {type(error).__name__}: {error}{hint}"}
    try:
        if task["action"] == "create":
            done = provider.create_record(task["type"], task["name"], task["value"])
        else:
            done = provider.delete_record(None, task["type"], task["name"], task["value"])
    except Exception as error:  # noqa: BLE001
        return {"status": "failed", "words": f"{type(error).__name__}: {error}"}
    return {"status": "done" if done else "failed", "words": "" if done else "it says no, without a reason"}


def main() -> None:
    """Read the task, do it in silence, print the outcome."""
    noise = io.StringIO()
    with redirect_stdout(noise), redirect_stderr(noise):
        outcome = perform(json.load(sys.stdin))
    sys.stdout.write("\n" + json.dumps(outcome) + "\n")


if __name__ == "__main__":
    main()
