"""What goes to the terminal: made safe, coloured only there, never a reason to stop half-way.

A reader that goes away (`certwright apply | head`) or a log on a full disk must not break off the work: output is
dropped, the work goes on, and what was lost is told at the end.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING, Final, TextIO

from reconciler.cli.aiming import aimed, with_steps_aimed
from reconciler.cli.waiting import Waits

if TYPE_CHECKING:
    from reconciler.cli.settings import Settings

RED: Final = "31"
GREEN: Final = "32"
YELLOW: Final = "33"
CYAN: Final = "36"
BOLD: Final = "1"
_OUT: Final = "standard output"
_ERR: Final = "standard error"
_BLANKS: Final = str.maketrans("", "", "\n\t")


def safe(text: str) -> str:
    r"""Give text in which no character steers a terminal: what is no line end, tab or printable becomes `\xNN`."""
    if text.translate(_BLANKS).isprintable():
        return text
    return "".join(char if char in "\n\t" or char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


class OutputLost(OSError):
    """A standard stream took no more, for another reason than a reader that went away; `filename` says which one."""

    @property
    def is_results(self) -> bool:
        """Tell whether results are lost, not only words beside them."""
        return str(self.filename) == _OUT


# what was lost and is not told yet, by the stream's name: all screens of a process write to the same two streams
_LOST: Final[dict[str, OutputLost]] = {}


class Screen:
    """Standard output for results, standard error for everything else; one line of one thread at a time."""

    def __init__(self, settings: Settings | None = None) -> None:
        """Find out about colour."""
        self.verbosity = settings.verbosity if settings else 0
        self._color = settings.color if settings else None
        self._given = settings.given if settings else ()
        self._is_text = settings is not None and settings.output in ("text", "wide")
        self._turn = threading.RLock()
        self.waits = Waits(self.note)
        self._gone = False
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(errors="backslashreplace")  # an ASCII terminal, a name that was no UTF-8

    @property
    def quiet(self) -> bool:
        """Tell whether only results and failures are shown."""
        return self.verbosity < 0

    @property
    def live(self) -> bool:
        """Tell whether a progress bar may be drawn: standard error is a terminal."""
        return not self.quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int | None:
        """Give the columns of the terminal that results go to; None where they go elsewhere."""
        with contextlib.suppress(OSError, ValueError):  # what is no terminal, or has no descriptor
            return os.get_terminal_size(sys.stdout.fileno()).columns or None
        return None

    @property
    def plain(self) -> bool:
        """Tell whether a person wants no colour."""
        return self._color is False

    def colored(self, text: str, color: str | None, stream: TextIO) -> str:
        """Make text safe, and colour it if the stream is a terminal."""
        shown = safe(text)
        wanted = self._color if self._color is not None else stream.isatty() and os.environ.get("TERM") != "dumb"
        return f"\x1b[{color}m{shown}\x1b[0m" if color and wanted and shown else shown

    def out(self, text: str = "", color: str | None = None) -> None:
        """Write a result; a line end is added. Never raises for an output that is lost: `finish` does."""
        told = with_steps_aimed(text, self._given) if self._is_text else text
        self._write(sys.stdout, self.colored(told, color, sys.stdout))

    def note(self, text: str = "", color: str | None = None) -> None:
        """Tell something by the way, its commands as they may be typed; not when quiet."""
        if not self.quiet:
            self.tell(aimed(text, self._given), color)

    def tell(self, text: str, color: str | None = None) -> None:
        """Tell something that must be known: a failure, a warning. Never raises, as `out`."""
        self._write(sys.stderr, self.colored(with_steps_aimed(text, self._given), color, sys.stderr))

    def diff(self, text: str) -> None:
        """Write a plan: lines of unified diffs are coloured."""
        for line in text.splitlines():
            self.out(line, _diff_color(line))

    def _write(self, stream: TextIO, text: str) -> None:
        with self._turn:
            if stream is sys.stderr:
                self._flush(sys.stdout)  # so that a log of both keeps their order
            try:
                stream.write(text + "\n")
            except OSError as error:
                self._lose(stream, error)
            if stream is sys.stderr:
                self._flush(stream)

    def pause(self, seconds: float) -> bool:
        """Write out what there is and wait so long; False, at once, when who reads the results has gone away.

        Raises OutputLost.
        """
        import select

        self.finish()
        watch = select.poll()
        with contextlib.suppress(OSError, ValueError):  # what has no descriptor hangs up on nobody
            watch.register(sys.stdout, 0)  # an error and a hang-up are told unasked
        return not self._gone and not watch.poll(seconds * 1000)

    def finish(self) -> None:
        """Write out what is left. Raises OutputLost, once, if standard output or else standard error took not all."""
        for stream in (sys.stdout, sys.stderr):
            self._flush(stream)
        lost = [_LOST.pop(name) for name in (_OUT, _ERR) if name in _LOST]
        for error in lost:
            raise error

    def _flush(self, stream: TextIO) -> None:
        try:
            stream.flush()
        except OSError as error:
            self._lose(stream, error)

    def _lose(self, stream: TextIO, error: OSError) -> None:
        """Send what follows nowhere: the reader is gone, or the disk is full, the work is not done yet."""
        is_out = stream is sys.stdout
        self._gone |= is_out and isinstance(error, BrokenPipeError)
        if not isinstance(error, BrokenPipeError):
            name = _OUT if is_out else _ERR
            _LOST.setdefault(name, OutputLost(error.errno, error.strerror, name))
        _drop(stream)


def _diff_color(line: str) -> str | None:
    text = line.lstrip()
    if text.startswith(("+++", "---")):
        return BOLD
    return {"+": GREEN, "-": RED, "@": CYAN, "~": YELLOW}.get(text[:1])


def _drop(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
