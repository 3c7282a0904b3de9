"""The manifest tree, read incrementally: a pass stats every file and reads those that changed.

Nothing is decided from the cache that would be decided otherwise without it: it holds inputs (validated objects,
resolved sites) under the stat of the files they came from.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from reconciler.errors import ManifestError, Problem
from reconciler.manifests import reading
from reconciler.manifests.walking import STDIN_NAME, Walked, walk
from reconciler.model import plain
from reconciler.model.changes import Hold, Reason
from reconciler.model.desired import DesiredSite
from reconciler.model.ports import Declared

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from reconciler.manifests.kinds.validate import Resource
    from reconciler.manifests.reading import FileReading
    from reconciler.manifests.settings import Settings
    from reconciler.model.desired import MethodSpec
    from reconciler.model.ports import Cache


@dataclass(slots=True)
class ManifestTree:
    """One tree. `refresh` reads what changed, `declared` gives meanings."""

    settings: Settings
    cache: Cache
    problems: tuple[Problem, ...] = ()
    _held: tuple[Hold, ...] = ()
    _digests: dict[str, str] = field(default_factory=dict)
    _fresh: dict[str, DesiredSite] = field(default_factory=dict)
    _stamps: tuple[str, str] = ("", "")
    _ahead: bool | None = None

    @property
    def _space(self) -> str:
        key = json.dumps([self.settings.roots, self.settings.server, self.settings.hostname])
        return hashlib.sha256(key.encode()).hexdigest()[:12]

    def _rows(self, kind: str) -> str:
        return f"tree/{self._space}/{kind}"

    def glance(self) -> Mapping[str, str]:
        """Give what was last read; what is read here for the first time serves the next `refresh` too.

        For what a verb asks before its pass and after it: each `refresh` looks at every file.
        """
        if self._ahead is None:
            self.refresh()
            self._ahead = True
        return self._digests

    def refresh(self) -> Mapping[str, str]:
        """Read what changed; give each site of this server with its digest. ManifestError tells all problems at once.

        A lenient tree raises only if nothing at all can be read; its problems are in `problems` and in holds.
        """
        if self._ahead:
            self._ahead = False
            return self._digests
        walked = walk(self.settings.roots)
        if walked.problems and not (self.settings.lenient and walked.files):
            raise ManifestError(walked.problems)
        templates, stamp = self._template_stamp(), self._stamp_of(walked)
        if (templates, stamp) == self._stamps:
            return self._digests
        kept = self.cache.signatures(self._rows("tree"))
        same_templates = kept.get("templates") == templates and STDIN_NAME not in walked.files
        if same_templates and kept.get("files") == stamp:
            self._digests = dict(self.cache.signatures(self._rows("site")))
            self.problems, self._held, self._fresh = (), (), {}
        elif not same_templates or not self._edited(walked, stamp, templates):
            self._read(walked, stamp)
        self._stamps = (self._template_stamp(), stamp) if not self.problems else ("", "")
        self._ahead = False
        return self._digests

    def _edited(self, walked: Walked, stamp: str, templates: str) -> bool:
        """Take the short way, if there is one."""
        from reconciler.manifests.incremental import Incremental

        edit = Incremental(self.settings, self.cache, self._rows).edit(walked.files)
        if edit is None:
            return False
        self._digests = dict(self.cache.signatures(self._rows("site")))
        for name in edit.gone_sites:
            self._digests.pop(name, None)
        self._digests.update({name: seal_of(site) for name, site in edit.sites.items()})
        self.problems, self._held, self._fresh = (), (), edit.sites
        self._write_files(walked, edit.readings, edit.gone_files)
        self._write_sites(edit.sites, edit.gone_sites)
        self.cache.put(self._rows("tree"), {"files": (stamp, ""), "templates": (templates, "")})
        return True

    @staticmethod
    def _stamp_of(walked: Walked) -> str:
        text = "\n".join(f"{path}\0{signature}" for path, signature in sorted(walked.files.items()))
        return hashlib.sha256(text.encode()).hexdigest()

    def _template_stamp(self) -> str:
        """Sign the templates that the tree names: they are read with it."""
        from reconciler.manifests.walking import signature_of

        paths = self.cache.rows(self._rows("templates")).get("paths")
        return json.dumps([[path, signature_of(path)] for path in json.loads(paths[1])]) if paths else ""

    # --- reading -----------------------------------------------------------------------------------------------------

    def _read(self, walked: Walked, stamp: str) -> None:
        from reconciler.manifests.meaning import Meaning

        cached = self.cache.rows(self._rows("file"))
        readings = [self._reading(path, signature, cached) for path, signature in walked.files.items()]
        known = self._known(walked, readings)
        meaning = Meaning(replace(self.settings, last_good=self._last_good), readings, known)
        meaning.resolve()
        self.problems = (*walked.problems, *meaning.problems)
        if self.problems and not self.settings.lenient:
            raise ManifestError(self.problems)
        self._fresh = dict(meaning.sites)
        self._digests = {name: _sealed(site, meaning.held.get(name)) for name, site in meaning.sites.items()}
        self._held = self._holds(meaning.held)
        self._keep(walked, readings, stamp, meaning.templates)

    @staticmethod
    def _reading(path: str, signature: str, cached: Mapping[str, tuple[str, str]]) -> FileReading:
        row = cached.get(path)
        if row is not None and row[0] == signature and signature:
            try:
                return reading.FileReading(path, reading.unpack(row[1]))
            except ValueError:
                pass
        return reading.read_file(path)

    def _known(self, walked: Walked, readings: Sequence[FileReading]) -> Mapping[str, DesiredSite]:
        """Give the last good meaning of sites that stood in files which cannot be read now."""
        broken = {one.path for one in readings if one.problems} | {problem.file for problem in walked.problems}
        if not broken or not self.settings.lenient:
            return {}
        rows = {name: json.loads(text) for name, (_, text) in self.cache.rows(self._rows("site")).items()}
        if not rows:
            return {name: site for name, site in self.settings.last_good(()).items() if site.place.file in broken}
        kept = {name: row for name, row in rows.items() if row["place"]["file"] in broken}
        return {name: plain.from_plain(DesiredSite, row) for name, row in kept.items()}

    def _last_good(self, names: Iterable[str]) -> Mapping[str, DesiredSite]:
        """Give the meanings as they were last read; where the cache is gone, as they were last acted on."""
        wanted = list(names)
        rows = self.cache.rows(self._rows("site"), wanted)
        found = {name: plain.from_plain(DesiredSite, json.loads(text)) for name, (_, text) in rows.items()}
        absent = [name for name in wanted if name not in found]
        return {**(self.settings.last_good(absent) if absent else {}), **found}

    def _holds(self, held: Mapping[str, str]) -> tuple[Hold, ...]:
        told = "the manifest is not valid; the last good meaning is kept: {}"
        holds = [
            Hold(
                Reason.INVALID_MANIFEST,
                told.format(message),
                site=name,
                ends_when="the manifest is mended",
                failed=True,
            )
            for name, message in sorted(held.items())
        ]
        return tuple(holds)

    def _keep(self, walked: Walked, readings: Sequence[FileReading], stamp: str, templates: Sequence[str]) -> None:
        if STDIN_NAME in walked.files:
            return
        good = [one for one in readings if not one.problems]
        files = self.cache.signatures(self._rows("file"))
        new = [one for one in good if files.get(one.path) != walked.files[one.path]]
        self._write_files(walked, new, files.keys() - {one.path for one in good})
        self.cache.put(self._rows("templates"), {"paths": ("", json.dumps(sorted(templates)))})
        before = self.cache.signatures(self._rows("site"))
        self._write_sites(self._fresh, before.keys() - self._fresh.keys())
        self._forget_kept()
        if self.problems:
            # what is wrong between files that are each right is found by a whole reading alone: no short way until then
            self.cache.put(self._rows("tree"), {}, drop=["files", "templates"])
        else:
            self.cache.put(self._rows("tree"), {"files": (stamp, ""), "templates": (self._template_stamp(), "")})

    def _forget_kept(self) -> None:
        """Let go of the meanings that can be had from the cache: ten thousand of them are a process's memory."""
        kept = self.cache.signatures(self._rows("site"))
        self._fresh = {name: site for name, site in self._fresh.items() if kept.get(name) != seal_of(site)}

    def _write_files(self, walked: Walked, readings: Sequence[FileReading], gone: Collection[str]) -> None:
        packed = {one.path: (walked.files[one.path], reading.pack(one)) for one in readings}
        former = self.cache.rows(self._rows("file"), [*packed, *gone])
        stale = {name for _, payload in former.values() for kind, name in reading.names_in(payload) if kind == "Site"}
        names = {one.name for file in readings for one in file.resources if one.kind == "Site"}
        self.cache.put(self._rows("where"), dict.fromkeys(names, ("", "")), drop=stale - names)
        self.cache.put(self._rows("file"), packed, drop=gone)
        shared = {one.path for one in readings if any(resource.kind != "Site" for resource in one.resources)}
        self.cache.put(self._rows("shared"), dict.fromkeys(shared, ("", "")), drop=[*gone, *(packed.keys() - shared)])

    def _write_sites(self, sites: Mapping[str, DesiredSite], gone: Collection[str]) -> None:
        """Keep the meanings of sites, and which hostname on which target is whose."""
        former = self.cache.rows(self._rows("site"), [*sites, *gone])
        stale = {claim for _, payload in former.values() for claim in _claims(json.loads(payload))}
        rows, claims = {}, {}
        for name, site in sites.items():
            item = plain.to_plain(site)
            rows[name] = (seal_of(site), json.dumps(item, separators=(",", ":"), ensure_ascii=False))
            claims.update(dict.fromkeys(_claims(item), (name, "")))
        self.cache.put(self._rows("site"), rows, drop=gone)
        self.cache.put(self._rows("claim"), claims, drop=stale - claims.keys())
        self.cache.put(self._rows("where"), dict.fromkeys(sites, ("", "")), drop=gone)

    def resources(self) -> tuple[Resource, ...]:
        """Give every valid object of the tree as it is written, of all kinds, and the built-in ones beside them.

        For `get` and `describe`; broken documents are left out.
        """
        from reconciler.manifests.builtins import builtin_objects

        cached = self.cache.rows(self._rows("file"))
        files = walk(self.settings.roots).files
        found = [one for path, signature in files.items() for one in self._reading(path, signature, cached).resources]
        declared = {(one.kind, one.name) for one in found}
        return (*found, *(one for one in builtin_objects() if (one.kind, one.name) not in declared))

    def methods(self, server: str) -> Mapping[str, MethodSpec]:
        """Give every ChallengeMethod of the tree by its name, whether or not a site uses it, as on a Server."""
        from reconciler.manifests.resolve_objects import ObjectResolver

        found = self.resources()
        spec: Any = next((one.spec for one in found if (one.kind, one.name) == ("Server", server)), None)
        made = ObjectResolver(spec, self.settings.read_template, [])
        return {one.name: made.method(one) for one in found if one.kind == "ChallengeMethod"}

    # --- giving ------------------------------------------------------------------------------------------------------

    def declared(self, names: Collection[str]) -> Declared:
        """Give the meaning of these sites; targets and issuers are those that they use."""
        sites = {name: self._fresh[name] for name in names if name in self._fresh}
        wanted = [name for name in names if name not in sites and name in self._digests]
        for name, (_, payload) in self.cache.rows(self._rows("site"), wanted).items():
            sites[name] = plain.from_plain(DesiredSite, json.loads(payload))
        return Declared(
            names=frozenset(self._digests),
            sites=dict(sorted(sites.items())),
            targets={use.spec.name: use.spec for site in sites.values() for use in site.targets},
            issuers={issuer.name: issuer for site in sites.values() for issuer in site.issuers},
            held=tuple(hold for hold in self._held if hold.site is None or hold.site in sites or not names),
            complete=not self.problems,
        )


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


def _sealed(site: DesiredSite, held: str | None) -> str:
    """Sign a site; with what it is held for, so that no pass takes a site whose manifest is broken for a quiet one."""
    seal = seal_of(site)
    return seal if held is None else hashlib.sha256(f"{seal}\0{held}".encode()).hexdigest()
