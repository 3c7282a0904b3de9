"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "reconciler"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = [module for module in MODULES if module.name == "__init__.py"]
LONGEST_FILE, LONGEST_FUNCTION = 300, 60


def _name(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def _imported(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or "."] if isinstance(node, ast.ImportFrom) else []


@pytest.mark.parametrize("room", ROOMS, ids=_name)
def test_a_room_has_a_docstring_and_loads_no_module_of_ours_or_others(room: Path) -> None:
    """A public face may import inside functions, or for types: entering a room costs nothing."""
    tree = ast.parse(room.read_text())
    assert ast.get_docstring(tree), "what enters, what leaves, what it must not do"
    names = {name.partition(".")[0] for node in tree.body for name in _imported(node)}
    assert names <= sys.stdlib_module_names


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_files_and_functions_fit_in_a_head(module: Path) -> None:
    text = module.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION]
    assert not long


def test_no_test_can_be_skipped() -> None:
    words = ("pytest." + "skip", "mark." + "skip", "mark." + "xfail", "import" + "orskip")
    tests = Path(__file__).resolve().parent.rglob("*.py")
    assert not [test for test in tests if any(word in test.read_text() for word in words)]
