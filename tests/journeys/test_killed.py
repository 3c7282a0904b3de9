"""Killed at each call that changes a file: one further `apply` converges; nothing is lost, doubled or half done."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.doors import x509
from reconciler.issuers.self_signed import placeholder
from reconciler.model.ports import Bundle
from tests.journeys.stage import SERVER, WAY, Stage, ca_site, copy_target, document, site
from tests.servers.front import front
from tests.servers.pebble import Options, pebble
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.servers.challtestsrv import Challtestsrv
    from tests.servers.front import Front
    from tests.servers.nginx import Nginx

ROOT = Path(__file__).resolve().parents[2]


def kill_everywhere(
    stage: Stage,
    points: Sequence[int] | None = None,
    removals: int | None = None,
    also: str | None = None,
    meanwhile: Callable[[str], None] | None = None,
    *,
    settles: bool = True,
) -> Iterator[dict[str, Any]]:
    """Keep what stands there now, and give each point's result; the next is tried when it is asked for.

    `also` is a further directory that is kept; `meanwhile` hears `restored` before each death and `died` after it.
    Where it ends with something held, `settles` is false.
    """
    kept = ("state", "out", "loaded", *([also] if also else []))
    for name in kept:
        if (stage.root / name).exists():
            shutil.copytree(stage.root / name, stage.root / "saved" / Path(name).name, symlinks=True)
    job = stage.root / "job.json"
    what = {"root": str(stage.root), "points": points, "limits": {"removals": removals}, "kept": kept}
    job.write_text(json.dumps({**what, "settles": settles, "paused": meanwhile is not None}))
    command = [sys.executable, "-m", "tests.journeys.killing", str(job)]
    with (
        (stage.root / "errors").open("w+") as errors,
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as child,
    ):
        assert child.stdin is not None
        assert child.stdout is not None
        for line in child.stdout:
            told = json.loads(line)
            if "stage" in told and meanwhile is not None:
                meanwhile(told["stage"])
            else:
                assert told["ok"], (told, (stage.root / "errors").read_text())
                yield told
            if told.get("killed", True):
                child.stdin.write("\n")
                child.stdin.flush()
        child.stdin.close()
    assert child.returncode == 0, (stage.root / "errors").read_text()


def loading(stage: Stage) -> dict[str, Any]:
    """A reload that keeps a copy of what was installed then: what the server has loaded."""
    root = stage.root
    return {"reload": {"command": ["/bin/sh", "-c", f"rm -rf {root}/loaded && cp -a {root}/out {root}/loaded"]}}


def write(stage: Stage, *sites: dict[str, object]) -> None:
    target = copy_target(stage.root / "out", **loading(stage))
    stage.write("all.yaml", document("Server", "home", SERVER), target, *sites)


def test_first_certificate_of_the_embedded_ca(stage: Stage) -> None:
    write(stage, ca_site("one"))
    points = list(kill_everywhere(stage))
    assert len(points) > 40, "fewer would mean that the calls are not seen any more"
    assert [point["killed"] for point in points[:-1]] == [True] * (len(points) - 1)


def test_change_and_removal_among_three(stage: Stage) -> None:
    write(stage, *(ca_site(name) for name in ("one", "two", "gone")))
    stage.settle()
    write(stage, ca_site("one", "one.example.com", "www.example.com"), ca_site("two"))
    killed = 0
    for told in kill_everywhere(stage, removals=1):
        killed += told["killed"]
        live = stage.live("one")
        assert live.facts.hostnames == ("one.example.com", "www.example.com")
        assert len(list((stage.state / "certificates" / "one").iterdir())) == 2, "a revision more than needed"
        assert not (stage.state / "live" / "gone").is_symlink()
        assert len(list((stage.state / "archive" / "gone").iterdir())) == 1
    assert killed > 40


def test_certificate_that_was_stored_beside_a_placeholder_goes_live(stage: Stage) -> None:
    """Killed between storing it and moving the pointer from the placeholder."""
    write(stage, ca_site("one"))
    stage.settle()
    stored = stage.live("one")
    with stage.app() as app:
        app.tree.glance()
        (site,) = app.tree.declared(["one"]).sites.values()
        key = x509.new_key(site.key.algorithm)
        made = placeholder(site, key, app.clock.now())
        meta = replace(stored.meta, issuer="self-signed", placeholder=True, reason="Placeholder")
        with app.store.claim("site/one", "apply", 0) as lease:
            bundle = Bundle(key, made.certificate, made.chain)
            app.store.activate(lease, "one", app.store.put_revision(lease, "one", bundle, meta), stored.id)
    assert stage.live("one").meta.placeholder
    [activate, *_] = stage.diff().plan.changes
    assert (activate.verb, activate.reason, activate.revision) == ("activate", "Placeholder", stored.id)
    stage.settle()
    assert stage.live("one") == stored


@pytest.fixture(name="machine")
def _machine(stage: Stage, nginx: Nginx, dns: Challtestsrv) -> Iterator[tuple[Front, Callable[[], None]]]:
    """A CA of one's own behind a front, nginx with a webroot, one site declared; nothing is installed yet."""
    http, tls = free_port(), free_port()
    (stage.root / "pebble").mkdir()
    (stage.root / "webroot").mkdir()
    challenge = f"location /.well-known/acme-challenge/ {{ root {stage.root}/webroot; }}"
    nginx.configure(f"server {{ listen 127.0.0.1:{http}; {challenge} }}")
    nginx.start()
    options = Options(http_port=http, retry_after=(0, 0))
    with pebble(stage.root / "pebble", dns.dns, options) as ca, front(stage.root, ca) as before:
        target = {
            "type": "nginx",
            "layout": "vhost",
            "configDirectory": str(nginx.include),
            "test": list(nginx.test_argv),
            "reload": {"command": list(nginx.reload_argv)},
            "verify": {"ports": [tls]},
        }
        issuer = {"type": "acme", "directory": before.directory, "caBundle": str(before.bundle)}
        stage.write(
            "all.yaml",
            document("Server", "home", SERVER),
            document("Issuer", "pebble", issuer),
            document("ChallengeMethod", "web", {**WAY, "webroot": {"directory": f"{stage.root}/webroot"}}),
            document("Target", "web", target),
            site("one", issuers=["pebble"], challenges=[{"method": "web"}], targets=["web"]),
        )

        def clear() -> None:
            for path in nginx.include.iterdir():
                path.unlink()
            nginx.reload()

        yield before, clear


def assert_orders(stage: Stage, machine: tuple[Front, Callable[[], None]], points: Sequence[int] | None) -> int:
    """At most one order more than needed, and only between sending newOrder and keeping its URL; give the deaths."""
    before, clear = machine
    doubled = []
    killed = 0
    for told in kill_everywhere(stage, points):
        orders = before.count("order-plz", method="POST")
        assert orders <= 2
        doubled += [told["at"]] * (orders - 1)
        killed += told["killed"]
        before.forget()
        clear()
    assert len(doubled) <= 3, f"orders were doubled at {doubled}"
    return killed


def test_first_certificate_by_acme_and_nginx_sampled(stage: Stage, machine: tuple[Front, Callable[[], None]]) -> None:
    assert assert_orders(stage, machine, list(range(5, 200, 23))) > 3


@pytest.mark.soak
def test_first_certificate_by_acme_and_nginx_at_each_call(
    stage: Stage, machine: tuple[Front, Callable[[], None]]
) -> None:
    assert assert_orders(stage, machine, None) > 60
