"""`make quickstart`: the whole job, watched. Manifests, their diff, certificates, a TLS server, an edit, and again.

Works on a copy of `manifests/` in `quickstart/` of this checkout, with the checkout's own store, `state/`; where others
can write to the checkout, in a private directory. Prints each command before it runs it, stops with exit 1 where a
result is not what it should be, and ends the server it started.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
PORT = 8443
SAFE = re.compile(r"[A-Za-z0-9/._@+-]+", re.ASCII)
BOLD, DIM, OFF = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")
PROGRAMS = {"certwright": str(Path(sys.executable).parent / "certwright"), "python": sys.executable}


class WrongError(Exception):
    """A step's result is not what it should be."""


@dataclass(frozen=True)
class Place:
    """Where the copied manifests and the store are, as a command names them."""

    ground: str
    state: str

    @property
    def path(self) -> Path:
        return CHECKOUT / self.ground


def choose_place() -> Place:
    """Give the checkout, or a private directory if certwright would refuse it: others could change what it does."""
    if SAFE.fullmatch(str(CHECKOUT)) and all(_is_ours(path) for path in (CHECKOUT, *CHECKOUT.parents)):
        return Place("quickstart", "state")
    private = tempfile.mkdtemp(prefix="certwright-quickstart-")
    print(f"(others can write to {CHECKOUT}, or its name is unusual: working in {private})")
    return Place(f"{private}/quickstart", f"{private}/state")


def _is_ours(path: Path) -> bool:
    facts = path.stat()
    shared = facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not facts.st_mode & stat.S_ISVTX
    return facts.st_uid in {0, os.geteuid()} and not shared


def say(text: str) -> None:
    print(f"\n{BOLD}{text}{OFF}", flush=True)


def show(line: str) -> None:
    print(f"{DIM}${OFF} {line}", flush=True)


