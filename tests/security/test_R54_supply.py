"""R54: what runs is what was installed: no text of a manifest names code, nothing is looked up or installed later."""

from __future__ import annotations

import ast
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from reconciler.manifests.kinds.dns_provider import NEEDED
from reconciler.manifests.kinds.lexicon_names import NAMES
from reconciler.manifests.kinds.registry import KINDS
from reconciler.manifests.kinds.validate import Invalid, validate_document
from tests.manifests.test_every_field import BASES, PROVIDERS, document

PACKAGE = Path(__file__).resolve().parent.parent.parent / "reconciler"
TREES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}
TYPES = [(kind, type_) for kind, known in KINDS.items() if isinstance(known, dict) for type_ in known]
CODE = [
    "os.path",
    "reconciler.targets.nginx:Nginx",
    "reconciler.targets.files",
    "__import__",
    "os",
    "",
    "ca.x",
    None,
    1,
]

BY_TABLE = {
    "challenges/dns/_lexicon_child.py": "the provider's name, of the generated list",
    "cli/group.py": "a verb, of the table beside it",
    "doors/x509/__init__.py": "a name of its own face, of the table beside it",
}
"""Where a module is imported by its name, and what the name is."""


def refused(kind: str, spec: dict[str, Any]) -> str:
    found = validate_document(document(kind, "x", spec))
    assert isinstance(found, Invalid), spec
    return str(found.problems[0])


@pytest.mark.parametrize("given", CODE)
@pytest.mark.parametrize(("kind", "type_"), TYPES)
def test_a_type_is_one_of_a_fixed_list(kind: str, type_: str, given: object) -> None:
    assert refused(kind, {**BASES[kind, type_], "type": given})


@pytest.mark.parametrize("given", CODE)
@pytest.mark.parametrize("type_", NEEDED)
def test_a_providers_type_is_one_of_a_fixed_list(type_: str, given: object) -> None:
    provider = {**PROVIDERS[type_], "type": given}
    assert refused("ChallengeMethod", {"type": "dns-01", "provider": provider})


@pytest.mark.parametrize("given", [*CODE, "lexicon.client", "../cloudflare", "Cloudflare", "base", "cloudflare\n"])
def test_a_provider_of_lexicon_is_one_of_its_list(given: object) -> None:
    assert refused("ChallengeMethod", {"type": "dns-01", "provider": {"type": "lexicon", "name": given}})
    assert all(name.isalnum() and name.islower() for name in NAMES)


def _calls(tree: ast.AST) -> list[str]:
    found = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in found]


@pytest.mark.parametrize("module", TREES)
def test_nothing_is_imported_by_a_text(module: str) -> None:
    forbidden = {"import_module", "__import__", "entry_points", "iter_entry_points", "exec", "eval", "run_path"}
    assert not (set(_calls(TREES[module])) & forbidden) - ({"import_module"} if module in BY_TABLE else set())


@pytest.mark.parametrize("module", TREES)
def test_nothing_is_installed_when_it_runs(module: str) -> None:
    tree = TREES[module]
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name.partition(".")[0] for name in modules} & {"pip", "ensurepip", "venv", "pkg_resources", "zipimport"}
    words = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert not {"pip", "pip3", "apt-get", "-mpip", "uv"} & {word for word in words if isinstance(word, str)}


def test_the_package_offers_its_command_and_no_place_to_plug_in() -> None:
    groups = {point.group: point.name for point in distribution("certwright").entry_points}
    assert groups == {"console_scripts": "certwright"}
