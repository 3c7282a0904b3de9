"""HostnameSet: names that several sites share."""

from pydantic import Field

from reconciler.manifests.kinds.base import Many, Shape
from reconciler.manifests.kinds.fields import HostnameText


class HostnameSetSpec(Shape):
    """Names that several sites share."""

    hostnames: Many[HostnameText] = Field(
        description='Names; international ones as they are spelled, a wildcard as "*.example.com" in quotes.'
    )
