"""Fixtures of the tests of the use cases."""

from pathlib import Path

import pytest

from cio_pipeline_tests.pipeline.buckets import Bucket, whole_bucket


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    """A bucket of three manifests in which all is in order."""
    return whole_bucket(tmp_path)
