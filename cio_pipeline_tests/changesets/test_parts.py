"""How changes fall into slices: a promise to open plans, in every process and release."""

from zlib import crc32

import polars as pl
import pytest

from cio_pipeline.changesets.netting import COMMIT_VERSION
from cio_pipeline.changesets.parts import belongs, blocks_of, key_of, stretches_of
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.contracts.tables.feeds import ARRIVAL
from cio_pipeline.model.slices import HashBucket, Stretch


def test_d6_the_bucket_of_a_row_is_the_same_in_every_release() -> None:
    rows = pl.DataFrame(
        {"name": ["p1", "ü", "", None], "number": [1, -7, 2**62, None]},
        schema={"name": pl.String, "number": pl.Int64},
    )
    keys = rows.select(key_of(("name", "number"))).to_series()
    assert keys.dtype == pl.UInt32()
    assert keys.to_list() == [4082564739, 2967375769, 4139947310, 1594548856]
    assert keys[0] == crc32(b"p1\x1f1")


@pytest.mark.parametrize("number", [1, 2, 7])
def test_d6_each_row_is_in_one_bucket(number: int) -> None:
    rows = pl.DataFrame({"id": [f"e{n}" for n in range(1000)]})
    found = [rows.filter(belongs(HashBucket(at, number, ("id",)))) for at in range(number)]
    assert pl.concat(found).sort("id").equals(rows.sort("id"))
    assert min(one.height for one in found) > 600 // number


@pytest.mark.parametrize("export", EXPORTS)
def test_d6_all_changes_of_a_row_and_all_rows_of_an_entity_fall_into_one_bucket(
    export: str,
) -> None:
    """So netting sees all of a row, and an entity's rows stay in their order."""
    declared = EXPORTS[export]
    assert set(declared.entity_key) <= set(SOURCE_TABLES[declared.source].identity)


@pytest.mark.parametrize("rows", [1, 5, 16, 50, 1000])
def test_d6_stretches_follow_one_another_and_hold_few_rows(rows: int) -> None:
    arrivals = [(version, at) for version in range(5) for at in [*range(60), None]]
    feed = pl.DataFrame(
        {
            "workspace_id": [1] * len(arrivals),
            COMMIT_VERSION: [version for version, _ in arrivals],
            ARRIVAL: [at for _, at in arrivals],
        }
    ).sample(fraction=1, shuffle=True, seed=7)
    blocks = pl.concat(blocks_of(batch, rows) for batch in feed.iter_slices(40))
    found = [feed.filter(belongs(part)) for part in stretches_of(blocks, rows)]
    order = [COMMIT_VERSION, ARRIVAL]
    in_order = [one.sort(order, nulls_last=True) for one in found]
    assert pl.concat(in_order).equals(feed.sort(order, nulls_last=True))
    assert all(1 <= one.height <= rows for one in found)


def test_d6_no_changes_are_one_stretch() -> None:
    feed = pl.DataFrame(schema={"workspace_id": pl.Int64, COMMIT_VERSION: pl.Int64})
    assert stretches_of(blocks_of(feed, 10), 10) == [Stretch()]
