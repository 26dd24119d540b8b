"""A Delta table's change feed as a lazy frame that is read batch by batch when it is collected."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast

import polars as pl
from deltalake import DeltaTable
from polars.io.plugins import register_io_source

from cio_pipeline.changesets.netting import CHANGE_TYPE, COMMIT_TIME, COMMIT_VERSION
from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.sources.errors import no_change_feed, translate

_ADDED: Mapping[str, pl.DataType] = {
    CHANGE_TYPE: pl.String(),
    COMMIT_VERSION: pl.Int64(),
    COMMIT_TIME: pl.Datetime("us", "UTC"),
}
"""What a change feed adds to a table's columns."""


def feed(
    found: DeltaTable,
    table: SourceTable,
    selected: list[pl.Expr],
    times: Mapping[int, datetime],
) -> pl.LazyFrame:
    """The changes of the versions in `times`, as `changesets.netting` wants them.

    `selected` gives the declared columns from those of the table, `times` the time of each
    version. Rows come in another order each time. Collecting raises VersionGone for versions whose
    files or log entries were removed. Raises SourceError if the table has no change feed.
    """
    versions = range(min(times), max(times) + 1)
    if not has_change_feed(found):
        raise no_change_feed(table.name, versions[-1])
    schema = {**source_schema(table), **_ADDED}
    expressions = dict(zip(source_schema(table), selected, strict=True))
    expressions[CHANGE_TYPE] = pl.col(CHANGE_TYPE)
    expressions[COMMIT_VERSION] = pl.col(COMMIT_VERSION).cast(pl.Int64)
    expressions[COMMIT_TIME] = _time_of_version(times)

    def read(
        columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        _batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        wanted = columns or list(schema)
        stored = {root for name in wanted for root in expressions[name].meta.root_names()}
        for batch in _batches(found, table.name, versions, stored | {COMMIT_VERSION}):
            rows = batch.select(expressions[name] for name in wanted)
            rows = rows if predicate is None else rows.filter(predicate)
            rows = rows if n_rows is None else rows.head(n_rows)
            n_rows = None if n_rows is None else n_rows - rows.height
            yield rows
            if n_rows == 0:
                return

    return register_io_source(read, schema=schema)


def has_change_feed(found: DeltaTable) -> bool:
    """Whether a table's change feed is on."""
    return found.metadata().configuration.get("delta.enableChangeDataFeed", "").lower() == "true"


def _batches(
    found: DeltaTable, table: str, versions: range, stored: set[str]
) -> Iterator[pl.DataFrame]:
    # Quoted, since deltalake parses names as SQL and stumbles over one like `from`.
    columns = [f'"{name}"' for name in sorted(stored)]
    try:
        reader = found.load_cdf(versions[0], versions[-1], columns=columns)
        for batch in cast("Iterator[Any]", reader):
            yield pl.DataFrame(batch)
    except Exception as error:
        raise (translate(error, table, versions[-1]) or error) from error


def _time_of_version(times: Mapping[int, datetime]) -> pl.Expr:
    known = pl.Series(list(times.values()), dtype=pl.Datetime("us", "UTC"))
    version = pl.col(COMMIT_VERSION).cast(pl.Int64)
    return version.replace_strict(pl.Series(list(times)), known).alias(COMMIT_TIME)
