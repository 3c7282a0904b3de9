"""Which paths a site may have in a target: safe ones, and each path one site's only."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from reconciler.doors.files.api import FileFailed, check_path
from reconciler.model.changes import Reason
from reconciler.model.ports import Artifact, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Rendered = tuple[Artifact, ...] | Refusal


def refused(message: str) -> Refusal:
    """Refuse a site for a path."""
    return Refusal(Reason.PATH_REFUSED, message)


def checked(path: str) -> str | Refusal:
    """Give back an absolute path of safe parts (`[A-Za-z0-9_.@+-]{1,255}`, neither `.` nor `..`), or why it is none."""
    try:
        check_path(path)
    except FileFailed as error:
        return refused(str(error))
    if path.endswith("/"):
        return refused(f"{path} names a directory; name a file")
    return path


def one_site_each(rendered: Mapping[str, Rendered]) -> dict[str, Rendered]:
    """Refuse every site whose path is another's too, or its own twice; the others stay as they are."""
    owners: defaultdict[str, list[str]] = defaultdict(list)
    for site, artifacts in rendered.items():
        for artifact in _artifacts(artifacts):
            if not artifact.fragment:
                owners[artifact.path].append(site)
    shared = {path: sites for path, sites in owners.items() if len(sites) > 1}
    if not shared:
        return dict(rendered)
    return {site: _conflict(site, artifacts, shared) or artifacts for site, artifacts in rendered.items()}


def _conflict(site: str, artifacts: Rendered, shared: Mapping[str, list[str]]) -> Refusal | None:
    for artifact in _artifacts(artifacts):
        sites = shared.get(artifact.path)
        if sites is None:
            continue
        if Counter(sites)[site] > 1:
            return refused(f"two files of this site have the same path {artifact.path}; give each its own")
        others = sorted(set(sites) - {site})
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        return refused(f"{artifact.path} would be the file of site {others[0]}{more} too; put {{site}} into the path")
    return None


def _artifacts(rendered: Rendered) -> Iterable[Artifact]:
    return () if isinstance(rendered, Refusal) else rendered
