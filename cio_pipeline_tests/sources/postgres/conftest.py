"""The server that these tests share."""

from collections.abc import Iterator

import pytest

from cio_pipeline_tests.postgres import Cluster, postgres_cluster
from cio_pipeline_tests.sources.postgres.databases import Made, made

__all__ = ["postgres_cluster"]


@pytest.fixture
def base(postgres_cluster: Cluster) -> Iterator[Made]:
    """A database of its own with things and notes."""
    found = made(postgres_cluster)
    yield found
    found.source.server.close()
