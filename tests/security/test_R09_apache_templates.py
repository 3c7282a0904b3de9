"""R9 for Apache: even a template that prints whatever it is given prints no syntax."""

from __future__ import annotations

import pytest

from reconciler.model.desired import ApacheTarget, Template
from reconciler.model.ports import Refusal
from reconciler.targets.apache import Apache
from tests.targets.making import RENDERER, one, seat
from tests.targets.syntax import STRINGS, WAYS


def templated(text: str) -> ApacheTarget:
    return ApacheTarget(name="web", layout="vhost", template=Template("inline", text))


@pytest.mark.parametrize("way", WAYS)
def test_no_way_through_a_template_lets_syntax_out(way: str) -> None:
    spec = templated(f"Define x {way}\n")
    sites = [seat(spec, f"s{number}", values={"v": text}) for number, text in enumerate([*STRINGS, "a\\\nb", "${x}"])]
    rendered = Apache(spec, RENDERER).render(sites)
    assert all(isinstance(found, Refusal) for found in rendered.values()), rendered


def test_what_is_harmless_passes() -> None:
    spec = templated("Define x {{ values.v }}\n")
    found = one(Apache(spec, RENDERER).render([seat(spec, values={"v": "a-Z_0.9/@:+*"})]))
    assert found.text == "Define x a-Z_0.9/@:+*\n"
