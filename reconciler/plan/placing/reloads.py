"""One round of a plan: the installs of every target, and one reload for each target after all of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reconciler.model.changes import Change, PlannedFile, Reason, Verb
from reconciler.model.observed import FileChange
from reconciler.plan.digests import digest_of
from reconciler.plan.issuing.certificates import live_id
from reconciler.plan.placing.targets import Work, reloads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reconciler.model.desired import TargetSpec
    from reconciler.model.observed import Inventory
    from reconciler.plan.issuing.wish import Wish

_PRIORITY: Final = (
    Reason.INTERRUPTED,
    Reason.CERTIFICATE_CHANGED,
    Reason.CONFIGURATION_CHANGED,
    Reason.NOT_LOADED,
    Reason.NOT_SERVED,
)
_UNKNOWN: Final = "it stands there already, and is not on our record"
_SENTENCES: Final = {
    Reason.DRIFTED: "someone changed what we installed",
    Reason.NOT_INSTALLED: "nothing is installed yet",
    Reason.CERTIFICATE_CHANGED: "the certificate is a new one",
    Reason.CONFIGURATION_CHANGED: "its files differ from what is wanted",
    Reason.NO_LONGER_WANTED: "the site no longer names this target",
    Reason.NOT_DECLARED: "no manifest declares the site",
    Reason.RENAMED: "the site has another name now",
}


@dataclass
class _Reload:
    """A target's reload while it grows."""

    spec: TargetSpec
    after: list[str] = field(default_factory=list)
    causes: list[tuple[Reason, str]] = field(default_factory=list)
    sites: set[str] = field(default_factory=set)
    states: list[str] = field(default_factory=list)
    rank: int = 3
    shared: bool = False
    due: bool = False


@dataclass(frozen=True, slots=True)
class Departure:
    """Why a site leaves a target, after which changes, and who takes over what it gives up, in the same switch."""

    reason: Reason
    after: tuple[str, ...] = ()
    heirs: tuple[str, ...] = ()


