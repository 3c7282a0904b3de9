"""What is asked of the render child: jobs, packed into requests of bounded size."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TEMPLATE_LIMIT: Final = 1024 * 1024
_VARIABLES_LIMIT: Final = 1024 * 1024
# one request holds at most so many jobs and bytes: what is lost with a child is small
_BATCH_JOBS: Final = 500
_BATCH_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Job:
    """One text to render. `name` is what an error calls the template; `variables` are what it may print."""

    name: str
    template: str
    variables: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class RenderError:
    """Why a job gave no text. `line` counts from 1, 0 if it is not known."""

    template: str
    line: int
    reason: str

    def __str__(self) -> str:
        """Give one sentence for a person."""
        place = f"{self.template}:{self.line}" if self.line else self.template
        return f"template {place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Packed:
    """A job as it goes to the child: `digest` is the whole job's, `body` the JSON of its variables."""

    digest: str
    name: str
    template: str
    template_digest: str
    body: str


def packed(job: Job) -> Packed | RenderError:
    """Make copies that hold nothing but JSON's own types, and the digests."""
    try:
        body = json.dumps(dict(job.variables), sort_keys=True, allow_nan=False)
        text = job.template.encode()
    except (TypeError, ValueError, RecursionError):
        return RenderError(job.name, 0, "its variables are not text, numbers, truth values, lists and mappings alone")
    if len(text) > _TEMPLATE_LIMIT or len(body) > _VARIABLES_LIMIT:
        return RenderError(job.name, 0, f"over {_TEMPLATE_LIMIT} bytes of template or of variables")
    template_digest = hashlib.sha256(text).hexdigest()
    digest = hashlib.sha256(f"{template_digest}\0{job.name}\0{body}".encode("utf-8", "surrogatepass")).hexdigest()
    return Packed(digest, job.name, job.template, template_digest, body)


def parts(jobs: list[Packed]) -> Iterator[list[Packed]]:
    """Cut into requests of bounded size."""
    part: list[Packed] = []
    size = 0
    for job in jobs:
        # a template that many jobs share is counted each time: parts only get smaller by that
        weight = len(job.body) + (len(job.template) if not part or part[-1].template is not job.template else 0)
        if part and (len(part) >= _BATCH_JOBS or size + weight > _BATCH_BYTES):
            yield part
            part, size = [], 0
        part.append(job)
        size += weight
    if part:
        yield part


def request(jobs: list[Packed]) -> bytes:
    """Give a request's body: each template once, then the jobs."""
    templates = json.dumps({job.template_digest: job.template for job in jobs})
    listed = ",".join(f'["{job.template_digest}",{job.body}]' for job in jobs)
    return f'{{"templates":{templates},"jobs":[{listed}]}}'.encode()
