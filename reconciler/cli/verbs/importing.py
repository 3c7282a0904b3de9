"""`import`: a certificate that a person brings is checked, copied into the store, named in the manifest, installed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.completing import site_names
from reconciler.cli.group import verb
from reconciler.cli.screen import Screen
from reconciler.errors import Failed, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.cli.settings import Settings
    from reconciler.doors.x509 import BroughtPair
    from reconciler.model.desired import DesiredSite, ImportSpec
    from reconciler.model.ports import Lease
    from reconciler.wiring import App

_STDIN = "<stdin>"
_FILE = click.Path(path_type=str)


@verb(uses=("manifests", "state", "server", "lock_timeout"), formats=("text", "json", "yaml"))
@click.argument("site", metavar="SITE", shell_complete=site_names)
@click.option("--key", metavar="FILE", type=_FILE, help="The private key, PEM or DER.")
@click.option("--certificate", metavar="FILE", type=_FILE, help="The certificate, PEM or DER, perhaps with its chain.")
@click.option("--chain", metavar="FILE", type=_FILE, help="The intermediate certificates.")
@click.option("--pkcs12", metavar="FILE", type=_FILE, help="All of it in one PKCS#12 file (.p12, .pfx).")
@click.option("--passphrase-file", metavar="FILE", type=_FILE, help="The file that holds the passphrase.")
@click.option("--passphrase-env", metavar="NAME", help="The environment variable that holds the passphrase.")
def import_(settings: Settings, site: str, **given: str | None) -> int:
    """Bring a certificate and its key for SITE: by --key and --certificate [--chain], or by --pkcs12.

    The pair is checked, copied into the store without its passphrase, named in the Site's manifest as `import`, and
    installed. Files that do not belong together change nothing: exit 2. Exit 0 if it is served (or Ready, where nothing
    is looked at).
    """
    from reconciler.cli.names import check
    from reconciler.cli.shared.apps import opened
    from reconciler.cli.shared.converging import Run, not_ready
    from reconciler.cli.shared.scopes import check_undamaged
    from reconciler.cli.signals import stopping
    from reconciler.model.ports import Limits, Scope

    screen, name, spec = Screen(settings), site.removeprefix("site/"), _spec(given)
    with opened(settings, screen, "import") as app, stopping(app, screen) as caught:
        check((name,), app.tree.refresh())
        check_undamaged(app, name)
        (declared,) = app.tree.declared([name]).sites.values()
        pair = _read(app, declared, spec)
        _keep(app, declared, spec, pair)
        if not pair.chain:
            screen.note(f"site/{name}: no intermediate certificate was brought: give --chain if the CA has one")
        scope = Scope(sites=frozenset({name}))
        results = Run(app, settings, screen).converge(scope, Limits())
        return caught.code(results.code(not_ready(app, scope, results)))


def _spec(given: dict[str, str | None]) -> ImportSpec:
    from reconciler.model.desired import ImportSpec, SecretRef

    paths = {name: str(Path(path).absolute()) if path else None for name, path in given.items() if name[:5] != "passp"}
    file, env = given["passphrase_file"], given["passphrase_env"]
    if file and env:
        raise click.UsageError("one of --passphrase-file and --passphrase-env is enough")
    pair = (paths["key"], paths["certificate"])
    if paths["pkcs12"] and any((*pair, paths["chain"])):
        raise click.UsageError("--pkcs12 holds all of it: it goes without --key, --certificate and --chain")
    if not paths["pkcs12"] and not all(pair):
        raise click.UsageError("what is brought? --key FILE and --certificate FILE, or --pkcs12 FILE")
    word = SecretRef(file=str(Path(file).absolute()) if file else None, env=env) if file or env else None
    return ImportSpec(**paths, passphrase=word)


def _read(app: App, site: DesiredSite, spec: ImportSpec) -> BroughtPair:
    """Read what is brought, for this site. UsageError if it cannot be used."""
    from reconciler.issuers.imported import read
    from reconciler.model.observed import Brought
    from reconciler.plan.issuing.imports import flaw_of

    try:
        pair = read(spec, app.clock.now(), app.means.read_secret)
    except Failed as failure:
        raise UsageError(f"{failure}; nothing was stored") from None
    flaw = flaw_of(replace(site, brought=spec), Brought(pair.facts), app.clock.now())
    if flaw is not None:
        raise UsageError(f"{flaw}; nothing was stored")
    return pair


def _keep(app: App, site: DesiredSite, spec: ImportSpec, pair: BroughtPair) -> None:
    """Store the copies, then let the manifest name them: killed in between, nothing has changed."""
    from reconciler.doors.files import api as files
    from reconciler.manifests.editing import flow, with_import
    from reconciler.manifests.text.rawtext import FILE_LIMIT
    from reconciler.model.ports import Bundle

    if site.place.file == _STDIN:
        line = flow(_data(spec))
        raise UsageError(
            f"standard input cannot be edited; write into the spec of Site {site.name}:\n    import: {line}"
        )
    path = str(Path(site.place.file).resolve())
    issuer = _issuer(app, site)
    bundle, folder = Bundle(pair.key, pair.certificate, pair.chain), None
    with app.store.claim(f"site/{site.name}", "import", app.options.lock_timeout) as lease:
        before = _copied(app, site.name)
        try:
            raw, facts = files.read_with_stat(path, FILE_LIMIT)
            with_import(raw, path, site.name, _data(spec), issuer)  # before anything is stored
            folder = app.store.put_import(lease, site.name, bundle)
            text = with_import(raw, path, site.name, _copies(folder), issuer)
            if text != raw:
                files.write_file(path, text, mode=facts.mode, uid=facts.uid, gid=facts.gid)
        except (Failed, UsageError) as failure:
            if folder is not None and folder not in before:
                _undo(app, lease, site.name, before)
            raise UsageError(f"{failure}; nothing was stored") from None
        app.store.drop_imports(lease, site.name, folder)
    app.store.remember(site.name, lambda memory: replace(memory, pinned=None))
    _ask_for(app, site.name, pair)
    ends = f"valid until {pair.facts.not_after:%Y-%m-%dT%H:%M:%SZ}"
    app.store.event(site.name, "Imported", f"a certificate was brought, {ends}", app.clock.now())


def _ask_for(app: App, site: str, pair: BroughtPair) -> None:
    """Ask for a certificate that was handed over to a CA before: who brings it once more wants it back.

    Also in the second in which it was handed over: one request is told from another by its time. Of the very one that
    is in use nothing is asked.
    """
    from reconciler.model.observed import Brought, Revision

    live, now = app.store.live([site])[site], f"{app.clock.now():%Y-%m-%dT%H:%M:%S.%fZ}"
    if not isinstance(live, Revision) or live.facts.fingerprint == pair.facts.fingerprint:
        return
    if Brought(pair.facts).id in live.meta.requested:
        app.store.remember(site, lambda memory: replace(memory, renew_requested=now))


def _issuer(app: App, site: DesiredSite) -> str | None:
    """Give what `issuers` lack; a Site without any has `imported` by its `import`."""
    if any(one.type == "imported" for one in site.issuers):
        return None
    written = [one.spec.dumped() for one in app.tree.written.resources() if (one.kind, one.name) == ("Site", site.name)]
    return "imported" if any(spec.get("issuers") for spec in written) else None


def _copied(app: App, site: str) -> list[str]:
    """Give the folders of a site's copies."""
    folder = Path(app.options.state).resolve() / "imports" / site
    return sorted(map(str, folder.iterdir())) if folder.is_dir() else []


def _undo(app: App, lease: Lease, site: str, before: Sequence[str]) -> None:
    """Take away the copy that was made now, and none of those that were there `before`.

    Where a killed process left more than one, none is touched: the next import that succeeds takes the others away.
    """
    if len(before) <= 1:
        app.store.drop_imports(lease, site, next(iter(before), None))


def _copies(folder: str) -> dict[str, object]:
    return {"key": {"file": f"{folder}/privkey.pem"}, "certificate": f"{folder}/fullchain.pem"}


def _data(spec: ImportSpec) -> dict[str, object]:
    """Write it as a manifest does."""
    word = spec.passphrase
    secret: dict[str, object] = {}
    if word is not None:
        secret = {"passphrase": {"file": word.file} if word.file else {"env": word.env}}
    if spec.pkcs12 is not None:
        return {"pkcs12": {"file": spec.pkcs12, **secret}}
    chain = {"chain": spec.chain} if spec.chain else {}
    return {"key": {"file": spec.key, **secret}, "certificate": spec.certificate, **chain}
