"""Every `type` of every kind is whole: a builder, a row in the contract suites, a manifest that is executed, a schema.

A new plug-in that lacks one of them fails here, with the name of what it lacks.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import pytest

from reconciler import plugins
from reconciler.challenges.dns import making
from reconciler.challenges.dns.means import Means
from reconciler.challenges.solvers import Solvers
from reconciler.manifests.kinds.dns_provider import NEEDED
from reconciler.manifests.kinds.registry import KINDS, METHOD_TYPES
from reconciler.manifests.resolving.specs import ObjectResolver
from reconciler.model import desired
from tests.builders import MemoryStore, SteadyClock
from tests.contracts import test_dns_providers, test_issuers, test_solvers, test_targets
from tests.manifests.test_every_field import BASES, OTHER, PROVIDERS, resource_of

if TYPE_CHECKING:
    from reconciler.challenges.ports import Ports

CHECKOUT: Final = Path(__file__).resolve().parent.parent
TYPES: Final = [(kind, type_) for kind, known in KINDS.items() if isinstance(known, dict) for type_ in known]
"""Kind and type of everything that can be plugged in."""

CONTRACTS: Final = {
    "Issuer": set(test_issuers.ISSUERS),
    "ChallengeMethod": {name.partition(" ")[0] for name in test_solvers.METHODS},
    "Target": {name.partition(" ")[0] for name in test_targets.TARGETS},
}
NO_CONTRACT: Final = {"manual": "writes nothing itself", "acme-dns": "keeps two values and removes none"}
"""Providers that cannot add and remove values one by one, and why."""
_TYPE: Final = re.compile(r"""["']?type["']?: ["']?([a-z0-9-]+)""")


def spec_of(kind: str, type_: str) -> Any:  # noqa: ANN401  one of the specs
    problems: list[Any] = []
    resolver = ObjectResolver(None, lambda _path: None, problems)
    resource = resource_of(kind, "x", {"type": type_, **BASES[kind, type_]})
    made = {"Issuer": resolver.issuer, "ChallengeMethod": resolver.method, "Target": resolver.target}[kind](resource)
    assert not problems
    return made


@pytest.mark.parametrize(("kind", "type_"), TYPES)
def test_it_becomes_a_spec_of_its_type(kind: str, type_: str) -> None:
    assert spec_of(kind, type_).type == type_
    unions = {"Issuer": desired.IssuerSpec, "ChallengeMethod": desired.MethodSpec, "Target": desired.TargetSpec}
    assert type(spec_of(kind, type_)) in get_args(unions[kind])


@pytest.mark.parametrize(("kind", "type_"), TYPES)
def test_it_has_a_builder(kind: str, type_: str) -> None:
    if kind == "ChallengeMethod":
        ports: Ports = None  # type: ignore[assignment]  # nothing is opened before an answer is published
        means = Means(SteadyClock(), lambda _ref, _field: pytest.fail("no secret is read before it is needed"))
        solver = Solvers(MemoryStore(), ports, means).solver(spec_of(kind, type_))
        assert callable(solver.prepare)
    else:
        assert type_ in {"Issuer": plugins.ISSUERS, "Target": plugins.TARGETS}[kind]


def test_no_builder_is_for_nothing() -> None:
    assert set(plugins.ISSUERS) | set(plugins.TARGETS) == {type_ for kind, type_ in TYPES if kind != "ChallengeMethod"}
    assert {type_ for kind, type_ in TYPES if kind == "ChallengeMethod"} == METHOD_TYPES


@pytest.mark.parametrize(("kind", "type_"), TYPES)
def test_it_keeps_the_contract(kind: str, type_: str) -> None:
    assert type_ in CONTRACTS[kind], f"add a row to tests/contracts for {kind} {type_}"
    assert (kind, type_) in OTHER, "add its fields to tests/manifests/test_every_field.py"


@pytest.mark.parametrize(("kind", "type_"), TYPES)
def test_its_schema_has_a_branch(kind: str, type_: str) -> None:
    for name in (kind.lower(), "manifest"):
        schema = (CHECKOUT / "schemas" / "v1" / f"{name}.json").read_text()
        branches = [node for node in _nodes(json.loads(schema)) if node.get("const") == type_]
        assert branches, name


def _nodes(schema: object) -> list[dict[str, Any]]:
    if isinstance(schema, dict):
        return [schema, *(node for value in schema.values() for node in _nodes(value))]
    return [node for value in schema for node in _nodes(value)] if isinstance(schema, list) else []


def executed() -> set[str]:
    """The types in manifests of examples (all executed by tests/test_examples.py) and of the journeys."""
    found = {type_ for path in (CHECKOUT / "examples").rglob("*.yaml") for type_ in _TYPE.findall(path.read_text())}
    for path in (CHECKOUT / "tests" / "journeys").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Dict):
                pairs = zip(node.keys, node.values, strict=True)
                values = [value for key, value in pairs if isinstance(key, ast.Constant) and key.value == "type"]
                found |= {str(value.value) for value in values if isinstance(value, ast.Constant)}
            elif isinstance(node, ast.keyword) and node.arg == "type" and isinstance(node.value, ast.Constant):
                found.add(str(node.value.value))
    return found


@pytest.mark.parametrize(("kind", "type_"), TYPES)
def test_a_manifest_of_it_is_executed(kind: str, type_: str) -> None:
    assert type_ in executed(), f"no example and no journey has a {kind} of type {type_}"


@pytest.mark.parametrize("type_", NEEDED)
def test_a_provider_of_records_is_whole_too(type_: str) -> None:
    method = resource_of("ChallengeMethod", "x", {"type": "dns-01", "provider": PROVIDERS[type_]})
    spec = ObjectResolver(None, lambda _path: None, []).method(method)
    assert isinstance(spec, desired.Dns01)
    assert spec.provider.type == type_
    means = Means(SteadyClock(), lambda _ref, _field: pytest.fail("no secret is read before it is needed"))
    provider = making.provider_of(spec.provider, means)
    assert callable(provider.add)
    assert callable(provider.remove)
    schema = json.loads((CHECKOUT / "schemas" / "v1" / "challengemethod.json").read_text())
    assert any(type_ in node.get("enum", ()) for node in _nodes(schema))
    assert type_ in executed()
    rows = Path(test_dns_providers.__file__).read_text()
    assert type_ in NO_CONTRACT or f'"{type_} ' in rows, "add a row to tests/contracts/test_dns_providers.py"
