"""Fixtures that all tests share."""

from pathlib import Path

import pytest
from hypothesis import settings

from cio_pipeline_tests.world import World

# The machine may be busy: what is tested is what code does, not how fast.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


FIRST = ("ui", "sakila", "convergence")
"""Folders of tests that take minutes in one piece; the day in the UI mostly waits."""


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A whole product in a temporary folder."""
    return World(tmp_path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first, so that one process has them while others take the rest from it."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    folder = item.path.parent.name
    return FIRST.index(folder) if folder in FIRST else len(FIRST)
