"""R28: outside the store only the files door makes, writes, renames, removes files or changes their rights."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.security.test_R28_store_writers import METHODS, WRITERS, calls

PACKAGE = Path(__file__).resolve().parents[2] / "reconciler"
DOOR = PACKAGE / "doors" / "files"
# (module, call): what is allowed elsewhere, and why
ALLOWED = {
    ("challenges/lock_files.py", "os.open"),  # read-only, to hold a flock
    ("cli/screen.py", "os.open"),  # /dev/null in place of an output that nobody reads
    ("cli/streams.py", "open"),  # the stream of a descriptor that is open
    ("cli/streams.py", "os.open"),  # /dev/null in place of a stream that is closed
    ("cli/views.py", "os.open"),  # read-only, a look at the cache
    ("cli/views.py", "sqlite3.connect"),  # read-only, the same
    ("doors/files/_ground.py", "open"),  # /proc/self/fdinfo
    ("doors/files/_read.py", "os.open"),  # read-only
    ("doors/halves.py", "os.write"),  # a pipe
    ("doors/processes/_watch.py", "os.write"),  # a pipe
    ("doors/runtime_socket.py", "os.open"),  # a path only, to connect to the socket there
    ("doors/templates/api.py", "os.write"),  # a pipe
    ("doors/tls.py", "os.write"),  # a memfd
    ("loop/run.py", "os.write"),  # a pipe
}
WRITING = {"_walk.py", "_write.py"}
FOLLOWING = {"os.chmod", "os.chown", "os.link", "os.replace", "os.symlink", "os.lchown"}
WIDE = {"shutil", "mmap"}


def modules() -> list[Path]:
    """Give all modules but the store's, which have a test of their own."""
    return [module for module in PACKAGE.rglob("*.py") if module.parent.name != "store"]


def test_no_other_module_writes() -> None:
    found = set()
    for module in modules():
        if module.parent == DOOR and module.name in WRITING:
            continue
        names = {call for _, call in calls(module)}
        writing = {call for call in names if call in WRITERS or call.rpartition(".")[2] in METHODS - {"replace"}}
        found |= {(str(module.relative_to(PACKAGE)), call) for call in writing}
    assert found == ALLOWED


def test_nothing_changes_rights_by_name_or_copies_whole_trees() -> None:
    for module in modules():
        assert not FOLLOWING & {call for _, call in calls(module)}, module
        nodes = list(ast.walk(ast.parse(module.read_text())))
        imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not WIDE & imported, module
