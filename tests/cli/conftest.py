from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.program import Program

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(name="program")
def _program(tmp_path: Path) -> Program:
    return Program(tmp_path).prepare()


@pytest.fixture(name="applied")
def _applied(program: Program) -> Program:
    """One site, converged."""
    program.site("example", "example.test", "www.example.test")
    done = program("apply", "-q")
    assert done.returncode == 0, done.stderr + done.stdout
    return program
