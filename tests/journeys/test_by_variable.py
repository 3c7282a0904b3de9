"""nginx by variable, as its page in examples/nginx-live says: workers of another user read copies at each handshake."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.journeys.stage import SERVER, Stage, document, site
from tests.servers.handshake import handshake
from tests.servers.nginx import Nginx
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).resolve().parents[2] / "examples" / "nginx-live" / "by-variable.md"
AGAIN = {"annotations": {"certwright/renewAt": "1"}}


@pytest.fixture(name="open_root")
def _open_root() -> Iterator[Path]:
    """A directory that other users may enter, unlike a test's own."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:  # where workers get to
        Path(name).chmod(0o755)
        yield Path(name)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_new_certificates_are_served_without_a_reload(stage: Stage, open_root: Path) -> None:
    [target], [block], port = blocks("yaml"), blocks("nginx"), free_port()
    assert "www-data" in target
    directory = open_root / "by-site"
    directory.mkdir()
    given = yaml.safe_load(target.replace("/etc/nginx/by-site", str(directory)).replace("www-data", "nogroup"))
    given["spec"]["verify"]["ports"] = [port]
    stage.write("base.yaml", document("Server", "home", SERVER), given)
    sites = [site(name, f"{name}.example.com", issuers=["ca"], targets=["web"]) for name in ("example", "shop")]
    stage.write("sites.yaml", *sites)
    text = block.replace("/etc/nginx/by-site", str(directory)).replace("443", f"127.0.0.1:{port}")
    root = open_root / "nginx"
    root.mkdir()
    web = Nginx(root)
    web.include.mkdir()
    for name in ("temp", "logs"):
        (root / name).mkdir()
    web.configure(text)
    web.config.write_text(web.config.read_text().replace("user root;", "user nobody nogroup;"))
    web.start()
    try:
        stage.settle()
        for name in ("example", "shop"):
            assert handshake(port, f"{name}.example.com").fingerprint == stage.live(name).facts.fingerprint
        stage.write("sites.yaml", {**sites[0], "metadata": {"name": "example", **AGAIN}}, sites[1])
        former = stage.live("example").id
        stage.settle()
        assert stage.live("example").id != former
        assert handshake(port, "example.example.com").fingerprint == stage.live("example").facts.fingerprint
        assert web.reloads == 0
        assert {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()} == {
            "example.pem": 0o640,
            "shop.pem": 0o640,
        }
    finally:
        web.stop()
