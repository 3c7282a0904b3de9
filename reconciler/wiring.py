"""The composition root: makes everything of one process, each part from the others. No decisions."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from reconciler import __version__
from reconciler.describing import view
from reconciler.doors.clock import SystemClock
from reconciler.engine import Engine
from reconciler.manifests.settings import Settings
from reconciler.manifests.tree import ManifestTree
from reconciler.observe.world import Observer
from reconciler.plan import backoff
from reconciler.plan.issuing import names, renewal
from reconciler.plugins import ISSUERS, TARGETS
from reconciler.store.files import FileStore, open_store
from reconciler.store.layout import is_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from reconciler.execute.executor import Executor, Pace
    from reconciler.model.changes import Change, Plan
    from reconciler.model.desired import DesiredSite, ImportSpec, IssuerSpec, TargetSpec
    from reconciler.model.observed import Brought
    from reconciler.model.outcomes import Outcome
    from reconciler.model.ports import Declared, Issued, Issuer, SiteOnTarget, Target
    from reconciler.model.text import Secret
    from reconciler.store.index import Index

_TEMPLATE_LIMIT: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says of every verb. `state` is a directory; `lock_timeout` seconds; `verb` for locks."""

    manifests: tuple[str, ...]
    state: str
    server: str | None = None
    lock_timeout: float = 60.0
    verb: str = "apply"
    lenient: bool = False
    read_only: bool = False
    workers: int = 8


# --- the application -------------------------------------------------------------------------------------------------


@dataclass
class App:
    """Everything of one process, made on first use. Close it at the end."""

    options: Options
    store: FileStore
    clock: SystemClock
    say: Callable[[str, str], None]
    on_bug: Callable[[Change, Exception], None]
    _issuers: dict[IssuerSpec, Issuer] = field(default_factory=dict)
    _targets: dict[str, tuple[TargetSpec, Target]] = field(default_factory=dict)

    @cached_property
    def cache(self) -> Index:
        """Give the cache of inputs."""
        return self.store.cache()

    @cached_property
    def tree(self) -> ManifestTree:
        """Give the manifest tree."""
        settings = Settings(
            roots=self.options.manifests,
            server=self.options.server,
            hostname=socket.gethostname(),
            lenient=self.options.lenient,
            read_template=read_template,
            last_good=self._last_good,
        )
        return ManifestTree(settings, self.cache)

    def _last_good(self, names: Iterable[str]) -> Mapping[str, DesiredSite]:
        wanted = tuple(names)
        return self.store.meaning(filter(is_segment, wanted) if wanted else self.store.sites())

    @cached_property
    def observer(self) -> Observer:
        """Give what reads store and installed files."""
        return Observer(self.store, self.target, self.store.live_path, self.cache, self.clock, self._look)

    def _look(self, spec: ImportSpec) -> Brought:
        from reconciler.execute.secrets import read_secret
        from reconciler.issuers.imported import look

        return look(spec, self.clock.now(), read_secret)

    def brought(self, spec: ImportSpec | None) -> Brought | None:
        """Give what a site brings, without its key; None where it brings nothing."""
        return self._look(spec) if spec is not None else None

    @cached_property
    def engine(self) -> Engine:
        """Give the one pass."""
        from reconciler.execute.meanings import Meanings

        keeping = Meanings(self.store, self.options.verb)
        return Engine(self.tree, self.observer, view, self.cache, self.clock, keeping)

    @cached_property
    def renderer(self) -> Any:  # noqa: ANN401  the door's own type, imported on use
        """Give the render child's door."""
        from reconciler.doors.templates.api import Renderer

        return Renderer()

    @cached_property
    def means(self) -> Any:  # noqa: ANN401
        """Give what issuers work with."""
        from reconciler.execute.secrets import read_secret
        from reconciler.issuers.means import Means

        return Means(self.store, self.clock, read_secret)

    @cached_property
    def sessions(self) -> Any:  # noqa: ANN401
        """Give the connections to CAs."""
        from reconciler.issuers.acme.issuer import Sessions

        return Sessions(self.clock, version=__version__, connections=self.options.workers)

    @cached_property
    def ports(self) -> Any:  # noqa: ANN401
        """Give the http-01 listeners."""
        from reconciler.challenges.ports import Ports

        return Ports(self.store, self.store.listener_directory, self.clock)

    @cached_property
    def challenges(self) -> Any:  # noqa: ANN401
        """Give the ways to prove control, a solver for each type that `challenges.solvers` knows."""
        from reconciler.challenges.solvers import Solvers

        return Solvers(self.store, self.ports, self.dns_means)

    @cached_property
    def dns_means(self) -> Any:  # noqa: ANN401
        """Give what the ways by DNS work with."""
        from reconciler.challenges.dns.means import Means
        from reconciler.execute.secrets import read_secret

        return Means(self.clock, read_secret)

    def issuer(self, spec: IssuerSpec) -> Issuer:
        """Give the issuer of a spec."""
        if spec not in self._issuers:
            self._issuers[spec] = ISSUERS[spec.type](self, spec)
        return self._issuers[spec]

    def target(self, spec: TargetSpec) -> Target:
        """Give the target of a spec."""
        known = self._targets.get(spec.name)
        if known is None or known[0] != spec:
            known = self._targets[spec.name] = (spec, TARGETS[spec.type](self, spec))
        return known[1]

    def execute(self, plan: Plan, declared: Declared) -> Iterator[Outcome]:
        """Do a plan; what that needs is made, and imported, with the first plan that has something to do."""
        return self._executor(plan, declared)

    @cached_property
    def _executor(self) -> Executor:
        return self.executor()

    def executor(self, pace: Pace | None = None) -> Executor:
        """Give what does plans."""
        from reconciler.execute.executor import Executor, Pace

        return Executor(self._steps(), self._batches(), self.clock, pace or Pace(self.options.workers), self.on_bug)

    @property
    def stages(self) -> Any:  # noqa: ANN401
        """Give what takes orders apart by hand."""
        from reconciler.execute.sites.stages import Stages

        return Stages(self._steps().obtaining, *self._manners)

    def _steps(self) -> Any:  # noqa: ANN401
        from reconciler.execute.rules import Makers
        from reconciler.execute.sites.issue import SiteSteps

        makers = Makers(_new_key, _key_type, _placeholder)
        return SiteSteps(self.store, self.issuer, self.challenges, self.clock, RULES, makers, self.say, *self._manners)

    def _batches(self) -> Any:  # noqa: ANN401
        from reconciler.execute.batches.hands.local import Grace, LocalHands
        from reconciler.execute.batches.hands.named import NamedFiles
        from reconciler.execute.batches.install import TargetBatches
        from reconciler.execute.remember import Remembering

        memory = Remembering(self.store, self.clock, RULES)
        hands = LocalHands(NamedFiles(self.cache), Grace(self.clock).is_over)
        return TargetBatches(self.store, self.target, self._seats, hands, self.clock, memory, *self._manners)

    @property
    def _manners(self) -> tuple[str, float]:
        return self.options.verb, self.options.lock_timeout

    def _seats(self, target: str, declared: Declared) -> Mapping[str, SiteOnTarget]:
        from reconciler.model.ports import SiteOnTarget

        return {
            site.name: SiteOnTarget.of(site, use, self.store.live_path(site.name))
            for site in declared.sites.values()
            for use in site.targets
            if use.spec.name == target
        }

    def close(self) -> None:
        """Give back ports, connections, the render child and the store."""
        for name in ("ports", "sessions", "renderer"):
            if name in self.__dict__:
                self.__dict__[name].close()
        if "cache" in self.__dict__:
            self.cache.close()
        self.store.close()


