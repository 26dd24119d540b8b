"""The rows that an export sends, as lazy frames, and those that it holds back.

The steps are the same for all exports: the served workspaces, the age limit, the export's own
rule (rules.py), anonymising (D4), the contract's checks (quarantine.py), order, types. Nothing is
read here; all of it runs in Polars' streaming engine.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from cio_pipeline.changesets.anonymise import anonymised, without_anonymous
from cio_pipeline.changesets.quarantine import REASON, is_wrong, reason_expr, rejected
from cio_pipeline.changesets.reading import Note, Reading
from cio_pipeline.changesets.rules import RULES
from cio_pipeline.contracts.declare import Export, TableKind
from cio_pipeline.contracts.dtypes import polars_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.changes import CHANGE, COMMITTED_AT, DELETED, NEW, SERIES, VERSION
from cio_pipeline.model.plans import Mode, Series

_UTC = pl.Datetime("us", "UTC")
_TICKS = {"us": timedelta(microseconds=1), "ms": timedelta(milliseconds=1)}


@dataclass(frozen=True)
class Changeset:
    """What one read of one export gives.

    `rows`: the contract's columns in order and type, then SERIES. `rejected`: workspace_id
    (Int64), identity (String), reason (String), count (UInt32). `total`: how many rows both have
    together, from few columns.
    """

    rows: pl.LazyFrame
    rejected: pl.LazyFrame
    total: pl.LazyFrame


def build(
    export: Export,
    version: int,
    timestamp_unit: str,
    mode: Mode,
    driving: pl.LazyFrame,
    *,
    joins: Mapping[str, pl.LazyFrame],
    workspaces: Collection[int],
    floor: datetime | None,
    anonymous: pl.DataFrame | None = None,
    note: Note | None = None,
) -> Changeset:
    """What an export sends to these workspaces (D1, D3, D4).

    `driving` is a snapshot for INITIAL and RETRY, netted changes otherwise. `joins` are snapshots
    of `export.joins` at the upper cut, without tables that do not exist yet. `floor` is
    the earliest processed_at, inclusive. `anonymous` are people (workspace_id,
    internal_customer_id) whom later files do not name; `note` is told of them as the rows of first
    files are read. Rows without a workspace are nobody's: they
    match no filter and show up neither in `rows` nor in `rejected`. All but initial rows are
    sorted.
    """
    served = pl.col("workspace_id").is_in(sorted(workspaces))
    reading = Reading(
        export,
        version,
        mode,
        _TICKS[timestamp_unit],
        {name: table.filter(served) for name, table in joins.items()},
        None if anonymous is None else anonymous.lazy(),
        note,
    )
    rows = _sendable(_recent(driving.filter(served), floor), reading)
    # After the rule: whom first files leave out for another reason is not noted.
    rows = without_anonymous(RULES[export.name](rows, reading), reading)
    total = rows.select(pl.len())
    rows = anonymised(rows, reading)
    checked = rows.with_columns(reason_expr(export, version).alias(REASON))
    good = rows.filter(~is_wrong(export, version))
    return Changeset(
        _typed(_ordered(good, reading), reading, timestamp_unit),
        rejected(checked, export, timestamp_unit),
        total,
    )


def _recent(frame: pl.LazyFrame, floor: datetime | None) -> pl.LazyFrame:
    """Rows within the age limit; those without a time stay, to be held back by the contract."""
    if floor is None:
        return frame
    processed = pl.col("processed_at")
    return frame.filter((processed >= pl.lit(floor, dtype=_UTC)) | processed.is_null())


def _sendable(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """Rows with their change; rows gone from the source only where an export can say so."""
    if reading.mode in {Mode.INITIAL, Mode.RETRY}:
        return frame.with_columns(
            pl.lit(NEW).alias(CHANGE),
            pl.lit(0, dtype=pl.Int64).alias(VERSION),
            pl.lit(None, dtype=_UTC).alias(COMMITTED_AT),
        )
    if SOURCE_TABLES[reading.export.source].kind is TableKind.APPEND_ONLY:
        return frame.filter(pl.col(CHANGE) == NEW)
    return frame if reading.export.split else frame.filter(pl.col(CHANGE) != DELETED)


def _ordered(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """By workspace and entity, an entity's rows oldest first; initial ones in the source's order.

    Of rows that are equally new, the one that was committed later comes last.
    """
    if reading.initial:
        return frame
    export = reading.export
    newest = () if export.newest_by is None else (export.newest_by,)
    keys: list[str] = ["workspace_id", *export.entity_key, *newest, VERSION, *export.row_key]
    distinct: dict[str, None] = dict.fromkeys(keys)
    return frame.sort(list(distinct))


def _typed(frame: pl.LazyFrame, reading: Reading, timestamp_unit: str) -> pl.LazyFrame:
    """The contract's columns and types, and the series."""
    export = reading.export
    schema = polars_schema(export, reading.version, timestamp_unit)
    series = pl.col(SERIES) if export.split else pl.lit(Series.PLAIN.value).alias(SERIES)
    return frame.select(*(pl.col(name).cast(kind) for name, kind in schema.items()), series)
