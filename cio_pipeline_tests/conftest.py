"""Fixtures that all tests share."""

from pathlib import Path

import pytest

from cio_pipeline_tests.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A whole product in a temporary folder."""
    return World(tmp_path)
