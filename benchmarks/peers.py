"""Other programs on the same number of certificates: run where they are installed, else as they were recorded."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.processes import timed

if TYPE_CHECKING:
    from pathlib import Path

# Medians of three (10,000: one run) on two cores of 2.6 GHz, Debian 12, November 2026: certbot 5.8.0, lego 4.9.1.
RECORDED: Final = {
    ("certbot renew", 1000): 3.28,
    ("certbot renew", 10_000): 41.4,
    ("lego list", 1000): 0.051,
    ("lego list", 10_000): 1.72,
}
_CONF: Final = """version = 2.1.0
archive_dir = {top}/archive/{name}
cert = {top}/live/{name}/cert.pem
privkey = {top}/live/{name}/privkey.pem
chain = {top}/live/{name}/chain.pem
fullchain = {top}/live/{name}/fullchain.pem
[renewalparams]
account = 0123456789abcdef0123456789abcdef
authenticator = standalone
server = https://127.0.0.1:1/dir
key_type = ecdsa
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """What a peer took, in seconds, and where the figure is from."""

    what: str
    seconds: float
    recorded: bool

    def __str__(self) -> str:
        """Say it."""
        return f"{self.what} {self.seconds:.2f} s{' (recorded)' if self.recorded else ''}"

    def ratio(self, ours: float) -> float | None:
        """Give what share of its time `ours` is; None where its figure is of another machine and day."""
        return None if self.recorded else ours / self.seconds


def lego(live: Path, count: int, room: Path) -> Peer:
    """`lego list` over copies of the certificates under `live`."""
    if shutil.which("lego") is None:
        return Peer("lego list", RECORDED["lego list", count], recorded=True)
    folder = room / f"lego-{count}" / "certificates"
    folder.mkdir(parents=True)
    for site in live.iterdir():
        shutil.copyfile(site / "fullchain.pem", folder / f"{site.name}.example.com.crt")
    spent = [timed(["lego", "--path", str(folder.parent), "list"]).wall for _ in range(3)]
    return Peer("lego list", sorted(spent)[1], recorded=False)


def certbot(live: Path, count: int, room: Path) -> Peer:
    """`certbot renew` over copies of the certificates under `live`; `CERTBOT` names the program."""
    program = os.environ.get("CERTBOT") or shutil.which("certbot")
    if program is None:
        return Peer("certbot renew", RECORDED["certbot renew", count], recorded=True)
    top = room / f"certbot-{count}"
    for site in live.iterdir():
        archive, links = top / "archive" / site.name, top / "live" / site.name
        archive.mkdir(parents=True)
        links.mkdir(parents=True)
        for part in ("cert", "privkey", "chain", "fullchain"):
            shutil.copyfile(site / ("cert.pem" if part == "chain" else f"{part}.pem"), archive / f"{part}1.pem")
            (links / f"{part}.pem").symlink_to(f"../../archive/{site.name}/{part}1.pem")
        (top / "renewal").mkdir(exist_ok=True)
        (top / "renewal" / f"{site.name}.conf").write_text(_CONF.format(top=top, name=site.name))
    dirs = ("--config-dir", str(top), "--work-dir", str(top / "work"), "--logs-dir", str(top / "logs"))
    spent = timed([program, "renew", "--no-random-sleep-on-renew", *dirs]).wall
    return Peer("certbot renew", spent, recorded=False)
