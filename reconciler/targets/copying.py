"""What the types have in common that copy what is live: each site has files of its own, the target has none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from reconciler.model.desired import ExecTarget, FilesTarget, HaproxyTarget, PostfixTarget
from reconciler.model.ports import Activated, Tested
from reconciler.targets.commands import first_lines, named, ran
from reconciler.targets.paths import one_site_each
from reconciler.targets.probing import probes_of
from reconciler.targets.rendering import by_site

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reconciler.model.ports import Artifact, Changed, Hands, Probe, Refusal, SiteOnTarget
    from reconciler.targets.paths import Rendered

Spec = TypeVar("Spec", ExecTarget, FilesTarget, HaproxyTarget, PostfixTarget)


class Copying(ABC, Generic[Spec]):
    """A `Target` that copies. As it stands it has the declared commands; a type with a server says more."""

    copies = True

    @property
    def built(self) -> Mapping[str, str]:
        """Give nothing: a type whose server reads something made of our files says more."""
        return {}

    def __init__(self, spec: Spec) -> None:
        """Take the spec."""
        self.spec: Spec = spec

    @abstractmethod
    def files(self, site: SiteOnTarget) -> Rendered:
        """Give a site's files, or why there are none."""

    def render(self, sites: Sequence[SiteOnTarget]) -> Mapping[str, tuple[Artifact, ...] | Refusal]:
        """Give each site's files; a path that two sites would have is refused to both."""
        return one_site_each({name: self.files(site) for name, site in by_site(sites).items()})

    def shared(self, sites: Sequence[SiteOnTarget]) -> tuple[Artifact, ...]:  # noqa: ARG002  the protocol's
        """Give nothing: every file is a site's, and of one that sites share each has its own block."""
        return ()

    def test(self, hands: Hands, paths: Collection[str]) -> Tested:
        """Run the declared test, if any; blamed are files of ours that its output names."""
        ok, lines = ran(hands, "test", self.spec.test)
        return Tested(ok, first_lines(lines), () if ok else named(lines, paths))

    def replaces(self, changed: Collection[Changed]) -> bool:  # noqa: ARG002  the protocol's
        """Tell that nothing is taken up without the reload."""
        return False

    def activate(self, hands: Hands, changed: Collection[Changed]) -> Activated:  # noqa: ARG002  the protocol's
        """Run the declared reload, if any."""
        ok, lines = ran(hands, "reload", self.spec.reload.command)
        return Activated(ok, first_lines(lines))

    def probes(self, site: SiteOnTarget) -> tuple[Probe, ...]:
        """Give a handshake for each name and declared port."""
        return probes_of(self.spec.verify, site)
