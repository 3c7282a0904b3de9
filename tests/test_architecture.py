"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "reconciler"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = [module for module in MODULES if module.name == "__init__.py"]
LONGEST_FILE, LONGEST_FUNCTION = 300, 60


def _name(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("room", ROOMS, ids=_name)
def test_a_room_has_a_docstring_and_imports_nothing(room: Path) -> None:
    tree = ast.parse(room.read_text())
    assert ast.get_docstring(tree), "what enters, what leaves, what it must not do"
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert all(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in imports)


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
