"""The public face of the DNS door: `from reconciler.doors.dns_client import api as dns`."""

from reconciler.doors.dns_client._asking import Answer, ask, lookup
from reconciler.doors.dns_client._endpoint import Endpoint, parse_endpoint, system_resolvers
from reconciler.doors.dns_client._failures import NO_ROUTE, DnsFailed
from reconciler.doors.dns_client._names import HOPS, below, checked_name, parent
from reconciler.doors.dns_client._updates import (
    ALGORITHMS,
    TsigKey,
    add_address,
    add_txt,
    parse_key_file,
    remove_address,
    remove_txt,
)
from reconciler.doors.dns_client._zones import NameServer, Zone, name_servers, zone_at, zone_of

__all__ = [
    "ALGORITHMS",
    "HOPS",
    "NO_ROUTE",
    "Answer",
    "DnsFailed",
    "Endpoint",
    "NameServer",
    "TsigKey",
    "Zone",
    "add_address",
    "add_txt",
    "ask",
    "below",
    "checked_name",
    "lookup",
    "name_servers",
    "parent",
    "parse_endpoint",
    "parse_key_file",
    "remove_address",
    "remove_txt",
    "system_resolvers",
    "zone_at",
    "zone_of",
]
