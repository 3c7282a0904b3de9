"""Configuration text for many sites at once: one batch to the render process, one text or one refusal a site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from reconciler.doors.templates.api import Job, RenderError
from reconciler.model.changes import Reason
from reconciler.model.ports import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.model.desired import Values
    from reconciler.model.ports import SiteOnTarget

_LONGEST: Final = 1 << 20


class Renderer(Protocol):
    """What renders: `reconciler.doors.templates.api.Renderer`."""

    def render(self, batch: Sequence[Job]) -> Sequence[str | RenderError]:
        """Give each job's text or why there is none, in order."""
        ...


def texts(
    renderer: Renderer, name: str, template: str, variables: Mapping[str, Mapping[str, object]]
) -> dict[str, str | Refusal]:
    """Render one template for each site; `variables` are by site, so is what comes back."""
    jobs = [Job(name=name, template=template, variables=of_site) for of_site in variables.values()]
    return {site: _judged(text, name) for site, text in zip(variables, renderer.render(jobs), strict=True)}


def merged(target: Values, site: Values) -> dict[str, object]:
    """Give the target's values under the site's, as copies that a template may hold."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in {**target, **site}.items()}


def by_site(sites: Sequence[SiteOnTarget]) -> dict[str, SiteOnTarget]:
    """Index sites by name; where one is given twice the last counts."""
    return {site.site: site for site in sites}


def invalid(message: str) -> Refusal:
    """Refuse a site for what its manifests say."""
    return Refusal(Reason.INVALID_MANIFEST, message)


def _judged(text: str | RenderError, name: str) -> str | Refusal:
    if isinstance(text, RenderError):
        return invalid(str(text))
    if not text.strip():
        return invalid(f"template {name} renders to nothing; a site's file must hold something")
    if len(text) > _LONGEST:
        return invalid(
            f"template {name} renders to {len(text)} characters, more than the {_LONGEST} allowed; make it shorter"
        )
    return text
