"""R28: in the store only `atomic.py` writes, makes, moves, deletes or changes rights; sqlite is named here."""

from __future__ import annotations

import ast
from pathlib import Path

STORE = Path(__file__).resolve().parents[2] / "reconciler" / "store"
# (module, call): what is allowed beside atomic.py, and why
ALLOWED = {
    ("database.py", "sqlite3.connect"),  # sqlite writes its own files
    ("scratch.py", "os.open"),  # read-only, to hold the flock of a directory
    ("locks.py", "os.open"),  # read-only, to ask who holds a lock
    ("reading.py", "os.open"),  # read-only
}
WRITERS = {
    *("open", "io.open", "os.open", "os.fdopen", "sqlite3.connect"),
    *(
        f"os.{name}"
        for name in [
            "write",
            "pwrite",
            "rename",
            "replace",
            "renames",
            "link",
            "symlink",
            "unlink",
            "remove",
            "rmdir",
            "removedirs",
            "mkdir",
        ]
    ),
    *(
        f"os.{name}"
        for name in [
            "makedirs",
            "mknod",
            "mkfifo",
            "chmod",
            "fchmod",
            "lchmod",
            "chown",
            "fchown",
            "lchown",
            "truncate",
            "ftruncate",
        ]
    ),
    *(f"os.{name}" for name in ["utime", "setxattr", "removexattr", "sendfile", "copy_file_range", "posix_fallocate"]),
}
METHODS = {
    "write_text",
    "write_bytes",
    "touch",
    "unlink",
    "rename",
    "replace",
    "rmdir",
    "mkdir",
    "chmod",
    "symlink_to",
    "hardlink_to",
}
MODULES = {"shutil", "tempfile", "pathlib", "subprocess", "io", "mmap", "ctypes"}


def calls(module: Path) -> set[tuple[str, str]]:
    """Give every call of the module by its dotted name."""
    nodes = (node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call))
    return {(module.name, ast.unparse(node.func)) for node in nodes}


def test_no_other_module_of_the_store_writes() -> None:
    found = {call for module in STORE.glob("*.py") if module.name != "atomic.py" for call in calls(module)}
    writing = {call for call in found if call[1] in WRITERS}
    assert writing == ALLOWED
    on_values = {call for call in found if call[1].rpartition(".")[2] in METHODS - {"replace"}}
    assert not on_values


def test_no_module_of_the_store_imports_other_ways_to_write() -> None:
    for module in STORE.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not MODULES & {name.partition(".")[0] for name in names}, module.name


def test_what_is_opened_outside_is_opened_for_reading() -> None:
    for name in ("scratch.py", "locks.py", "reading.py"):
        text = (STORE / name).read_text()
        assert "O_RDONLY" in text
        assert not any(flag in text for flag in ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"))


def test_the_own_writer_never_changes_rights_by_name() -> None:
    """R28: `os.chmod` follows links, `fchmod` cannot."""
    assert not {"os.chmod", "os.chown", "os.link", "os.replace"} & {call for _, call in calls(STORE / "atomic.py")}
