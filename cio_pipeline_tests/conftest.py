"""Fixtures that all tests share."""

from pathlib import Path

import pytest
from hypothesis import settings

from cio_pipeline_tests.world import World

# The machine may be busy: what is tested is what code does, not how fast.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A whole product in a temporary folder."""
    return World(tmp_path)
