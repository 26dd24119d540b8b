"""Fixtures of the tests of the command line."""

import pytest
from dagster import DagsterInstance

from cio_pipeline_tests.world import World


@pytest.fixture
def home(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world with the command line on it.

    Dagster forgets what it records of a run: its SQLite files take most of a small run's time.
    """
    (world.root / "dagster").mkdir()
    monkeypatch.setenv("CIO_HOME", str(world.root))
    monkeypatch.setenv("DAGSTER_HOME", str(world.root / "dagster"))
    monkeypatch.setattr(DagsterInstance, "get", DagsterInstance.ephemeral)
    monkeypatch.chdir(world.root)  # paths of local destinations are relative to it
    return world
