"""The render child: a program of its own, started by `templates` with `python -I`, under limits that it sets itself.

Reads requests from its input: 4 bytes of length, then JSON `{"templates": {digest: text}, "jobs": [[digest, {}]]}`.
Writes one answer a job, in order: a letter, 4 bytes of length, then with `t` the text, with `e` `LINE REASON`; `m` is
an `e` that ran out of memory, after which the parent takes a fresh process. Ends with its input.
It imports nothing of certwright, opens no file and has no secret.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from typing import TYPE_CHECKING, Final

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Template

_PROCESSOR_SECONDS: Final = 5
_MEMORY: Final = 512 * 1024 * 1024
_OUTPUT_LIMIT: Final = 16 * 1024 * 1024
_TEMPLATES_KEPT: Final = 64
_REASON_LIMIT: Final = 600
_SHOWN: Final = 60
# what prints without passing the guard, and what would need files
_REFUSED: Final = (nodes.CallBlock, nodes.FilterBlock, nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
_SAFE: Final = re.compile(r"[A-Za-z0-9._/@:+*-]*", re.ASCII)


class Unsafe(TemplateError):
    """An expression would print what could end a directive and begin another."""


class TooLong(TemplateError):
    """The output grew beyond its limit."""


def guard(value: object) -> object:
    """Let out of an expression only what no server reads as syntax (R9); the template's own text does not come here."""
    if isinstance(value, StrictUndefined):
        # its str() raises and says which variable there is not
        return str(value)
    if value is None:
        raise Unsafe("an expression has no value (none)")
    text = str(value)
    if _SAFE.fullmatch(text):
        return text
    wrong = next(char for char in text if not _SAFE.fullmatch(char))
    shown = ascii(text[:_SHOWN])
    several = "; several words are printed one by one: {% for x in LIST %}{{ x }} {% endfor %}" if wrong == " " else ""
    raise Unsafe(f"an expression would print {shown}; {wrong!a} is not among A-Z a-z 0-9 . _ / @ : + * -{several}")


def make_environment() -> ImmutableSandboxedEnvironment:
    """Make the sandbox: no loader, no randomness, no attribute that begins with an underscore."""
    environment = ImmutableSandboxedEnvironment(
        finalize=guard, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.globals.pop("lipsum")
    environment.filters.pop("random")
    return environment


def compiled(environment: ImmutableSandboxedEnvironment, text: str) -> Template:
    """Compile a template. Blocks of `call` and `filter` are refused: what they print does not pass the guard."""
    tree = environment.parse(text)
    for kind in _REFUSED:
        found = tree.find(kind)
        if found is not None:
            raise TemplateSyntaxError(f"{kind.__name__} is not allowed in templates here", found.lineno)
    return environment.from_string(tree)


def rendered(template: Template, variables: Mapping[str, object]) -> str:
    """Render within the limit of output."""
    pieces: list[str] = []
    left = _OUTPUT_LIMIT
    for piece in template.generate(variables):
        left -= len(piece.encode())
        if left < 0:
            raise TooLong(f"the text is longer than {_OUTPUT_LIMIT} bytes")
        pieces.append(piece)
    return "".join(pieces)


def explained(error: Exception) -> str:
    """Say in one line where and why: `LINE REASON`; line 0 if it is not known."""
    line = error.lineno if isinstance(error, TemplateSyntaxError) else _line_of(error)
    if isinstance(error, MemoryError):
        reason = f"it used more than {_MEMORY >> 20} MiB of memory"
    elif isinstance(error, SecurityError):
        reason = f"not allowed: {error}"
    elif isinstance(error, (TemplateSyntaxError, UndefinedError, Unsafe, TooLong)):
        reason = str(error.message or "it cannot be read")
    else:
        reason = f"{type(error).__name__}: {error}"
    return f"{line} {reason[:_REASON_LIMIT]}"


def _line_of(error: Exception) -> int:
    """Give the line of the template that was at work: jinja2 puts it into the traceback as a frame of `<template>`."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def limit_memory() -> None:
    """Bound this process for its life: memory, no core file, no files written, few descriptors."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def allow_processor_time() -> None:
    """Give the next job 5 s: the soft limit moves on, and whoever passes it is ended by the kernel (SIGXCPU)."""
    used = int(time.process_time()) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (used + _PROCESSOR_SECONDS, resource.RLIM_INFINITY))


def answer(
    environment: ImmutableSandboxedEnvironment,
    kept: dict[str, Template],
    text: str,
    job: tuple[str, Mapping[str, object]],
) -> tuple[bytes, bytes]:
    """Do one job: kind and payload of its answer."""
    digest, variables = job
    try:
        if digest not in kept:
            if len(kept) >= _TEMPLATES_KEPT:
                kept.pop(next(iter(kept)))
            kept[digest] = compiled(environment, text)
        return b"t", rendered(kept[digest], variables).encode()
    except Exception as error:  # noqa: BLE001  whatever a template raises is that job's answer
        return b"m" if isinstance(error, MemoryError) else b"e", explained(error).encode("utf-8", "replace")


def main() -> None:
    """Serve requests until the input ends."""
    limit_memory()
    environment, kept = make_environment(), dict[str, "Template"]()
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while len(header := source.read(4)) == 4:  # noqa: PLR2004  the length of a length
        request = json.loads(source.read(int.from_bytes(header, "big")))
        for job in request["jobs"]:
            allow_processor_time()
            kind, payload = answer(environment, kept, request["templates"][job[0]], job)
            sink.write(kind + len(payload).to_bytes(4, "big") + payload)
            sink.flush()


if __name__ == "__main__":
    main()
