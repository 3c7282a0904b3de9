"""The public face of the files door: `from reconciler.doors.files import api as files`.

Every function takes `base`, a `Directory` from `open_directory`; the path is then relative to it, and only what lies
below is walked. Without it the path is absolute. Failures are `FileFailed`, a `reconciler.errors.Failed` whose
message is one sentence; `told_as(StoreError)` makes another type of them.
"""

from reconciler.doors.files._failures import Diverted, FileFailed, told, told_as
from reconciler.doors.files._ground import Directory
from reconciler.doors.files._lacking import check_giving, check_writable
from reconciler.doors.files._names import check_mode, check_part, check_path
from reconciler.doors.files._people import numbers_of
from reconciler.doors.files._read import list_directory, read_file, read_with_stat, stat_directory, stat_file
from reconciler.doors.files._stat import FileStat
from reconciler.doors.files._walk import born_at, open_directory
from reconciler.doors.files._write import (
    Staged,
    create_file,
    discard,
    remove_directory,
    remove_file,
    remove_leftovers,
    rename_file,
    stage_file,
    switch,
    sync_directory,
    write_file,
)

__all__ = [
    "Directory",
    "Diverted",
    "FileFailed",
    "FileStat",
    "Staged",
    "born_at",
    "check_giving",
    "check_mode",
    "check_part",
    "check_path",
    "check_writable",
    "create_file",
    "discard",
    "list_directory",
    "numbers_of",
    "open_directory",
    "read_file",
    "read_with_stat",
    "remove_directory",
    "remove_file",
    "remove_leftovers",
    "rename_file",
    "stage_file",
    "stat_directory",
    "stat_file",
    "switch",
    "sync_directory",
    "told",
    "told_as",
    "write_file",
]
