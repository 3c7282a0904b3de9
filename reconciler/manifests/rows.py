"""What a reading leaves in the cache, as rows of the shelf's kinds: after an edit what it changed, else all."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from reconciler.manifests import reading
from reconciler.model import plain
from reconciler.model.ports_store import Rewrite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.manifests.incremental import Edit
    from reconciler.manifests.reading import FileReading
    from reconciler.manifests.shelf import Row
    from reconciler.model.desired import DesiredSite


def of_edit(edit: Edit, files: Mapping[str, str], former: Mapping[str, Row]) -> dict[str, Rewrite]:
    """Give what an edit changed. `files`: signatures by path; `former`: old rows of its sites and of those gone."""
    packed = {one.path: (files[one.path], reading.pack(one)) for one in edit.readings}
    names = _names(edit.readings) | edit.sites.keys()
    sites, claims = _meanings(edit.sites)
    stale = {claim for _, payload in former.values() for claim in _claims(json.loads(payload))}
    return {
        "file": Rewrite(packed, edit.gone_files),
        "where": Rewrite(_bare(names), edit.former_sites - names),
        "site": Rewrite(sites, edit.gone_sites),
        "claim": Rewrite(claims, stale - claims.keys()),
    }


def of_tree(
    readings: Sequence[FileReading],
    files: Mapping[str, str],
    former: Mapping[str, Row],
    meanings: Mapping[str, DesiredSite],
) -> dict[str, Rewrite]:
    """Give all rows. `former`: those of files that may stand already; what cannot be read now stays as it was."""
    good = [one for one in readings if not one.problems]
    packed = {one.path: former[one.path] for one in readings if one.problems and one.path in former}
    packed |= {one.path: _packed(one, files[one.path], former.get(one.path)) for one in good}
    shared = {one.path for one in good if any(resource.kind != "Site" for resource in one.resources)}
    sites, claims = _meanings(meanings)
    kinds = {
        "file": packed,
        "shared": _bare(shared),
        "where": _bare(_names(good) | meanings.keys()),
        "site": sites,
        "claim": claims,
    }
    return {kind: Rewrite(rows, whole=True) for kind, rows in kinds.items()}


def _packed(one: FileReading, signature: str, former: Row | None) -> Row:
    return former if former is not None and former[0] == signature else (signature, reading.pack(one))


def _names(readings: Iterable[FileReading]) -> set[str]:
    return {one.name for file in readings for one in file.resources if one.kind == "Site"}


def _bare(keys: Iterable[str]) -> dict[str, Row]:
    return dict.fromkeys(keys, ("", ""))


def _meanings(sites: Mapping[str, DesiredSite]) -> tuple[dict[str, Row], dict[str, Row]]:
    """Give the meanings of sites, and which hostname on which target is whose."""
    rows: dict[str, Row] = {}
    claims: dict[str, Row] = {}
    for name, site in sites.items():
        item = plain.to_plain(site)
        rows[name] = (seal_of(site), json.dumps(item, separators=(",", ":"), ensure_ascii=False))
        claims.update(dict.fromkeys(_claims(item), (name, "")))
    return rows, claims


def _claims(item: Mapping[str, Any]) -> list[str]:
    """Give the claims of a site in its plain form."""
    names = [hostname["text"] for hostname in item["hostnames"]]
    return [f"{use['spec']['name']}\0{name}" for use in item["targets"] for name in names]


def seal_of(site: DesiredSite) -> str:
    """Sign all for whose sake a site is looked at again: its digest, and annotations, which ask for something once."""
    if not site.annotations:
        return site.digest
    text = json.dumps([site.digest, sorted(site.annotations.items())])
    return hashlib.sha256(text.encode()).hexdigest()
