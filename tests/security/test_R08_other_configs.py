"""R8 for Apache and HAProxy: whatever stands in a name or a value, the directives are those of a harmless one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model import fragments
from reconciler.model.desired import ApacheTarget, HaproxyTarget, Template, Verify
from reconciler.model.names import Hostname
from reconciler.model.ports import Refusal
from reconciler.targets.apache import Apache
from reconciler.targets.haproxy import Haproxy
from tests.servers.identity import make_identity
from tests.targets.apache_lines import shape
from tests.targets.making import RENDERER, RealHands, install, one, put_live, seat

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.ports import Artifact, SiteOnTarget
    from tests.servers.apache import Apache as ApacheServer

HOSTILE = [
    "x\n", "x\nInclude /etc/shadow", "x>", "<x", "</VirtualHost>", "${PATH}", "%{HTTP_HOST}", "'", '"', "\\", "x y",
    "#",
    "\0", "\uff58", "é", "\u2028", "\r", "\t", "x\\\n", "x \\", "{{ 7 * 7 }}", "{% raw %}", "`id`", "x|y", "x;y",
    "x&y", "[alpn h2]", "[", "]", "!*", "x\n\nshow info", "<<", "(x)", "%00", ",", "=", "*", "^", "$1",
]  # fmt: skip
OWN = "<VirtualHost *:443>\nServerName {{ hostnames[0] }}\nDefine x {{ values.v }}\n</VirtualHost>\n# {{ site }}\n"
FIELDS = ["site", "hostnames", "live", "webroot", "values"]
SPECS = {
    "snippet": ApacheTarget(name="web", config_directory="/c"),
    "vhost": ApacheTarget(name="web", config_directory="/c", layout="vhost", verify=Verify(ports=(443,))),
    "template": ApacheTarget(name="web", config_directory="/c", layout="vhost", template=Template("own", OWN)),
}
PROXY = HaproxyTarget(name="web", config_directory="/c")


def with_text(spec: ApacheTarget | HaproxyTarget, field: str, text: str) -> SiteOnTarget:
    site = seat(spec, "x", "x", values={"v": "x"}, webroot="/x")
    if field == "values":
        return seat(spec, "x", "x", values={"v": text}, webroot="/x")
    changes: dict[str, object] = {"hostnames": (text,)} if field == "hostnames" else {field: text}
    return replace(site, **({"http01_webroot": text} if field == "webroot" else changes))


def both(target: Apache | Haproxy, site: SiteOnTarget) -> tuple[tuple[Artifact, ...] | Refusal, tuple[Artifact, ...]]:
    (expected,) = target.render([with_text(target.spec, "values", "x")]).values()
    (found,) = target.render([site]).values()
    assert not isinstance(expected, Refusal)
    return found, expected


def check_apache(spec: ApacheTarget, site: SiteOnTarget) -> None:
    found, expected = both(Apache(spec, RENDERER), site)
    if not isinstance(found, Refusal):
        # a wildcard that stands first is an alias beside it: by a server name it would not match
        aliases = {"serveralias/1"}
        assert [x for x in shape(found[0].text or "") if x not in aliases] == shape(expected[0].text or "")
        assert "${" not in (found[0].text or "")
        assert found[0].path.count("/") == expected[0].path.count("/")


def check_haproxy(site: SiteOnTarget) -> None:
    found, expected = both(Haproxy(PROXY), site)
    if not isinstance(found, Refusal):
        text = fragments.joined({site.site: found[1].text or ""})
        assert list(fragments.blocks(text)) == [site.site]
        lines = [line.split(" ") for line in text.split("\n") if line and not line.startswith("#")]
        named = [name for name in site.hostnames if not Hostname(name).is_address]
        assert lines == [[found[0].path, *named]]
        assert found[0].path.count("/") == expected[0].path.count("/")
        assert text.isascii()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", FIELDS)
def test_hostile_text_changes_no_directive(field: str, text: str) -> None:
    for spec in SPECS.values():
        check_apache(spec, with_text(spec, field, text))
    check_haproxy(with_text(PROXY, field, text))


@given(text=st.text(min_size=1, max_size=30), field=st.sampled_from(FIELDS))
def test_no_text_changes_a_directive(text: str, field: str) -> None:
    for spec in SPECS.values():
        check_apache(spec, with_text(spec, field, text))
    check_haproxy(with_text(PROXY, field, text))


@given(text=st.text(max_size=30), key=st.sampled_from(["listen", "httpListen", "extra"]))
def test_values_of_the_built_in_template_change_no_directive(text: str, key: str) -> None:
    values = {"listen": "192.0.2.1:1", "httpListen": "192.0.2.1:2", "extra": "/x"}
    spec = replace(SPECS["vhost"], values=values)
    target = Apache(spec, RENDERER)
    expected = one(target.render([seat(spec, "x", "x", webroot="/x")]), "x")
    (found,) = target.render([seat(spec, "x", "x", values={key: text}, webroot="/x")]).values()
    if not isinstance(found, Refusal):
        assert shape(found[0].text or "") == shape(expected.text or "")


def test_the_real_apache_reads_what_the_tokenizer_reads(apache: ApacheServer, tmp_path: Path) -> None:
    put_live(tmp_path / "live", "x", make_identity(tmp_path / "made", "x.example"))
    values = {"listen": "127.0.0.1:1", "httpListen": "127.0.0.1:2"}
    spec = replace(SPECS["vhost"], config_directory=str(apache.include), values=values)
    found = one(
        Apache(spec, RENDERER).render([seat(spec, "x", "x.example", live=str(tmp_path / "live"), webroot="/x")]), "x"
    )
    install([found])
    apache.configure("")
    code, output = RealHands().run("test", (*apache.test_argv, "-D", "DUMP_CONFIG"))
    assert code == 0, output
    dumped = output.partition(f"# In file: {found.path}\n")[2].partition("# In file: ")[0]
    assert shape(dumped.replace("Syntax OK", "")) == shape(found.text or "")
