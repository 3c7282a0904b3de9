"""The providers of dns-lexicon that a manifest may name: a fixed list, so that no text of a manifest is imported."""

from typing import Final

# fmt: off
NAMES: Final = frozenset({
    "aliyun", "arvancloud", "aurora", "azure", "cloudflare", "cloudns", "cloudxns", "conoha", "constellix",
    "ddns", "desec", "devnomads", "digitalocean", "dinahosting", "directadmin", "dnsimple", "dnsmadeeasy",
    "dnspark", "dnspod", "dnsservices", "dreamhost", "duckdns", "dynu", "easydns", "easyname", "euserv",
    "exoscale", "flexibleengine", "gandi", "gehirn", "glesys", "godaddy", "googleclouddns", "gransy",
    "gratisdns", "henet", "hetzner", "hostingde", "hover", "httpnet", "infoblox", "infomaniak", "internetbs",
    "inwx", "ionos", "joker", "linode", "linode4", "localzone", "luadns", "memset", "misaka", "mythicbeasts",
    "namecheap", "namecom", "namesilo", "netcup", "nfsn", "njalla", "nsone", "oci", "onapp", "online", "ovh",
    "plesk", "pointhq", "porkbun", "powerdns", "qcloud", "rackspace", "rage4", "rcodezero", "regfish",
    "route53", "safedns", "sakuracloud", "scaleway", "softlayer", "timeweb", "transip", "ultradns",
    "valuedomain", "vercel", "vultr", "wedos", "yandex", "yandexcloud", "zeit", "zilore", "zonomi",
})
# fmt: on
