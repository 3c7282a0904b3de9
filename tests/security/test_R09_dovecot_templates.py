"""R9 for Dovecot: even a template that prints whatever it is given prints no syntax."""

from __future__ import annotations

import pytest

from reconciler.model.desired import DovecotTarget, Template
from reconciler.model.ports import Refusal
from reconciler.targets.dovecot import Dovecot
from tests.targets.making import RENDERER, one, seat
from tests.targets.syntax import STRINGS, WAYS


def templated(text: str) -> DovecotTarget:
    return DovecotTarget(name="mail", config_directory="/c", template=Template("inline", text))


@pytest.mark.parametrize("way", WAYS)
def test_no_way_through_a_template_lets_syntax_out(way: str) -> None:
    spec = templated(f"ssl_cipher_list = {way}\n")
    sites = [
        seat(spec, f"s{number}", values={"v": text}) for number, text in enumerate([*STRINGS, "<secret", "%{env}"])
    ]
    rendered = Dovecot(spec, RENDERER).render(sites)
    assert all(isinstance(found, Refusal) for found in rendered.values()), rendered


def test_what_is_harmless_passes() -> None:
    spec = templated("ssl_cipher_list = {{ values.v }}\n")
    found = one(Dovecot(spec, RENDERER).render([seat(spec, values={"v": "a-Z_0.9/@:+*"})]))
    assert found.text == "ssl_cipher_list = a-Z_0.9/@:+*\n"
