"""D2: the same rows give the same files, from PostgreSQL as from Delta Lake."""

from collections import Counter
from pathlib import Path
from random import Random

import polars as pl
import pytest
from pyarrow.parquet import read_schema

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.files.names import parse_name
from cio_pipeline_tests.convergence.rows import Clock, make
from cio_pipeline_tests.faults.prepared import prepare
from cio_pipeline_tests.postgres import Cluster
from cio_pipeline_tests.sources.postgres.databases import made
from cio_pipeline_tests.world import NOON, World, during


def counted(file: Path) -> Counter[str]:
    return Counter(map(str, pl.read_parquet(file).rows()))


@pytest.mark.slow
def test_d2_files_are_the_same_byte_for_byte(tmp_path: Path, postgres_cluster: Cluster) -> None:
    tables = made(postgres_cluster, *SOURCE_TABLES.values())
    found: list[World] = []
    for world in (World(tmp_path / "delta"), World(tmp_path / "pg", database=tables)):
        prepare(world, *EXPORTS)
        world.run(1, *EXPORTS)
        chance, clock = Random(7), Clock(NOON)  # noqa: S311 - no secret
        for name in sorted(EXPORTS):
            rows = [make(name, chance, clock, during(2)) for _ in range(30)]
            keys = SOURCE_TABLES[name].identity
            world.commit(
                name, *{tuple(row.get(k) for k in keys): row for row in rows}.values(), at=during(2)
            )
        world.run(2, *EXPORTS)
        found.append(world)
    delta, postgres = found
    assert len(delta.names()) > len(EXPORTS) * 2
    same = 0
    for sync_id in ("a", "b"):
        assert delta.names(sync_id) == postgres.names(sync_id)
        for name in delta.names(sync_id):
            one, other = (world.folder(sync_id) / name for world in found)
            if one.read_bytes() != other.read_bytes():
                # First files are in the order in which a source holds its rows.
                assert parse_name(name).sequence == 1
                assert "chngs" not in name
                assert read_schema(one).equals(read_schema(other), check_metadata=True)
                assert counted(one) == counted(other)
            else:
                same += 1
    # How many first files lie in one order is chance; all later ones are equal, one per export.
    assert same >= len(EXPORTS)
    tables.source.server.close()