class _Rules:
    """The pure rules of `plan` by which attempts are remembered."""

    after_failure = staticmethod(backoff.after_failure)
    ways = staticmethod(names.ways)
    after_names = staticmethod(names.after_names)
    names_issued = staticmethod(names.after_success)
    choose_renewal = staticmethod(renewal.choose_renewal)


RULES: Final = _Rules()


def _new_key(key_type: str) -> Secret:
    from reconciler.doors import x509

    return x509.new_key(key_type)


def _key_type(key: Secret) -> str:
    from reconciler.doors import x509

    return x509.key_type(key)


def _placeholder(site: DesiredSite, key: Secret, now: datetime) -> Issued:
    from reconciler.issuers.self_signed import placeholder

    return placeholder(site, key, now)


def read_template(path: str) -> str | None:
    """Give a template's text; ValueError with a sentence if it cannot be read."""
    from reconciler.doors.files import api as files
    from reconciler.errors import Failed

    try:
        return files.read_file(path, _TEMPLATE_LIMIT, follow=True).decode()
    except (Failed, UnicodeDecodeError) as error:
        raise ValueError(f"the template cannot be read: {error}") from None


def build(
    options: Options,
    say: Callable[[str, str], None] = lambda _site, _text: None,
    on_bug: Callable[[Change, Exception], None] = lambda _change, _bug: None,
    clock: SystemClock | None = None,
) -> App:
    """Open the store and wire everything; raises StoreError. Nothing is read or made before it is used."""
    clock = clock or SystemClock()
    store = open_store(options.state, clock, __version__, write=not options.read_only)
    return App(options, store, clock, say, on_bug)
