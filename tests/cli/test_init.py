from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from reconciler.cli.settings import Settings
from reconciler.cli.shared.scopes import tree_name
from tests.program import ENTRY

if TYPE_CHECKING:
    from pathlib import Path


def init(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [*ENTRY, "-f", str(root / "tree"), "--state", str(root / "state"), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_a_first_tree_is_valid_and_says_what_comes_next(tmp_path: Path) -> None:
    made = init(tmp_path, "init", "www.example.com", "example.com", "--email", "me@example.com", "--agree-tos")
    assert made.returncode == 0, made.stderr
    for verb in ("validate", "diff", "apply", "run"):
        assert f"certwright -f {tmp_path}/tree --state {tmp_path}/state {verb}" in made.stdout
    server, site = (tmp_path / "tree" / "server.yaml").read_text(), (tmp_path / "tree" / "sites")
    assert server.startswith("# yaml-language-server: $schema=.schema.json\n")
    assert "agreeToTerms: true" in server
    assert [path.name for path in site.iterdir()] == ["www.example.com.yaml"]
    assert (tmp_path / "tree" / ".schema.json").exists()
    assert init(tmp_path, "validate").stdout == "valid: 1 site\n"
    assert not (tmp_path / "state").exists()


def test_it_starts_a_tree_and_never_changes_one(tmp_path: Path) -> None:
    assert init(tmp_path, "init", "www.example.com", "--staging").returncode == 0
    before = {path: path.read_bytes() for path in (tmp_path / "tree").rglob("*") if path.is_file()}
    again = init(tmp_path, "init", "other.example.com")
    assert again.returncode == 2
    assert "has manifests already" in again.stderr
    assert {path: path.read_bytes() for path in (tmp_path / "tree").rglob("*") if path.is_file()} == before


def test_without_agreement_it_says_that_none_was_given(tmp_path: Path) -> None:
    made = init(tmp_path, "init", "www.example.com")
    assert "agreeToTerms: true" in made.stdout
    assert "agreeToTerms: false" in (tmp_path / "tree" / "server.yaml").read_text()


def test_names_that_no_ca_signs_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    for name in ("localhost", "co.uk", "a..b", "-", "x y", "../../etc"):
        assert init(tmp_path, "init", "--", name).returncode == 2, name
        assert not (tmp_path / "tree").exists()


def test_the_web_server_of_the_machine_gets_the_lines_to_paste() -> None:
    from reconciler.cli.shared.first_tree import First, paste, tree

    for server, line in {
        "nginx": "include /etc/nginx/certwright.d/www.example.com.conf;",
        "apache": "Include /etc/apache2/certwright.d/www.example.com.conf",
        "haproxy": "bind :443 ssl crt-list /etc/haproxy/certwright.d/crt-list.txt",
        "dovecot": "!include_try /etc/dovecot/certwright.d/*.conf",
        "postfix": "tls_server_sni_maps = hash:/etc/postfix/certwright.d/sni",
    }.items():
        first = First(("www.example.com",), None, agreed=True, staging=False, servers=(server,))
        assert line in paste(server, "www.example.com", "/state")
        assert (f"targets: [{server}]" in tree(first)["server.yaml"]) is (server in ("nginx", "apache", "haproxy"))


def test_every_server_that_is_found_is_offered(tmp_path: Path) -> None:
    """All five are installed where tests run: the first web server is used, the others are the person's to add."""
    made = init(tmp_path, "init", "www.example.com", "--agree-tos", "--email", "me@example.com")
    server = (tmp_path / "tree" / "server.yaml").read_text()
    assert "    targets: [nginx]   # found here too, and yours to add: apache, haproxy, dovecot, postfix\n" in server
    for name in ("apache", "haproxy", "dovecot", "postfix"):
        assert f"Paste into {name}'s own configuration if you add {name} to `targets`" in made.stdout
    assert "!include_try /etc/dovecot/certwright.d/*.conf" in made.stdout
    assert init(tmp_path, "validate").returncode == 0


def test_describe_shows_the_lines_of_every_server(tmp_path: Path) -> None:
    assert init(tmp_path, "init", "www.example.com").returncode == 0
    for target, line in {
        "nginx": "include /etc/nginx/certwright.d/SITE.conf;",
        "apache": "Include /etc/apache2/certwright.d/SITE.conf",
        "haproxy": "bind :443 ssl crt-list /etc/haproxy/certwright.d/crt-list.txt",
        "dovecot": "!include_try /etc/dovecot/certwright.d/*.conf",
        "postfix": "tls_server_sni_maps = hash:/etc/postfix/certwright.d/sni",
    }.items():
        assert f"  {line}\n" in init(tmp_path, "describe", "target", target).stdout


def test_a_loop_of_links_is_no_tree(tmp_path: Path) -> None:
    (tmp_path / "tree").symlink_to(tmp_path / "tree")
    told = init(tmp_path, "init", "www.example.com")
    assert (told.returncode, "Too many levels of symbolic links" in told.stderr) == (2, True), told.stderr
    assert tree_name(Settings((str(tmp_path / "tree"),), "/s")) == str(tmp_path / "tree"), "`run` holds, and waits"
