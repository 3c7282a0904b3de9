from __future__ import annotations

import re

import pytest

from reconciler.errors import UsageError
from reconciler.manifests.explain import explain, kinds
from reconciler.manifests.kinds.registry import KINDS


def test_a_field_has_meaning_type_and_default() -> None:
    text = explain("site.spec.renewal.lookahead")
    assert text.startswith("site.spec.renewal.lookahead\n  share (1% to 90%) or duration (10d), default 33%\n")
    assert "How long before its end" in text


@pytest.mark.parametrize("field", ["site.renewal", "sites.spec.renewal", "Site.spec.renewal"])
def test_kinds_may_be_in_the_plural_and_spec_left_out(field: str) -> None:
    assert explain(field).startswith("site.spec.renewal\n")
    assert "  lookahead" in explain(field)


@pytest.mark.parametrize(
    ("kind", "field"),
    [("site", "hostnames"), ("server", "agreeToTerms"), ("issuer", "caBundle"), ("targets", "reload")],
)
def test_a_kind_alone_shows_the_fields_of_its_spec(kind: str, field: str) -> None:
    head, spec = explain(kind).split(".spec\n", 1)
    assert "  apiVersion" in head
    assert f"  {field} " in spec


def explained(path: str) -> list[str]:
    """Explain a field and all that its text lists below it; give their paths."""
    names = dict.fromkeys(re.findall(r"^  (\w+) {2,}", explain(path), flags=re.MULTILINE))
    return [path, *(found for name in names for found in explained(f"{path}.{name}"))]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_field_that_is_listed_can_be_explained(kind: str) -> None:
    found = explained(f"{kind.lower()}.spec")
    assert len(found) > 1
    assert all(len(line) < 130 for path in found for line in explain(path).splitlines())


def test_a_provider_shows_the_fields_of_each_type() -> None:
    text = explain("challengemethod.provider")
    signed = "      rfc2136: signed updates at the zone's primary\n"
    assert f"FIELDS (type: rfc2136)\n  type                 rfc2136\n{signed}  server" in text
    assert "  type                 manual\n\n" in f"{text}\n", "and says of no type what is said of the first"
    assert "zilore" in explain("challengemethod.provider.name")


def test_a_field_of_some_types_says_of_which() -> None:
    assert explain("target.layout").startswith(
        "target.spec.layout  (type: apache, nginx)\n  snippet | vhost | live, default snippet"
    )
    assert explain("issuer.trust").count("issuer.spec.trust  (type: ") == 4
    assert "FIELDS (type: acme)" in explain("issuer.spec")


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("sit", "did you mean `site`?"),
        ("site.spec.renewl", "did you mean `site.spec.renewal`?"),
        ("site.spec.suspend.x", "`site.spec.suspend` has no fields below it"),
        ("", "no kind"),
        ("...", "no kind"),
    ],
)
def test_an_unknown_field_is_named_with_the_nearest(field: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?").replace(".", r"\.")):
        explain(field)


def test_fields_are_listed_with_what_they_mean_and_those_of_all_types_once() -> None:
    assert "  hostnames            list of hostname\n      The names of the certificate; a wildcard" in explain("site")
    text = explain("target")
    assert text.count("  placeholder  ") == 1
    assert text.index("FIELDS (all types)") < text.index("  placeholder  ") < text.index("FIELDS (type: apache)")


def test_the_values_of_the_built_in_blocks_are_told() -> None:
    for word in ("`extra`", "`listen`", "`httpListen`"):
        assert word in explain("target.values")
    assert "http01_webroot" in explain("target.template")


def test_without_a_field_the_kinds_are_listed() -> None:
    shown = kinds()
    assert [line.split()[0] for line in shown.splitlines()[: len(KINDS)]] == [kind.lower() for kind in KINDS]
    assert "next: certwright explain" in shown
