"""Run one provider of dns-lexicon for one record: a process of its own, with a deadline and without our environment.

Task as JSON on standard input: `action` (create, delete), `provider` (checked by who starts us), `zone`, `type` (TXT,
A, AAAA), `name`, `value`, `ttl`, `options`. The last line printed is JSON: `status` (done, missing, options, unreached,
failed) and `words`.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import Any
from urllib.parse import urlsplit


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
        return no_login(error, known, task["options"])
    try:
        if task["action"] == "create":
            done = provider.create_record(task["type"], task["name"], task["value"])
        else:
            done = provider.delete_record(None, task["type"], task["name"], task["value"])
    except Exception as error:  # noqa: BLE001
        return {"status": "failed", "words": f"{type(error).__name__}: {error}"}
    return {"status": "done" if done else "failed", "words": "" if done else "it says no, without a reason"}


def no_login(error: Exception, known: list[str], given: dict[str, str]) -> dict[str, str]:
    """Say why nobody is logged in: what is not given comes first, since what others say may be long.

    Many ask their server also without any credentials, so a network that fails may hide that they are missing.
    """
    absent = [name for name in known if name not in given]
    missing = f"options of it that are not given: {', '.join(absent)}" if absent else ""
    away = unreached(error)
    if away and given:
        return {"status": "unreached", "words": away + (f" ({missing})" if missing else "")}
    words = away or f"{type(error).__name__}: {error}"
    return {"status": "options", "words": f"cannot log in{f' ({missing})' if missing else ''}: {words}"}


def unreached(error: Exception) -> str:
    """Name the server that was not reached, and why; "" for any other failure."""
    web = importlib.import_module("requests.exceptions")
    if not isinstance(error, (web.ConnectionError, web.Timeout, ConnectionError, TimeoutError)):
        return ""
    root: BaseException = error
    while (deeper := root.__cause__ or root.__context__) is not None:
        root = deeper
    host = urlsplit(getattr(getattr(error, "request", None), "url", None) or "").hostname or "its server"
    return f"cannot reach {host}: {getattr(root, 'strerror', None) or root}"


def main() -> None:
    """Read the task, do it in silence, print the outcome."""
    noise = io.StringIO()
    with redirect_stdout(noise), redirect_stderr(noise):
        outcome = perform(json.load(sys.stdin))
    sys.stdout.write("\n" + json.dumps(outcome) + "\n")


if __name__ == "__main__":
    main()
