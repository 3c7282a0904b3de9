"""What every target promises, whatever its type: one row a type and layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reconciler.model.desired import (
    ApacheTarget,
    DovecotTarget,
    ExecTarget,
    FileRule,
    FilesTarget,
    HaproxyTarget,
    NginxTarget,
    PostfixTarget,
    Verify,
)
from reconciler.model.names import Part
from reconciler.model.ports import Refusal
from reconciler.targets.apache import Apache
from reconciler.targets.command import Command
from reconciler.targets.dovecot import Dovecot
from reconciler.targets.files import Files
from reconciler.targets.haproxy import Haproxy
from reconciler.targets.nginx import Nginx
from reconciler.targets.postfix import Postfix
from reconciler.targets.web import WebServer
from tests.targets.making import RENDERER, ScriptedHands, seat

if TYPE_CHECKING:
    from reconciler.model.ports import Target

Make = Callable[[Verify], "Target"]


def _nginx(layout: str) -> Make:
    def make(verify: Verify) -> Target:
        return Nginx(NginxTarget(name="t", layout=layout, verify=verify), RENDERER)  # type: ignore[arg-type]

    return make


def _apache(layout: str) -> Make:
    def make(verify: Verify) -> Target:
        return Apache(ApacheTarget(name="t", layout=layout, verify=verify), RENDERER)  # type: ignore[arg-type]

    return make


def _haproxy(verify: Verify) -> Target:
    return Haproxy(HaproxyTarget(name="t", verify=verify))


def _dovecot(verify: Verify) -> Target:
    return Dovecot(DovecotTarget(name="t", verify=verify), RENDERER)


def _postfix(verify: Verify) -> Target:
    return Postfix(PostfixTarget(name="t", verify=verify))


def _files(verify: Verify) -> Target:
    rules = (FileRule(Part.KEY, "/x/{site}.key", 0o600), FileRule(Part.FULLCHAIN, "/x/{site}.pem", 0o644))
    return Files(FilesTarget(name="t", files=rules, verify=verify))


def _exec(verify: Verify) -> Target:
    return Command(ExecTarget(name="t", install=("/x/deploy",), verify=verify))


TARGETS: dict[str, Make] = {
    "nginx snippet": _nginx("snippet"),
    "nginx vhost": _nginx("vhost"),
    "nginx live": _nginx("live"),
    "apache snippet": _apache("snippet"),
    "apache vhost": _apache("vhost"),
    "apache live": _apache("live"),
    "haproxy": _haproxy,
    "dovecot": _dovecot,
    "postfix": _postfix,
    "files": _files,
    "exec": _exec,
}
NAMES = ("a", "b", "c.d")


@pytest.fixture(name="target", params=TARGETS)
def _target(request: pytest.FixtureRequest) -> Target:
    return TARGETS[request.param](Verify(ports=(443,)))


def test_every_site_has_an_answer(target: Target) -> None:
    rendered = target.render([seat(target.spec, name) for name in NAMES])
    assert rendered.keys() == set(NAMES)
    assert not any(isinstance(found, Refusal) for found in rendered.values())


def test_nothing_in_nothing_out(target: Target) -> None:
    assert target.render([]) == {}
    assert target.shared([]) == ()


def test_rendering_is_a_function_of_its_arguments(target: Target) -> None:
    sites = [seat(target.spec, name) for name in NAMES]
    assert target.render(sites) == target.render(sites)
    assert target.shared(sites) == target.shared(sites)


def test_a_sites_files_do_not_depend_on_the_others(target: Target) -> None:
    together = target.render([seat(target.spec, name) for name in NAMES])
    for name in NAMES:
        assert target.render([seat(target.spec, name)])[name] == together[name]


def test_no_path_belongs_to_two(target: Target) -> None:
    sites = [seat(target.spec, name) for name in NAMES]
    found = [
        artifact
        for files in target.render(sites).values()
        if not isinstance(files, Refusal)
        for artifact in files
        if not artifact.fragment
    ]
    paths = [artifact.path for artifact in (*found, *target.shared(sites))]
    assert len(paths) == len(set(paths))
    assert all(path.startswith("/") for path in paths)


def test_text_is_for_configuration_and_copies_are_told(target: Target) -> None:
    sites = [seat(target.spec, name) for name in NAMES]
    for files in target.render(sites).values():
        assert not isinstance(files, Refusal)
        for artifact in files:
            assert (artifact.part in (Part.CONFIG, Part.TASK)) == (artifact.text is not None)
            assert target.copies == (artifact.part is not Part.CONFIG) or artifact.fragment
            assert not (artifact.part.is_secret and artifact.mode & 0o007)


def test_a_bad_site_is_refused_alone(target: Target) -> None:
    bad = replace(seat(target.spec, "bad"), site="../bad")
    rendered = target.render([seat(target.spec), bad])
    assert not isinstance(rendered["a"], Refusal)
    found = rendered["../bad"]
    assert isinstance(found, Refusal) or found == ()


def test_the_servers_word_is_taken(target: Target) -> None:
    declared = replace(target.spec, test=("check",), reload=replace(target.spec.reload, command=("load",)))
    rest = (RENDERER,) if isinstance(target, WebServer | Dovecot) else ()
    target = type(target)(declared, *rest)  # type: ignore[call-arg]
    assert target.test(ScriptedHands(0, "fine"), ["/x"]).ok
    assert not target.test(ScriptedHands(1, "no"), ["/x"]).ok
    assert target.test(ScriptedHands(1, "no"), ["/x"]).output == "no"
    assert not target.activate(ScriptedHands(-1), []).ok
    assert target.test(ScriptedHands(1, "/y /z"), ["/x"]).blamed == ()
    assert not target.replaces([])


@pytest.mark.parametrize("make", TARGETS.values(), ids=TARGETS)
def test_probes_are_one_a_port(make: Make) -> None:
    target = make(Verify("192.0.2.1", (443, 8443)))
    assert [(probe.address, probe.port) for probe in target.probes(seat(target.spec))] == [
        ("192.0.2.1", 443),
        ("192.0.2.1", 8443),
    ]
    assert make(Verify(ports=())).probes(seat(target.spec)) == ()