def run(command: str, *expected: str, codes: Sequence[int] = (0,)) -> str:
    """Print and run a command, and check its exit code and what it says."""
    show(command)
    words = shlex.split(command)
    program = [PROGRAMS.get(words[0], words[0]), *words[1:]]
    said = ""
    with subprocess.Popen(
        program, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as done:
        for line in done.stdout or ():
            print(line, end="", flush=True)
            said += line
    if done.returncode not in codes:
        raise WrongError(f"`{command}` ended with {done.returncode}, not with {' or '.join(map(str, codes))}")
    for text in expected:
        if text not in said:
            raise WrongError(f"`{command}` does not say {text!r}")
    return said


def certwright(place: Place, verb: str, *expected: str, codes: Sequence[int] = (0,)) -> str:
    return run(f"certwright -f {place.ground} --state {place.state} {verb}", *expected, codes=codes)


def free_port() -> int:
    """Give 8443, or whatever is free if somebody has it."""
    for port in (PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise WrongError("no free port on 127.0.0.1")


def lay_out(place: Place, port: int) -> None:
    """Copy the example's manifests, with the paths of this place and the port."""
    schemas = CHECKOUT / "schemas"
    for source in sorted((HERE / "manifests").rglob("*.yaml")):
        copy = place.path / source.relative_to(HERE / "manifests")
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text().replace("/srv/quickstart", str(place.path)).replace(str(PORT), str(port))
        copy.write_text(re.sub(r"(\.\./)+schemas", str(schemas), text))
        for made in (copy, copy.parent):
            made.chmod(made.stat().st_mode & ~0o022)
    (place.path / "tls").mkdir(mode=0o755, exist_ok=True)
    (place.path / "tls").chmod(0o755)


def edit(place: Place, name: str, old: str, new: str) -> None:
    """Change a manifest, and show what was changed."""
    path = place.path / name
    before = path.read_text()
    after = before.replace(old, new)
    if before == after:
        raise WrongError(f"{path} does not hold {old!r}")
    path.write_text(after)
    show(f"vi {place.ground}/{name}")
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", lineterm="", n=2)
    print("\n".join(lines), flush=True)


@contextmanager
def serving(place: Place, port: int) -> Iterator[None]:
    """Run the TLS server; when the block ends it is ended, whatever happened."""
    tls, pid_file = place.path / "tls", place.path / "server.pid"
    show(f"python examples/quickstart/serve.py {place.ground}/tls --port {port} --pid-file {place.ground}/server.pid &")
    pid_file.unlink(missing_ok=True)
    options = ["--port", str(port), "--pid-file", str(pid_file)]
    server = subprocess.Popen([sys.executable, HERE / "serve.py", tls, *options], stdin=subprocess.DEVNULL)
    try:
        _await(server, pid_file)
        yield
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _await(server: subprocess.Popen[bytes], pid_file: Path) -> None:
    deadline = time.monotonic() + 10
    while not (pid_file.exists() and pid_file.read_text()):
        if server.poll() is not None or time.monotonic() > deadline:
            raise WrongError("serve.py did not start")
        time.sleep(0.02)


def tour(place: Place) -> None:
    port = free_port()
    again = (CHECKOUT / place.state / "live" / "shop").exists()
    lay_out(place, port)
    say("1. The wish: a few lines of YAML")
    if again:
        print("(not the first time here: the store has certificates already, so there is less to do)")
    run(f"cat {place.ground}/sites/shop.yaml")
    certwright(place, "validate", "valid: 2 sites")

    say("2. What would be done, and why. Exit code 1: there are changes")
    if again:
        certwright(place, "diff", codes=(0, 1))
    else:
        certwright(place, "diff", "Missing", "shop.example.com", codes=(1,))

    say("3. A TLS server of your own. It knows nothing of certwright; it reads PEM files at SIGHUP")
    with serving(place, port):
        say("4. Make it so: issue, store, install, reload, and look whether it is really served")
        certwright(place, "apply")
        certwright(place, "get sites", "shop", "blog", "True")
        run(f"ls -l {place.state}/live/shop/", "fullchain.pem", "privkey.pem")
        converged(place, port, "shop.example.com", "blog.example.com")

        say("5. An edit: one more hostname")
        one = "    - shop.example.com\n"
        edit(place, "sites/shop.yaml", one, f"{one}    - www.shop.example.com\n")
        small = certwright(place, "diff", "HostnamesDiffer", "www.shop.example.com", codes=(1,))
        if "blog" in small:
            raise WrongError("the diff of an edit of shop touches blog")
        certwright(place, "apply")
        certwright(place, "get sites", "www.shop.example.com")
        converged(place, port, "shop.example.com", "www.shop.example.com", "blog.example.com")


def converged(place: Place, port: int, *names: str) -> None:
    """Check from outside and from inside that it holds, and that nothing is left to do."""
    certwright(place, "verify")
    root = f"{place.state}/ca/ca/certificate.pem"
    run(shlex.join(["python", "examples/quickstart/visit.py", root, str(port), *names]), *names)
    certwright(place, "diff", "no changes")


NEXT = """
Done, and the server is ended again. What was made: {ground} (the manifests) and {state} (the store). From here:

    . .venv/bin/activate                                    # then `certwright` is on the PATH
    certwright --help                                       # all verbs; `certwright explain site` tells the fields
    certwright -f {ground} --state {state} describe site shop
    certwright -f manifests init --agree-tos --email you@example.com www.example.com     # a tree for this machine

    examples/letsencrypt-nginx/    the same with Let's Encrypt and nginx
    README.md                      what it is; state/README.md what is on disk; DESIGN.md why it is so
"""


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    try:
        place = choose_place()
        tour(place)
    except WrongError as wrong:
        print(f"\nquickstart: {wrong}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(NEXT.rstrip().format(ground=place.ground, state=place.state))
    print(f"\nquickstart: {time.monotonic() - began:.0f} seconds, all as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
