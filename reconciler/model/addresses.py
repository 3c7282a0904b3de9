"""Which address records a site wants: the same answer for who plans them and for who publishes them."""

from collections.abc import Collection

from reconciler.model.desired import DesiredSite


def publishes_own(site: DesiredSite) -> bool:
    """Tell whether what is published depends on what this machine's addresses are now."""
    return site.address_records is not None and site.machine.addresses is None


def wanted_addresses(site: DesiredSite, own: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Give (name, address) of each record wanted; `own` are the machine's global addresses, if none are declared."""
    if site.address_records is None:
        return ()
    addresses = site.machine.addresses if site.machine.addresses is not None else tuple(own)
    names = [hostname.text for hostname in site.hostnames if not hostname.is_address]
    return tuple((name, address) for name in names for address in sorted(addresses))
