"""Fixtures of the tests of the command line."""

import pytest
from dagster import DagsterInstance

from cio_pipeline_tests.world import World


@pytest.fixture
def home(home: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world with the command line on it, Dagster included.

    Dagster forgets what it records of a run: its SQLite files take most of a small run's time.
    """
    (home.root / "dagster").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home.root / "dagster"))
    monkeypatch.setattr(DagsterInstance, "get", DagsterInstance.ephemeral)
    return home
