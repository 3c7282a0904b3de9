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


def _dependent(tree: ast.Module) -> list[int]:
    """Give the lines on which a test depends on a condition of the machine, or asks whether it runs as root."""
    conditions = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    tests = [
        node.lineno
        for condition in conditions
        for node in ast.walk(condition)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]
    asked = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and ast.unparse(node.left) in {"os.geteuid()", "os.getuid()"}
    ]
    return tests + asked


def test_no_test_is_left_out_for_an_ordinary_user() -> None:
    """All need root, which `conftest.py` says once: none is defined under an `if`, none returns early."""
    tests = sorted(Path(__file__).resolve().parent.rglob("test_*.py"))
    assert not {str(test): lines for test in tests if (lines := _dependent(ast.parse(test.read_text())))}
    assert _dependent(ast.parse("if x:\n\n    def test_y(): ...\n")) == [3]
    assert _dependent(ast.parse("ROOT = os.geteuid() == 0\n")) == [1]
