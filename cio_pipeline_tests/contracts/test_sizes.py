"""Functions fit on a screen, files are read in one go, and no commit carries a link."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "cio_pipeline"
OF_A_FUNCTION = 40
OF_A_FILE = 340
"""Lines. Most files are far below; the aim is 300."""


def too_long(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT)
    if (lines := len(text.splitlines())) > OF_A_FILE:
        yield f"{name} has {lines} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > OF_A_FUNCTION:
                yield f"{name}: {node.name} has {lines} lines"


def test_functions_and_files_are_short() -> None:
    assert [found for path in sorted(ROOT.rglob("*.py")) for found in too_long(path)] == []


def test_no_link_is_tracked() -> None:
    """A worktree's link to an environment would take the place of the environment it points to."""
    if not (ROOT.parent / ".git").exists():
        pytest.skip("these files are no clone")
    # Whoever owns it: in containers it may be somebody else.
    listed = ["git", "-c", "safe.directory=*", "ls-files", "--stage"]
    done = subprocess.run(listed, cwd=ROOT.parent, capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if line.startswith("120000")] == []
