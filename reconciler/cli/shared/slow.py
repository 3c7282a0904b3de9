"""What `get` and `describe` read where the cache cannot tell: one pass without its execution, the tree, the store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reconciler.cli import views
from reconciler.cli.shared.apps import opened
from reconciler.cli.shared.scopes import scope_of
from reconciler.model.plain import to_plain
from reconciler.report.cells import at

if TYPE_CHECKING:
    from reconciler.cli.screen import Screen
    from reconciler.cli.settings import Settings
    from reconciler.manifests.kinds.validate import Resource

Item = dict[str, Any]


def look(settings: Settings, screen: Screen) -> list[Item]:
    """Give the item of every declared site, by name, from what is there now. ManifestError, StoreError."""
    from reconciler.model.ports import Limits

    with opened(settings, screen, "get", read_only=True) as app:
        report = app.engine.look(scope_of(app, replace(settings, selector=None), (), screen), Limits())
        seen = {str(at(item, "metadata", "name")): item for item in views.sites(settings.state, report.now)}
        looked = {name: dict(app.engine.viewing(name, report, seen.get(name))) for name in report.declared.sites}
        known = app.tree.glance()
        return [item for name, item in sorted({**seen, **looked}.items()) if name in known]


def objects(kind: str, settings: Settings, screen: Screen) -> list[Item]:
    """Give the tree's objects of a kind as they are written, and the built-in ones. ManifestError."""
    with opened(settings, screen, "get", read_only=True, lenient=True) as app:
        app.tree.refresh()
        found = [
            {**object_item(one), "effective": _effective(one)}
            for one in app.tree.written.resources()
            if one.kind == kind
        ]
        return sorted(found, key=lambda item: str(item["metadata"]["name"]))


def _effective(resource: Resource) -> Item:
    """Give what the type's defaults make of a Target or an Issuer, as far as the table shows it."""
    from reconciler.manifests.resolving.specs import ObjectResolver

    resolver = ObjectResolver(None, lambda _path: None, [])
    if resource.kind == "Issuer":
        return {"trust": to_plain(resolver.issuer(resource).trust)}
    if resource.kind != "Target":
        return {}
    spec = resolver.target(resource)
    found = {"layout": getattr(spec, "layout", None), "configDirectory": getattr(spec, "config_directory", None)}
    return {key: value for key, value in found.items() if value is not None}


def object_item(resource: Resource) -> Item:
    """Give an object as JSON values, with the place where it stands."""
    source = resource.source
    place = f"{source.file}:{source.line}" if source.line else source.file
    return {
        "apiVersion": "certwright/v1",
        "kind": resource.kind,
        "metadata": {"labels": {}, "annotations": {}, **resource.metadata.dumped()},
        "spec": resource.spec.dumped(),
        "source": place,
    }


def accounts(settings: Settings, screen: Screen) -> list[Item]:
    """Give the ACME accounts of the store; never a key."""
    with opened(settings, screen, "get", read_only=True) as app:
        records = sorted(app.store.accounts().items())
        return [_account(to_plain(record)) for _, record in records]


def _account(record: Item) -> Item:
    """Give an account without the version of its record, which is the store's own."""
    return {"apiVersion": "certwright/v1", "kind": "Account", **{key: record[key] for key in record if key != "v"}}
