"""docs/operations.md, followed word for word: backing up, restoring, rebuilding the ledger."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline_tests.recovery.loss import change, each_row_once, go_on
from cio_pipeline_tests.world import World, window

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"

SYNCS = """\
syncs:
  - {id: a, workspace_id: 1, destination: {type: local, path: bucket/a}}
"""
SECOND = "  - {id: b, workspace_id: 1, destination: {type: local, path: bucket/b}}\n"
AT_NOON = "--at 2026-03-01T12:00"


def commands(heading: str) -> str:
    """The commands in the fenced block below a heading of the document."""
    section = OPERATIONS.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return block


def follow(world: World, script: str) -> subprocess.CompletedProcess[str]:
    """Run commands as an operator does, in the folder that holds the sync file."""
    world.ledger.close()
    environment = {name: value for name, value in os.environ.items() if name[:4] != "CIO_"}
    environment["CIO_HOME"] = str(world.root)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=world.root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def followed(world: World, script: str) -> World:
    """The world after commands that must all succeed."""
    done = follow(world, script)
    assert done.returncode == 0, done.stdout + done.stderr
    return World(world.root, now=world.now)


@pytest.fixture(scope="module")
def once_served(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A sync that was registered and served as the documents say, for two windows."""
    world = World(tmp_path_factory.mktemp("served") / "world")
    (world.root / "syncs.yaml").write_text(SYNCS)
    world = followed(world, f"cio-pipeline sync apply syncs.yaml {AT_NOON}")
    go_on(world, range(2))
    return world


@pytest.fixture
def served(once_served: World, tmp_path: Path) -> World:
    return once_served.copy(tmp_path / "world")


@pytest.mark.slow
def test_a_backup_is_made_and_restored_word_for_word(served: World) -> None:
    """About 15 s: a dozen commands, each in a process of its own."""
    world = followed(served, commands("Backing up"))
    (world.root / "syncs.yaml").write_text(SYNCS + SECOND)
    world = followed(world, f"cio-pipeline sync apply syncs.yaml {AT_NOON}")
    go_on(world, range(2, 4))
    change(world, 4)
    world.now = window(4).end
    run_export(world.services, "events", window(4), Scope())
    world.ledger.close()
    damage(world.root / "ledger.db")
    assert follow(world, "cio-pipeline ledger check").returncode == 1

    world = followed(world, commands("Restoring a backup"))

    go_on(world, [5])
    for sync_id in "ab":
        each_row_once(world, 6, sync_id)


@pytest.mark.slow
def test_a_lost_ledger_is_rebuilt_word_for_word(served: World) -> None:
    world = followed(served, commands("Rebuilding a lost ledger"))
    go_on(world, range(2, 4))
    each_row_once(world, 4)


def damage(file: Path) -> None:
    """Overwrite all pages but the first, as a broken disk does."""
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)
