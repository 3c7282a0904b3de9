"""Where each effective value of a site came from: the Site itself, the Server's defaults, or what is built in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.manifests.kinds.validate import Resource

_BUILT_IN: Final = "built in"
_LISTS: Final = ("hostnames", "issuers", "challenges", "targets")
_MERGED: Final = {
    "privateKey": ("algorithm", "rotation"),
    "renewal": ("lookahead", "lookbehind", "reissueIssuedBefore"),
    "failover": ("after", "back"),
}
_SINGLE: Final = ("profile", "preferredChain", "suspend")


def origins_of(site: Resource, server: Resource | None) -> Mapping[str, str]:
    """Give, for each field of the spec, the object and line that its value comes from."""
    written = site.spec.dumped()
    defaults = server.spec.dumped().get("defaults", {}) if server is not None else {}
    found = {field: _of(field, written, defaults, site, server) for field in (*_LISTS, *_SINGLE)}
    if "import" in written and "issuers" not in written:
        found["issuers"] = _place(site, ("import",))
    if "hostnameSets" in written:
        sets = f"HostnameSets {', '.join(written['hostnameSets'])}"
        found["hostnames"] = f"{found['hostnames']}, {sets}" if "hostnames" in written else sets
    for field, parts in _MERGED.items():
        each = {
            part: _of(part, written.get(field) or {}, defaults.get(field) or {}, site, server, (field,))
            for part in parts
        }
        same = set(each.values())
        found[field] = same.pop() if len(same) == 1 else ", ".join(f"{part}: {place}" for part, place in each.items())
    found["server"] = _place(server, ()) if server is not None else _BUILT_IN
    return found


def _of(
    field: str,
    written: Mapping[str, Any],
    defaults: Mapping[str, Any],
    site: Resource,
    server: Resource | None,
    above: Sequence[str] = (),
) -> str:
    if written.get(field) is not None:
        return _place(site, (*above, field))
    if defaults.get(field) is not None and server is not None:
        return _place(server, ("defaults", *above, field))
    return _BUILT_IN


def _place(resource: Resource, path: Sequence[str]) -> str:
    line, _ = resource.source.place(("spec", *path))
    return f"{resource.kind} {resource.name}, {resource.source.file}:{line}"
