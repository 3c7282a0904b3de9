"""R8: whatever stands in a name or a value, Dovecot reads the settings of a harmless one, or the site is refused."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.desired import DovecotTarget, Template
from reconciler.model.names import Hostname
from reconciler.model.ports import Refusal
from reconciler.targets.dovecot import Dovecot, names
from tests.security.test_R08_nginx_config import HOSTILE
from tests.servers.dovecot import dovecot
from tests.servers.identity import make_identity
from tests.targets.making import RENDERER, install, put_live, seat

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.ports import SiteOnTarget

OWN = (
    "local_name {{ hostnames[0] }} {\n  ssl_cert = <{{ fullchain }}\n  ssl_key = <{{ key }}\n"
    "  ssl_cipher_list = {{ values.v }}\n}\n"
)
SPECS = {
    "builtin": DovecotTarget(name="mail", config_directory="/c"),
    "default": DovecotTarget(name="mail", config_directory="/c", default_site="x"),
    "template": DovecotTarget(name="mail", config_directory="/c", template=Template("own", OWN)),
}
FIELDS = ["site", "hostnames", "live", "values"]


def shape(text: str) -> list[tuple[str, ...]]:
    """Give each line as Dovecot's parser reads it: the words before the value, and how many there are after."""
    lines = [line.strip() for line in text.split("\n")]
    assert "\r" not in text
    read = [line.split() for line in lines if line and not line.startswith("#")]
    return [(words[0], str(len(words)), *(word for word in words if word in "{}=")) for words in read]


def with_text(spec: DovecotTarget, field: str, text: str) -> SiteOnTarget:
    site = seat(spec, "x", "x", values={"v": text if field == "values" else "x"})
    given = {"site": {"site": text}, "hostnames": {"hostnames": (text,)}, "live": {"live": text}, "values": {}}
    return replace(site, **given[field])  # type: ignore[arg-type]


def check(spec: DovecotTarget, site: SiteOnTarget) -> None:
    target = Dovecot(spec, RENDERER)
    (expected,) = target.render([with_text(spec, "values", "x")]).values()
    (found,) = target.render([site]).values()
    assert not isinstance(expected, Refusal)
    if isinstance(found, Refusal):
        return
    lines = shape(found[0].text or "")
    if site.site == "x" or spec.default_site is None:
        assert lines == shape(expected[0].text or "")
    assert found[0].path.count("/") == expected[0].path.count("/")


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("spec", SPECS)
def test_hostile_text_changes_no_setting(spec: str, field: str, text: str) -> None:
    check(SPECS[spec], with_text(SPECS[spec], field, text))


@given(text=st.text(min_size=1, max_size=30), field=st.sampled_from(FIELDS))
def test_no_text_changes_a_setting(text: str, field: str) -> None:
    if field == "hostnames" and Hostname(text).is_address:
        return
    for spec in SPECS.values():
        check(spec, with_text(spec, field, text))


def test_the_real_dovecot_reads_these_lines(tmp_path: Path) -> None:
    put_live(tmp_path / "live", "x", make_identity(tmp_path / "made", "x.example"))
    with dovecot(tmp_path / "dovecot", start=False) as server:
        spec = DovecotTarget(name="mail", config_directory=str(server.include))
        site = seat(spec, "x", "x.example", "*.x", live=str(tmp_path / "live"))
        (found,) = Dovecot(spec, RENDERER).render([site]).values()
        assert not isinstance(found, Refusal)
        install(found)
        dumped = subprocess.run([*server.test_argv, "-P"], capture_output=True, text=True, check=True).stdout
        ours = dumped[dumped.index("local_name ") :]
        assert shape(ours) == shape(found[0].text or "")
        assert [(one.certificate, one.key) for one in names(found[0].text or "")] == [
            (f"{tmp_path}/live/x/fullchain.pem", f"{tmp_path}/live/x/privkey.pem")
        ]
