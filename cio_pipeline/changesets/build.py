"""The rows that an export sends, as lazy frames, and those that it holds back.

The steps are the same for all exports: the served workspaces, the age limit, the export's own
rule (rules.py), anonymising (D4), the contract's checks (quarantine.py), order, types. Nothing but
people is read here; all else runs in Polars' streaming engine.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from cio_pipeline.changesets.counted import Passing
from cio_pipeline.changesets.held_to import breach, held_to
from cio_pipeline.changesets.quarantine import checks_of, is_wrong, reason_of, rejected
from cio_pipeline.changesets.rules import IS_GONE, PERSON, RULES, Note, Reading
from cio_pipeline.conforming.columns import InForce, empty, hidden
from cio_pipeline.contracts.declare import Export, History, TableKind
from cio_pipeline.contracts.dtypes import polars_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.changeset import CHANGE, COMMITTED_AT, DELETED, NEW, SERIES, VERSION
from cio_pipeline.model.plans import Mode, Series

_GONE = "_gone"


def about_people(export: Export) -> bool:
    """Whether the rows of an export concern people, or are people."""
    return any(column.personal for column in export.columns)


def without_anonymous(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """Rows without those that hold nothing but news of people who are to stay anonymous.

    First files of people tell by themselves who is current.
    """
    export = reading.export
    if not about_people(export) or export.history is not History.CURRENT:
        return frame
    if not reading.initial:
        anonymous = reading.anonymous
        if anonymous is None:
            return frame
        return frame.join(anonymous, on=PERSON, how="anti", maintain_order="left")
    if export.source == "people":
        return frame
    known = frame.filter(pl.col(PERSON[-1]).is_not_null())
    return known.with_columns(_gone(reading)).filter(~pl.col(_GONE)).drop(_GONE)


def anonymised(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """Rows in their order, personal columns emptied where they are about people who are gone.

    Exports of current values (people, attributes) leave out such people altogether. A retry may
    send rows that were held back in an initial export. Where the source has no people at all,
    nobody is known to be gone.
    """
    if not about_people(reading.export) or reading.export.history is History.CURRENT:
        return frame
    if reading.mode in {Mode.INITIAL, Mode.RETRY} and "people" in reading.joins:
        marked = frame.with_columns(_gone(reading))
    elif reading.anonymous is not None:
        marked = frame.with_columns(_is_among(reading.anonymous).alias(_GONE))
    else:
        return frame
    return emptied(marked, reading.export, reading.version, pl.col(_GONE)).drop(_GONE)


def _current(reading: Reading) -> pl.LazyFrame:
    """The current people.

    Who is not among the people any more was deleted from the source itself, which nobody can tell
    from `people`: so current people are looked for, not gone ones.
    """
    return reading.join("people").filter(~IS_GONE)


def _gone(reading: Reading) -> pl.Expr:
    """Whether a row is about somebody who is not among the current people, noted if asked for."""
    gone = pl.col(PERSON[-1]).is_not_null() & ~_is_among(_current(reading))
    return (_noted(gone, reading.note) if reading.note else gone).alias(_GONE)


def _is_among(people: pl.LazyFrame) -> pl.Expr:
    """Whether a row is about one of some people, who are read now.

    An Enum is a dictionary that is made once, and it tells texts apart, not their hashes. A join
    would copy all columns of the rows, which takes as long as reading them.
    """
    # A workspace is a number: no two people have the same text.
    name = pl.concat_str(PERSON[0], pl.lit(":"), PERSON[1])
    names = people.select(name).drop_nulls().unique().collect(engine="streaming").to_series()
    return name.cast(pl.Enum(names), strict=False).is_not_null()


def emptied(frame: pl.LazyFrame, export: Export, version: int, gone: pl.Expr) -> pl.LazyFrame:
    """The personal columns emptied in rows about somebody who is `gone`."""
    dtypes = polars_schema(export, version)
    return frame.with_columns(
        pl.when(gone).then(empty(c, dtypes[c.name])).otherwise(pl.col(c.name)).alias(c.name)
        for c in export.columns_of(version)
        if c.personal
    )


def _noted(gone: pl.Expr, note: Note) -> pl.Expr:
    """The same, and whoever is `gone` is told.

    In the pass that is made anyway: another one over all history would cost a tenth of it.
    """

    def see(rows: pl.Series) -> pl.Series:
        about = rows.struct.unnest()
        people = about.filter(_GONE).select(PERSON).unique()
        if not people.is_empty():
            note(people)
        return about[_GONE]

    seen = pl.struct(*PERSON, gone.alias(_GONE))
    return seen.map_batches(see, return_dtype=pl.Boolean(), is_elementwise=True)


_UTC = pl.Datetime("us", "UTC")
_TICKS = {"us": timedelta(microseconds=1), "ms": timedelta(milliseconds=1)}


@dataclass(frozen=True)
class Changeset:
    """What one read of one export gives.

    `rows`: the contract's columns in order and type, then SERIES. `rejected`: workspace_id
    (Int64), identity (String), reason (String), count (UInt32). `total`: how many rows both have
    together, once `rows` were read.
    """

    rows: pl.LazyFrame
    rejected: pl.LazyFrame
    total: Callable[[], int]


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
    terms: InForce | None = None,
) -> Changeset:
    """What an export sends to these workspaces (D1, D3, D4), held to a data contract's terms (O1).

    `driving` is a snapshot for INITIAL and RETRY, netted changes otherwise. `joins` are snapshots
    of `export.joins` at the upper cut, without tables that do not exist yet. `floor` is
    the earliest processed_at, inclusive. `anonymous` are people (workspace_id,
    internal_customer_id) whom later files do not name; `note` is told of them as the rows of first
    files are read. Rows without a workspace are nobody's: they
    match no filter and show up neither in `rows` nor in `rejected`. All but initial rows are
    sorted. Raises what reading people raises.
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
        terms,
    )
    rows = _sendable(driving.filter(served), reading, floor)
    # After the rule: whom first files leave out for another reason is not noted.
    rows = without_anonymous(RULES[export.name](rows, reading), reading)
    held = held_to(rows, reading, terms) if terms else rows
    return _checked(anonymised(held, reading), reading, timestamp_unit)


