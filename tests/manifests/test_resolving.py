from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.cli.start import start
from reconciler.manifests.resolving import builtins
from tests.journeys.stage import Stage, document, site

if TYPE_CHECKING:
    from pathlib import Path

TREE = """\
apiVersion: certwright/v1
kind: Server
metadata: {name: home}
spec: {}
---
apiVersion: certwright/v1
kind: Site
metadata: {name: a}
spec: {hostnames: [a.example.com], challenges: [{method: dns}]}
"""


def test_a_missing_method_is_the_one_thing_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tree.yaml").write_text(TREE)
    assert start(["-f", str(tmp_path), "validate"]) == 2
    told = capsys.readouterr().err
    assert "there is no ChallengeMethod `dns`" in told
    assert "1 error in 1 file" in told


def test_a_flaw_in_the_method_of_all_is_the_one_thing_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    way = "kind: ChallengeMethod\nmetadata: {name: http}\nspec: {type: http-01, webroot: {}}\n"
    tree = TREE.replace(", challenges: [{method: dns}]", "")
    (tmp_path / "tree.yaml").write_text(f"{tree}---\napiVersion: certwright/v1\n{way}")
    assert start(["-f", str(tmp_path), "validate"]) == 2
    told = capsys.readouterr().err
    assert "`directory` is missing" in told
    assert "1 error in 1 file" in told


def test_a_file_that_is_too_large_is_named_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (2 << 20))
    assert start(["-f", str(tmp_path), "validate"]) == 2
    assert f"{large}: has 2097152 bytes, more than the 1048576 allowed" in capsys.readouterr().err


RIVALS = """\
# the first
---
# of two
apiVersion: certwright/v1
kind: Site
metadata: {name: a}
spec: {hostnames: [x.example.com], issuers: [ca], targets: [nginx]}
---
apiVersion: certwright/v1
kind: Site
metadata: {name: b}
spec: {hostnames: [y.example.com, X.Example.com], issuers: [ca], targets: [nginx]}
"""


def test_a_hostname_of_two_sites_is_told_at_its_own_place_and_names_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "tree.yaml"
    path.write_text(RIVALS)
    assert start(["-f", str(tmp_path), "validate"]) == 2
    told = capsys.readouterr().err
    column = RIVALS.splitlines()[11].index("X.Example.com") + 1
    text = "site b: x.example.com on target nginx belongs to site a already"
    assert told.startswith(f"{path}:12:{column}: {text} ({path}:6)")


def test_an_address_that_only_dns_could_prove_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    way = "metadata: {name: way}\nspec: {type: dns-01, provider: {type: manual}}\n"
    site = "metadata: {name: a}\nspec: {hostnames: [8.8.8.8], challenges: [{method: way}]}\n"
    kinds = {"ChallengeMethod": way, "Site": site}
    texts = [f"apiVersion: certwright/v1\nkind: {kind}\n{text}" for kind, text in kinds.items()]
    (tmp_path / "tree.yaml").write_text("---\n".join(texts))
    assert start(["-f", str(tmp_path), "validate"]) == 2
    told = capsys.readouterr().err
    assert "8.8.8.8 is an address, which dns-01 cannot prove" in told
    assert "add a method of type http-01 or tls-alpn-01" in told


RECORDS = """\
apiVersion: certwright/v1
kind: Site
metadata: {{name: a}}
spec: {{hostnames: [a.example.com], issuers: [ca], addressRecords: {{provider: way}}}}
---
apiVersion: certwright/v1
kind: ChallengeMethod
metadata: {{name: way}}
spec: {spec}
"""


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("{type: http-01, listener: {port: 80}}", "it is http-01 without a provider"),
        ("{type: dns-persist-01}", "it is dns-persist-01 without a provider"),
        ("{type: dns-01, provider: {type: manual}}", "its provider is manual"),
        (
            "{type: dns-01, provider: {type: acme-dns, url: 'https://a.test', credentials: {file: x}}}",
            "its provider is acme-dns",
        ),
    ],
)
def test_who_writes_no_addresses_is_refused_where_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spec: str, why: str
) -> None:
    (tmp_path / "tree.yaml").write_text(RECORDS.format(spec=spec))
    assert start(["-f", str(tmp_path), "validate"]) == 2
    told = capsys.readouterr().err
    assert "tree.yaml:4:" in told
    assert f"way writes no address records ({why}): name a ChallengeMethod whose provider is rfc2136, lexicon" in told


@pytest.mark.parametrize("kind", ["apache", "dovecot", "haproxy", "nginx", "postfix"])
def test_a_server_is_tested_and_reloaded_by_what_is_usual_unless_it_is_declared(kind: str, tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.write("sites.yaml", site("a", issuers=["ca"], targets=[kind]))
    usual = stage.diff().declared.targets[kind]
    assert (usual.test, usual.reload.command) == (builtins.TESTS[kind], builtins.RELOADS[kind])
    stage.write("target.yaml", document("Target", kind, {"type": kind, "test": ["t"], "reload": {"command": ["r"]}}))
    own = stage.diff().declared.targets[kind]
    assert (own.test, own.reload.command) == (("t",), ("r",))
