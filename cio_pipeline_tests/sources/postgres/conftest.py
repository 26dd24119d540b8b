"""The server that these tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline_tests.postgres import Cluster
from cio_pipeline_tests.sources.postgres.databases import COLUMNS, Made, made, new_database
from cio_pipeline_tests.sources.things import THINGS
from cio_pipeline_tests.world import World


@pytest.fixture
def base(postgres_cluster: Cluster) -> Iterator[Made]:
    """A database of its own with things and notes."""
    found = made(postgres_cluster)
    yield found
    found.source.server.close()


@pytest.fixture
def partitioned(postgres_cluster: Cluster) -> Iterator[Made]:
    """Things in two partitions, installed."""
    base = Made(new_database(postgres_cluster), {"things": THINGS})
    base.do(
        f"CREATE TABLE things ({COLUMNS}) PARTITION BY LIST (key)",
        "CREATE TABLE ab PARTITION OF things FOR VALUES IN ('a', 'b')",
        "CREATE TABLE rest PARTITION OF things DEFAULT",
    )
    base.install()
    yield base
    base.source.server.close()


@pytest.fixture
def product(postgres_cluster: Cluster) -> Iterator[Made]:
    """All tables of the product."""
    found = made(postgres_cluster, *SOURCE_TABLES.values())
    yield found
    found.source.server.close()


@pytest.fixture
def world(postgres_cluster: Cluster, tmp_path: Path) -> Iterator[World]:
    """A whole product on tables of which any number of rows can be a slice."""
    found = made(postgres_cluster, *SOURCE_TABLES.values(), row_a_block=True)
    yield World(tmp_path, database=found)
    found.source.server.close()
