"""What a warehouse holds, compared with what the feed gives."""

from pathlib import Path
from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from cio_pipeline.reader import Feed


def rows(db: Any, relation: str) -> pl.DataFrame:
    """All rows of a table or view without what the loader added, in an order of their own."""
    found = pl.DataFrame(db.sql(f"FROM {relation}").to_arrow_table())
    return ordered(found.drop("_file", "_row", strict=False))


def ordered(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of any types in an order of their own."""
    return frame.sort(pl.struct(pl.all()).map_elements(repr, pl.String)) if frame.height else frame


def same(db: Any, place: Path, schema: str = "acme") -> None:
    """The warehouse holds what the feed gives: all rows, and the newest ones."""
    feed = Feed(place)
    for table in feed.tables():
        if not feed.files(table.name):
            continue
        every = feed.changes(table.name, replays=True).collect()
        newest = feed.table(table.name).collect()
        assert_frame_equal(rows(db, f'"{schema}"."{table.name}"'), ordered(every))
        assert_frame_equal(rows(db, f'"{schema}"."{table.name}_newest"'), ordered(newest))
    told = db.execute(
        "SELECT table_name, sum(rows) FROM _cio.files WHERE schema_name = ? GROUP BY 1", [schema]
    ).fetchall()
    for name, count in told:
        assert rows(db, f'"{schema}"."{name}"').height == count