def _checked(rows: pl.LazyFrame, reading: Reading, timestamp_unit: str) -> Changeset:
    """Rows that keep the contract, and those that do not."""
    passing = Passing()
    checks = [*checks_of(reading.export, reading.version)]
    if reading.terms is not None:
        checks.append(breach())
    sent = _sent(passing.watch(rows).filter(~is_wrong(checks)), reading, timestamp_unit)
    return Changeset(
        sent,
        rejected(rows.with_columns(reason_of(checks)), reading.export, timestamp_unit),
        passing.total,
    )


def _sendable(frame: pl.LazyFrame, reading: Reading, floor: datetime | None) -> pl.LazyFrame:
    """Rows with their change; rows gone from the source only where an export can say so.

    Within the age limit: those without a time stay, to be held back by the contract.
    """
    if floor is not None:
        processed = pl.col("processed_at")
        is_recent = processed >= pl.lit(floor, dtype=_UTC)
        frame = frame.filter(is_recent | processed.is_null())
    if reading.mode in {Mode.INITIAL, Mode.RETRY}:
        return frame.with_columns(
            pl.lit(NEW).alias(CHANGE),
            pl.lit(0, dtype=pl.Int64).alias(VERSION),
            pl.lit(None, dtype=_UTC).alias(COMMITTED_AT),
        )
    if SOURCE_TABLES[reading.export.source].kind is TableKind.APPEND_ONLY:
        return frame.filter(pl.col(CHANGE) == NEW)
    return frame if reading.export.split else frame.filter(pl.col(CHANGE) != DELETED)


def _sent(frame: pl.LazyFrame, reading: Reading, timestamp_unit: str) -> pl.LazyFrame:
    """The contract's columns and types, and the series.

    By workspace and entity, an entity's rows oldest first; initial ones in the source's order. Of
    rows that are equally new, the one that was committed later comes last.
    """
    export = reading.export
    if not reading.initial:
        newest = () if export.newest_by is None else (export.newest_by,)
        keys = ["workspace_id", *export.entity_key, *newest, VERSION, *export.row_key]
        frame = frame.sort(list(dict.fromkeys(keys)))
    schema = polars_schema(export, reading.version, timestamp_unit)
    series = pl.col(SERIES) if export.split else pl.lit(Series.PLAIN.value).alias(SERIES)
    typed = frame.select(*(pl.col(name).cast(kind) for name, kind in schema.items()), series)
    if reading.terms is None:
        return typed
    return typed.with_columns(hidden(reading.terms, export.columns_of(reading.version), schema))
