"""`import` as a person types it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.cli.start import start
from reconciler.errors import Failed
from tests.bought import made, seller
from tests.program import ENTRY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.program import Program


@pytest.fixture(name="files")
def _files(program: Program) -> Path:
    """A site `shop`, and the pair that was bought for it."""
    program.site("shop", "shop.test", "www.shop.test")
    return made("*.shop.test", "shop.test", above=seller()).put(program.root / "bought")


def by_files(files: Path) -> list[str]:
    return [
        "--key",
        str(files / "key.pem"),
        "--certificate",
        str(files / "cert.pem"),
        "--chain",
        str(files / "chain.pem"),
    ]


def copies(program: Program) -> list[Path]:
    return sorted((program.state / "imports" / "shop").glob("*")) if program.state.exists() else []


def test_it_is_checked_kept_named_and_installed(program: Program, files: Path) -> None:
    manifest = program.manifests / "shop.yaml"
    manifest.chmod(0o640)
    done = program("import", "shop", *by_files(files))
    assert done.returncode == 0, done.stderr
    assert "issue by imported: Missing" in done.stdout
    assert (program.out / "shop.pem").read_bytes() == (files / "cert.pem").read_bytes() + (
        files / "chain.pem"
    ).read_bytes()
    [folder] = copies(program)
    assert (
        f"import: {{key: {{file: {folder}/privkey.pem}}, certificate: {folder}/fullchain.pem}}" in manifest.read_text()
    )
    assert manifest.stat().st_mode & 0o777 == 0o640
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    for path in files.iterdir():
        path.unlink()  # the copies are what counts
    assert (program("diff").returncode, program("apply").returncode) == (0, 0)

    after = made("shop.test", "www.shop.test", above=seller(), days=400)
    (program.root / "new.p12").write_bytes(after.bag(b"open sesame"))
    (program.root / "word").write_text("open sesame\n")
    bag = ["--pkcs12", str(program.root / "new.p12"), "--passphrase-file", str(program.root / "word")]
    again = program("import", "shop", *bag)
    assert again.returncode == 0, again.stderr
    assert "issue by imported: ImportChanged" in again.stdout
    assert (program.out / "shop.pem").read_bytes().startswith(after.pem)
    assert len(copies(program)) == 1
    text = manifest.read_text()
    assert program("import", "shop", *bag).returncode == 0
    assert manifest.read_text() == text, "the same again changes nothing"
    assert program("diff").stdout == "no changes: everything is as declared.\n", "and asks for nothing"
    kept = b"".join(path.read_bytes() for path in program.state.rglob("*") if path.is_file())
    assert b"open sesame" not in kept + (again.stdout + again.stderr).encode(), "the passphrase stays where it was"
    [item] = program.json("get", "sites", "shop")["items"]
    assert item["status"]["certificate"]["issuer"] == "imported"
    assert item["status"]["conditions"][0]["status"] == "True"
    manifest.write_text(manifest.read_text().replace("name: shop,", "name: store,"))
    assert program("apply").returncode == 0, "a renamed site takes its certificate along, and the copies that it names"
    assert program("diff").returncode == 0
    assert (program.out / "store.pem").read_bytes().startswith(after.pem)


@pytest.mark.parametrize("by", ["import", "manifest"])
def test_the_intermediate_that_was_forgotten_is_taken_when_it_is_brought(
    program: Program, files: Path, by: str
) -> None:
    cert, chain = (files / "cert.pem").read_bytes(), (files / "chain.pem").read_bytes()
    if by == "import":
        bare = program("import", "shop", *by_files(files)[:-2])
        assert "no intermediate certificate was brought: give --chain" in bare.stderr
        assert (program.out / "shop.pem").read_bytes() == cert
        whole = program("import", "shop", *by_files(files))
    else:
        manifest = program.manifests / "shop.yaml"
        brought = f"import: {{key: {{file: {files}/key.pem}}, certificate: {files}/cert.pem}}"
        manifest.write_text(manifest.read_text().replace("spec: {", f"spec: {{{brought}, "))
        assert program("apply").returncode == 0
        assert (program.out / "shop.pem").read_bytes() == cert
        (files / "cert.pem").write_bytes(cert + chain)
        assert "ImportChanged" in program("diff").stdout
        whole = program("apply")
    assert whole.returncode == 0, whole.stderr
    assert "holds the certificate in use with other intermediate certificates" in whole.stdout
    assert (program.out / "shop.pem").read_bytes() == cert + chain
    assert program("diff").stdout == "no changes: everything is as declared.\n"
    if by == "import":
        assert program("import", "shop", *by_files(files)[:-2]).returncode == 0
        assert (program.out / "shop.pem").read_bytes() == cert + chain, "those in use are better than none"
        assert program("diff").returncode == 0


def unfit(files: Path, what: str) -> list[str]:
    """Spoil the pair one way; give the arguments."""
    key = files / "key.pem"
    match what:
        case "wrong key":
            key.write_bytes(made("x").key_pem().reveal())
        case "expired":
            made("shop.test", "www.shop.test", above=seller(), born=9, days=-1).put(files)
        case "names":
            made("shop.test", above=seller()).put(files)
        case "directory":
            key.unlink()
            key.mkdir()
        case "passphrase":
            (files / "x.p12").write_bytes(made("shop.test", above=seller()).bag(b"word"))
            return ["--pkcs12", str(files / "x.p12")]
        case _:
            return ["--key", str(key)]
    return by_files(files)


UNFIT = {
    "wrong key": "the key is for none of the 2 certificates",
    "expired": "expired at",
    "names": "does not cover www.shop.test",
    "directory": "is not a regular file",
    "passphrase": "the passphrase is not its own",
    "half": "--key FILE and --certificate FILE",
}


@pytest.mark.parametrize("what", UNFIT)
def test_what_does_not_fit_changes_nothing(program: Program, files: Path, what: str) -> None:
    before = (program.manifests / "shop.yaml").read_text()
    done = program("import", "shop", *unfit(files, what))
    assert done.returncode == 2, done.stderr
    assert UNFIT[what] in done.stderr
    assert "Traceback" not in done.stderr
    assert "PRIVATE" not in done.stderr
    assert (program.manifests / "shop.yaml").read_text() == before
    assert copies(program) == []
    assert not (program.state / "live" / "shop").exists()


def test_one_that_fails_leaves_the_copies_that_the_manifest_names(
    program: Program, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, linked = program.manifests / "shop.yaml", program.root / "linked"
    assert program("import", "shop", *by_files(files)).returncode == 0
    linked.symlink_to(program.state)
    manifest.write_text(manifest.read_text().replace(f"{program.state}/", f"{linked}/"))
    [folder] = copies(program)
    after = made("shop.test", "www.shop.test", above=seller(), days=400).put(files)

    def refuse(path: str, *_given: object, **_named: object) -> None:
        raise Failed("DiskFull", f"{path}: no space left on device")

    for spoilt in (False, True):  # with the copy stored already, and before that
        if spoilt:
            manifest.write_text(manifest.read_text().replace("spec: {", "spec: &spec {"))
        with monkeypatch.context() as patched:
            patched.setattr("reconciler.doors.files.api.write_file", refuse)
            assert start([*program.argv("import", "shop", *by_files(after))[len(ENTRY) :]]) == 2
        assert copies(program) == [folder]
        assert program("diff").returncode == 0


def test_an_older_one_is_kept_and_held_and_renew_takes_it(program: Program, files: Path) -> None:
    assert program("import", "shop", *by_files(files)).returncode == 0
    former = (program.out / "shop.pem").read_bytes()
    older = made("shop.test", "www.shop.test", above=seller(), days=30)
    done = program("import", "shop", *by_files(older.put(files)))
    assert done.returncode == 1
    assert "StoreIsOlder" in done.stdout + done.stderr
    status = program("status")
    assert (status.returncode, "StoreIsOlder" in status.stdout) == (1, True), "as `apply` says it"
    assert (program.out / "shop.pem").read_bytes() == former
    assert program("renew", "shop").returncode == 0
    assert (program.out / "shop.pem").read_bytes().startswith(older.pem)


def test_renewal_that_nobody_else_can_give_is_asked_of_who_brought_it(program: Program, files: Path) -> None:
    assert program("import", "shop", *by_files(files)).returncode == 0
    for asked in ("shop", "--all"):
        done = program("renew", asked)
        assert done.returncode == 1
        assert "site/shop: not renewed; a certificate that was brought is not; bring a new one" in done.stderr
        assert "ImportEnds" not in program("get", "holds").stdout
    assert (program("status").returncode, program("apply").returncode) == (0, 0)
    assert "ImportEnds" not in program("diff").stdout


def test_one_that_was_handed_over_comes_back_when_it_is_brought_again(program: Program, files: Path) -> None:
    site = (program.manifests / "shop.yaml").read_text().replace("spec: {", "spec: {issuers: [ca], ")
    lose = "annotations: {certwright/allow-trust-loss: 'true'}, "
    (program.manifests / "shop.yaml").write_text(site.replace("labels:", f"{lose}labels:"))
    assert program("import", "shop", *by_files(files)).returncode == 0
    assert "issuers: [imported, ca]" in (program.manifests / "shop.yaml").read_text()
    assert program("renew", "shop").returncode == 0
    assert not (program.out / "shop.pem").read_bytes().startswith((files / "cert.pem").read_bytes())
    assert program("diff").returncode == 0
    assert program("import", "shop", *by_files(files)).returncode == 0
    assert (program.out / "shop.pem").read_bytes().startswith((files / "cert.pem").read_bytes())
    assert program("diff").returncode == 0


def test_preflight_looks_at_it_too(program: Program, files: Path) -> None:
    assert program("import", "shop", *by_files(files)).returncode == 0
    assert program("preflight").returncode == 0
    [folder] = copies(program)
    (folder / "fullchain.pem").write_text("rubbish")
    found = program("preflight")
    assert found.returncode == 1
    assert "no certificate in PEM or DER" in found.stdout
    assert f"certwright {program.flags()} import shop" in found.stdout


def test_a_manifest_that_cannot_be_edited_says_what_to_write(program: Program, files: Path) -> None:
    site = (program.manifests / "shop.yaml").read_text()
    (program.manifests / "shop.yaml").unlink()
    argv = ["-f", "-", "import", "shop", *by_files(files)]
    done = program(*argv, stdin=site)
    assert done.returncode == 2, done.stderr
    assert f"import: {{key: {{file: {files}/key.pem}}, certificate: {files}/cert.pem" in done.stderr
    assert copies(program) == []


def test_sites_that_are_not_there(program: Program, files: Path) -> None:
    done = program("import", "shpo", *by_files(files))
    assert done.returncode == 2
    assert "did you mean `shop`?" in done.stderr