@dataclass
class Batch:
    """One round. `name` keeps the identities of two rounds apart."""

    name: str
    specs: Mapping[str, TargetSpec]
    _installs: list[Change] = field(default_factory=list)
    _reloads: dict[str, _Reload] = field(default_factory=dict)
    _made: dict[str, Change] = field(default_factory=dict)

    def add(self, work: Work, wish: Wish, after: tuple[str, ...], heirs: tuple[str, ...] = ()) -> None:
        """Take a site's work in a target; `after` are the changes that it rests on, `heirs` those who take over."""
        if work.stays:
            self._installs.append(self._install(work, f"site/{wish.desired.name}", after, wish))
            return
        reload = self._reload(work.target, work.spec)
        reload.sites.add(wish.desired.name)
        reload.rank = min(reload.rank, wish.rank)
        if not work.files and not work.remove:
            reload.after.extend(after)
            reload.states.append(f"{wish.desired.name}:{_loaded(work.on.inventory)}:{live_id(wish.live)}")
            reload.causes.append(work.reload or (Reason.CERTIFICATE_CHANGED, "takes up the certificate in use"))
            reload.due = True
            return
        change = replace(self._install(work, f"site/{wish.desired.name}", after, wish), heirs=heirs)
        self._installs.append(change)
        reload.after.append(change.id)
        reload.causes.append(work.reload or (_cause(work.reason), ""))

    def _install(self, work: Work, subject: str, after: tuple[str, ...], wish: Wish | None) -> Change:
        return Change(
            verb=Verb.UNINSTALL if work.remove else Verb.INSTALL,
            subject=subject,
            reason=work.reason,
            message=f"{_sentence(work)}: {_counts(work.files)}",
            desired_digest=wish.desired.digest if wish is not None else "",
            decided_on=digest_of(self.name, _facts(work.files), live_id(wish.live) if wish is not None else ""),
            after=after,
            site=work.site,
            target=work.target,
            files=work.files,
            rank=wish.rank if wish is not None else 2,
        )

    def restore(self, work: Work, wish: Wish | None) -> None:
        """Take what only puts back what a target has loaded: it is written at once, and no reload follows it here."""
        subject = f"target/{work.target}" if wish is None else f"site/{wish.desired.name}"
        self._installs.append(replace(self._install(work.restoring, subject, (), wish), restores=True))

    def add_shared(self, work: Work) -> None:
        """Take the files that a target's sites share."""
        reload = self._reload(work.target, work.spec)
        if not work.files:
            reload.causes.append(work.reload or (Reason.NOT_LOADED, ""))
            reload.due = True
            return
        change = self._install(work, f"target/{work.target}", (), None)
        self._installs.append(change)
        reload.after.append(change.id)
        reload.causes.append((_cause(work.reason), ""))
        reload.shared = True

    def add_uninstall(self, site: str, target: str, removal: Departure, files: tuple[PlannedFile, ...]) -> None:
        """Take a site that is no longer declared out of a target."""
        reason = removal.reason
        change = Change(
            verb=Verb.UNINSTALL,
            subject=f"site/{site}",
            reason=reason,
            message=f"{_SENTENCES[reason]}: {_counts(files)}",
            decided_on=digest_of(self.name, _facts(files)),
            after=removal.after,
            site=site,
            target=target,
            files=files,
            heirs=removal.heirs,
        )
        self._installs.append(change)
        spec = self.specs.get(target)
        if spec is not None:
            reload = self._reload(target, spec)
            reload.after.append(change.id)
            reload.sites.add(site)
            reload.causes.append((Reason.CONFIGURATION_CHANGED, ""))

    def add_interrupted(self, target: str) -> None:
        """Reload a target whose switch was left half-way."""
        message = "a switch was left half-way; the former files are put back first"
        reload = self._reload(target, self.specs[target])
        reload.causes.append((Reason.INTERRUPTED, message))
        reload.due = True

    def wait_for_heirs(self, issues: Mapping[str, Change]) -> None:
        """Let nothing be given up before the certificates of those who take it over are there."""
        for number, change in enumerate(self._installs):
            ids = (issues[heir].id for heir in change.heirs if heir in issues)
            self._installs[number] = replace(change, after=tuple(dict.fromkeys((*change.after, *ids))))

    def has(self, target: str) -> bool:
        """Tell whether the target has work in this round."""
        return target in self._reloads

    def has_shared(self, target: str) -> bool:
        """Tell whether the target's shared files are installed in this round."""
        return target in self._reloads and self._reloads[target].shared

    def installs(self, target: str, site: str) -> bool:
        """Tell whether files of a site are installed on a target in this round."""
        return any((change.target, change.site) == (target, site) for change in self._installs)

    def ends(self, targets: Sequence[str], site: str | None) -> list[str]:
        """Give the ids after which a site's work in these targets is over: the reload, else its installs."""
        ids: list[str] = []
        for target in targets:
            if target in self._made:
                ids.append(self._made[target].id)
            else:
                ids += [change.id for change in self._installs if change.target == target and change.site == site]
        return ids

    def left(self, targets: Sequence[str], site: str | None) -> list[str]:
        """Give the ids after which these targets are done with a site: its own uninstalls and their reloads."""
        own = [change.id for change in self._installs if change.target in targets and change.site == site]
        return list(dict.fromkeys((*own, *self.ends(targets, site))))

    def close(self) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
        """Give the installs, and the reloads after them."""
        for target, reload in sorted(self._reloads.items()):
            if reload.causes and (reloads(reload.spec) or reload.causes[0][0] is Reason.INTERRUPTED):
                self._made[target] = self._reload_change(target, reload)
        installs = sorted(self._installs, key=lambda change: (change.rank, change.target or "", change.subject))
        return tuple(installs), tuple(self._made.values())

    def _reload(self, target: str, spec: TargetSpec) -> _Reload:
        return self._reloads.setdefault(target, _Reload(spec))

    def _reload_change(self, target: str, reload: _Reload) -> Change:
        reason, message = min(reload.causes, key=lambda cause: (_PRIORITY.index(cause[0]), not cause[1], cause[1]))
        count = len(reload.sites)
        shared = (
            f"takes up what changed for {count} sites"
            if count != 1
            else f"takes up what changed for {min(reload.sites)}"
        )
        alone = len(reload.causes) == 1 and message
        return Change(
            verb=Verb.RELOAD,
            subject=f"target/{target}",
            reason=reason,
            message=message if alone else shared if count else message or "takes up what changed",
            decided_on=digest_of(self.name, sorted(set(reload.after)), sorted(reload.states)),
            after=tuple(dict.fromkeys(reload.after)),
            target=target,
            rank=reload.rank,
            due=reload.due,
        )


def look_change(work: Work, wish: Wish) -> Change:
    """Ask once more what a server shows of a site, without a reload."""
    return Change(
        verb=Verb.REFRESH,
        subject=f"site/{wish.desired.name}",
        reason=Reason.NOT_SERVED,
        message=work.reload[1] if work.reload else "",
        desired_digest=wish.desired.digest,
        decided_on=digest_of(live_id(wish.live)),
        site=wish.desired.name,
        target=work.target,
        rank=3,
    )


def _sentence(work: Work) -> str:
    """Say why; of what stands there already although nothing is known of it, that our record of it is missing."""
    same = work.files and all(file.change is FileChange.UPDATE for file in work.files)
    return _UNKNOWN if same and work.reason is Reason.NOT_INSTALLED else _SENTENCES[work.reason]


def _loaded(inventory: Inventory | None) -> str:
    return inventory.loaded or "" if inventory is not None else ""


def _cause(reason: Reason) -> Reason:
    return Reason.CERTIFICATE_CHANGED if reason is Reason.CERTIFICATE_CHANGED else Reason.CONFIGURATION_CHANGED


def _facts(files: Iterable[PlannedFile]) -> list[str]:
    return [digest_of(file.path, file.part.value, file.change.value, file.before, file.after) for file in files]


def _counts(files: Sequence[PlannedFile]) -> str:
    """Say how many files of which change: the same words for the same change of any site."""
    counts = Counter(file.change.value for file in files)
    return ", ".join(
        f"{word} {number} file{'' if number == 1 else 's'}" for word, number in sorted(counts.items())
    ) or ("no files")
