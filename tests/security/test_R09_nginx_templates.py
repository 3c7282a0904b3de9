"""R9: the second wall. Even a template that prints whatever it is given prints no syntax of nginx's."""

from __future__ import annotations

import pytest

from reconciler.model.ports import Refusal
from reconciler.targets.nginx import Nginx
from tests.targets.making import RENDERER, one, seat, templated
from tests.targets.syntax import STRINGS, WAYS


@pytest.mark.parametrize("way", WAYS)
def test_no_way_through_a_template_lets_syntax_out(way: str) -> None:
    spec = templated(f"return 200 {way};")
    sites = [seat(spec, f"s{number}", values={"v": text}) for number, text in enumerate(STRINGS)]
    rendered = Nginx(spec, RENDERER).render(sites)
    assert all(isinstance(found, Refusal) for found in rendered.values()), rendered


def test_what_is_harmless_passes() -> None:
    spec = templated("return 200 {{ values.v }};")
    assert (
        one(Nginx(spec, RENDERER).render([seat(spec, values={"v": "a-Z_0.9/@:+*"})])).text == "return 200 a-Z_0.9/@:+*;"
    )


@pytest.mark.parametrize(
    "bomb",
    ["{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}", "{{ 'a' * 2**31 }}",
     "{{ ''.__class__.__mro__ }}", "{{ self.__init__.__globals__ }}", "{% include '/etc/passwd' %}"],
)  # fmt: skip
def test_a_bomb_is_one_sites_error(bomb: str) -> None:
    spec = templated(f"{{% if site == 'b' %}}{bomb}{{% else %}}good{{% endif %}}")
    rendered = Nginx(spec, RENDERER).render([seat(spec, "a"), seat(spec, "b"), seat(spec, "c")])
    assert isinstance(rendered["b"], Refusal)
    if "include" not in bomb:  # what no template may hold is refused for all of its sites
        assert (one(rendered, "a").text, one(rendered, "c").text) == ("good", "good")
