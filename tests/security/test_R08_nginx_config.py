"""R8: whatever stands in a name or a value, nginx reads the directives of a harmless one, or the site is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.desired import NginxTarget, Template
from reconciler.model.ports import Refusal
from reconciler.targets.nginx import Nginx
from tests.targets.making import RENDERER, RealHands, install, put_live, seat, vhost
from tests.targets.tokens import shape

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.ports import SiteOnTarget
    from tests.servers.nginx import Nginx as Server

HOSTILE = [
    "x\n", "x;", "x; include /etc/shadow", "x {", "}", "x} server { listen 1", "$host", "'", '"', "\\", "x y", "#",
    "\0", "\uff58", "é", "\u2028", "\r", "\t", "x;}\nload_module /tmp/x.so;", "${x}", "{{ 7 * 7 }}", "{% raw %}", "~.*",
    "`id`", "x|y", "x&y", "<x>", "(x)", "%00", ",", "=",
]  # fmt: skip
OWN = (
    "server { server_name {{ hostnames[0] }}; ssl_certificate {{ fullchain }}; "
    "return 200 {{ values.v }}; } # {{ site }} {{ target }}\n"
)
SPECS = {
    "snippet": NginxTarget(name="web", config_directory="/c"),
    "vhost": vhost("/c"),
    "template": vhost("/c", template=Template("own", OWN)),
}


def harmless(spec: NginxTarget) -> SiteOnTarget:
    return seat(spec, "x", "x", values={"v": "x"}, webroot="/x")


def with_text(spec: NginxTarget, field: str, text: str) -> SiteOnTarget:
    site = harmless(spec)
    if field == "values":
        return seat(spec, "x", "x", values={"v": text}, webroot="/x")
    if field == "hostnames":
        return replace(site, hostnames=(text,))
    if field == "site":
        return replace(site, site=text)
    if field == "live":
        return replace(site, live=text)
    return replace(site, http01_webroot=text)


def check(spec: NginxTarget, site: SiteOnTarget) -> None:
    target = Nginx(spec, RENDERER)
    (expected,) = target.render([harmless(spec)]).values()
    (found,) = target.render([site]).values()
    assert not isinstance(expected, Refusal)
    if not isinstance(found, Refusal):
        assert shape(found[0].text or "") == shape(expected[0].text or "")
        assert found[0].path.count("/") == expected[0].path.count("/")


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", ["site", "hostnames", "live", "webroot", "values"])
@pytest.mark.parametrize("layout", SPECS)
def test_hostile_text_changes_no_directive(layout: str, field: str, text: str) -> None:
    check(SPECS[layout], with_text(SPECS[layout], field, text))


@given(text=st.text(min_size=1, max_size=30), field=st.sampled_from(["site", "hostnames", "live", "webroot", "values"]))
def test_no_text_changes_a_directive(text: str, field: str) -> None:
    for spec in SPECS.values():
        check(spec, with_text(spec, field, text))


@given(text=st.text(max_size=30), key=st.sampled_from(["listen", "httpListen", "extra"]))
def test_values_of_the_built_in_template_change_no_directive(text: str, key: str) -> None:
    spec = vhost("/c", values={"listen": "192.0.2.1:1", "httpListen": "192.0.2.1:2", "extra": "/x"})
    check(spec, seat(spec, "x", "x", values={key: text}, webroot="/x"))


def test_the_real_nginx_reads_what_the_tokenizer_reads(nginx: Server, tmp_path: Path) -> None:
    from tests.servers.identity import make_identity

    put_live(tmp_path / "live", "x", make_identity(tmp_path / "made", "x.example"))
    spec = vhost(nginx.include, test=(*nginx.argv, "-T"), values={"listen": "127.0.0.1:1", "httpListen": "127.0.0.1:2"})
    site = seat(spec, "x", "x.example", live=str(tmp_path / "live"), webroot="/x")
    (found,) = Nginx(spec, RENDERER).render([site]).values()
    assert not isinstance(found, Refusal)
    install(found)
    code, output = RealHands().run("test", spec.test or ())
    assert code == 0, output
    dumped = output.partition(f"# configuration file {found[0].path}:\n")[2]
    assert shape(dumped) == shape(found[0].text or "")
