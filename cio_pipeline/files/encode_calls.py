"""Encoding calls: rows of many workspaces into files per workspace and type, in one pass (C1).

A row that cannot be understood is held back with a reason.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from cio_pipeline.conforming.columns import InForce
from cio_pipeline.contracts.declare import CURRENT_VERSION
from cio_pipeline.contracts.exports.calls import CALL_TYPES, calls_fingerprint, type_export
from cio_pipeline.files.call_files import CallFile
from cio_pipeline.files.call_members import Members, taken_apart
from cio_pipeline.files.call_series import CallSeries
from cio_pipeline.files.call_table import call_table
from cio_pipeline.files.call_terms import table_under
from cio_pipeline.files.encode import Encoded, Shape, SpooledFile, named_errors
from cio_pipeline.files.footers import entries
from cio_pipeline.files.panics import UNREADABLE
from cio_pipeline.files.spool import Spool
from cio_pipeline.files.system_errors import unread
from cio_pipeline.model.json_text import NotJson
from cio_pipeline.model.plans import PRODUCER, QuarantinedRow
from cio_pipeline.model.times import EARLIEST, LATEST, OUT_OF_RANGE, micros

BATCH = 40_000
CHARACTERS = 32 * 2**20
"""Rows that are read at a time, fewer if they are large."""

COLUMNS = ("workspace_id", "call_id", "type", "received_at", "payload", "identity")
"""What is read of each row, `identity` as quarantine names it."""

_EARLIEST, _LATEST = map(micros, (EARLIEST, LATEST))


@dataclass(frozen=True)
class CallFormat:
    """How files of calls are written: csv, json or parquet, and the unit of Parquet's times."""

    name: str
    unit: str
    rows_per_file: int
    producer: str = PRODUCER

    @property
    def fingerprint(self) -> str:
        """What readers depend on."""
        return calls_fingerprint(self.name, self.unit)


class _Written(NamedTuple):
    """Calls of one type, and their rows."""

    kind: str
    calls: pl.DataFrame
    table: pl.DataFrame


@dataclass
class _Pass:
    """One pass over the rows, which come workspace by workspace."""

    how: CallFormat
    spool: Spool
    folder: str
    asked: frozenset[tuple[int, str]]
    terms: InForce | None = None
    workspace: int | None = None
    series: dict[str, CallSeries] = field(default_factory=dict[str, CallSeries])
    files: list[SpooledFile] = field(default_factory=list[SpooledFile])
    rejected: Counter[tuple[int, str, str]] = field(default_factory=Counter[tuple[int, str, str]])
    delivered: set[tuple[int, str]] = field(default_factory=set[tuple[int, str]])

    def take(self, rows: pl.DataFrame) -> None:
        """Write rows (COLUMNS, times in microseconds), or hold them back whatever they hold."""
        judged = rows.with_columns(_kinds(rows["type"])).with_columns(_reason())
        wrong = judged.filter(pl.col("reason").is_not_null())
        for row in wrong.select("workspace_id", "identity", "reason").iter_rows():
            self.rejected[row] += 1
        calls = judged.filter(pl.col("reason").is_null())
        calls = calls.with_columns(characters=pl.col("payload").str.len_chars().cast(pl.Int64))
        kinds = calls.partition_by("kind", maintain_order=True)
        self._share_out([one for some in kinds for one in self._written(some)])

    def _written(self, calls: pl.DataFrame) -> list[_Written]:
        """The rows of calls of one type; those of which none can be made are held back."""
        parts, failed = taken_apart(calls["payload"])
        calls = calls.with_row_index("row").drop("payload")
        for number, error in failed.items():
            self._hold_back(calls[number], error)
        kind: str = calls["kind"][0]
        made = [one for members in parts for one in self._tables(calls, members, kind)]
        if len(made) < 2:  # noqa: PLR2004 - nothing to be put in order
            return made
        own, table = (pl.concat(frames) for frames in zip(*(one[1:] for one in made), strict=True))
        order = own["row"].arg_sort()
        return [_Written(kind, own[order], table[order])]

    def _tables(self, calls: pl.DataFrame, members: Members, kind: str) -> Iterator[_Written]:
        """The rows of some calls; those of which none can be made are held back."""
        own = calls[members.rows]
        try:
            own, table = self._table(own, members, kind)
        except UNREADABLE as error:
            if own.height == 1:
                self._hold_back(own, error)
                return
            half = own.height // 2
            for part in (members.part(0, half), members.part(half, own.height)):
                yield from self._tables(calls, part, kind)
        else:
            yield _Written(kind, own, table)

    def _table(
        self, calls: pl.DataFrame, members: Members, kind: str
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The calls that keep the data contract, if there is one, and their rows."""
        how = self.how.name, self.how.unit
        if self.terms is None:
            return calls, call_table(calls, members, kind, *how)
        table, broken = table_under(self.terms, calls, members, kind, how)
        held = calls.with_columns(broken.alias("reason")).filter(broken.is_not_null())
        for row in held.select("workspace_id", "identity", "reason").iter_rows():
            self.rejected[row] += 1
        return calls.filter(broken.is_null()), table.filter(broken.is_null())

    def _share_out(self, written: list[_Written]) -> None:
        """Rows to the files of their workspaces, which end with the next one's first row."""
        runs = [
            (workspace, one.kind, one.calls[start:end], one.table[start:end])
            for one in written
            for workspace, start, end in _runs(one.calls["workspace_id"])
        ]
        for workspace, kind, calls, table in sorted(runs, key=lambda run: run[0]):
            if workspace != self.workspace:
                self.finish()
                self.workspace = workspace
            self._series(kind).add(calls, table)
            if self.asked:
                pairs = calls.select("workspace_id", "identity").iter_rows()
                self.delivered |= self.asked.intersection(pairs)

    def _hold_back(self, call: pl.DataFrame, error: BaseException) -> None:
        ((workspace, identity),) = call.select("workspace_id", "identity").iter_rows()
        self.rejected[workspace, identity, reason_of(error)] += 1

    def _series(self, kind: str) -> CallSeries:
        """The files of the workspace under way, of one type."""
        if kind not in self.series:
            how, workspace = self.how, self.workspace or 0
            stem = self.spool.folder(self.folder) / f"{workspace}-{kind}"

            def opened(index: int) -> CallFile:
                path = stem.with_name(f"{stem.name}-{index}.{how.name}")
                export = type_export(kind)
                about = entries(export.name, CURRENT_VERSION, how.fingerprint, how.producer)
                return CallFile(path, export, how.name, how.unit, about)

            self.series[kind] = CallSeries(workspace, kind, how.rows_per_file, opened)
        return self.series[kind]

    def finish(self) -> None:
        """Close the files of the workspace under way."""
        for kind in CALL_TYPES:
            if kind in self.series:
                self.series[kind].close()
                self.files += self.series[kind].done
        self.series = {}

    def drop(self) -> None:
        """Let go of the files under way."""
        for one in self.series.values():
            one.drop()

    def fill(self, workspaces: Iterable[int]) -> None:
        """Empty files for the types that workspaces have no row of (`write_empty`)."""
        have = {(file.workspace_id, file.kind) for file in self.files}
        for workspace in workspaces:
            self.workspace = workspace
            for kind in CALL_TYPES:
                if (workspace, kind) not in have:
                    self._series(kind).begin()
            self.finish()


def encode_calls(
    rows: pl.LazyFrame,
    how: CallFormat,
    *,
    spool: Spool,
    folder: str,
    asked: Collection[tuple[int, str]] = (),
    filled: Collection[int] = (),
    terms: InForce | None = None,
) -> Encoded:
    """Write `rows` (COLUMNS, sorted by workspace) into the spool's `folder`, emptied first.

    `filled` are workspaces that get a file of every type, `terms` those of a data contract. `index`
    counts the files of a workspace and type from 0. Raises DiskFull and the source's errors;
    nothing is left in the folder then.
    """
    spool.discard(folder)
    spool.folder(folder)
    work = _Pass(how, spool, folder, frozenset(asked), terms)
    shape = Shape(type_export(CALL_TYPES[0]), 0, how.unit, how.rows_per_file)
    try:
        with named_errors(rows, shape):
            for batch in _batches(rows):
                work.take(batch)
            work.finish()
            work.fill(sorted(filled))
    except BaseException:
        work.drop()
        spool.discard(folder)
        raise
    files = sorted(work.files, key=lambda file: (file.workspace_id, file.index, file.kind))
    rejected = tuple(QuarantinedRow(*key, n) for key, n in sorted(work.rejected.items()))
    return Encoded(tuple(files), rejected, frozenset(work.delivered))


def _batches(rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Some thousand rows at a time, fewer of large ones."""
    # Not as Python's times, which cannot be all that a column may hold.
    chosen = rows.select(COLUMNS).with_columns(pl.col("received_at").to_physical())
    size = pl.col("payload").str.len_bytes().fill_null(0).cast(pl.Int64)
    for batch in chosen.collect_batches(chunk_size=BATCH, maintain_order=True, engine="streaming"):
        parts = batch.select(size.cum_sum() // CHARACTERS).to_series()
        for _, start, end in _runs(parts):
            yield batch[start:end]


def _runs(values: pl.Series) -> Iterator[tuple[int, int, int]]:
    """Value, start and end of each run of equal values."""
    start = 0
    for length, value in values.rle().struct.unnest().iter_rows():
        yield value, start, start + length
        start += length


def _kinds(types: pl.Series) -> pl.Series:
    """Types in the seed's spelling, null for what is none."""
    told = {name: name.strip().lower() for name in types.unique().drop_nulls()}
    known = {name: kind for name, kind in told.items() if kind in CALL_TYPES}
    return types.replace_strict(known, default=None, return_dtype=pl.String).alias("kind")


def _reason() -> pl.Expr:
    """Why a row is no call, null if it is one.

    Rows of a source may break its contract: any value may be null, and a time none that a reader
    can hold (D26).
    """
    outside = ~pl.col("received_at").is_between(_EARLIEST, _LATEST)
    found = pl.when(outside).then(pl.lit(f"received_at {OUT_OF_RANGE}"))
    for name in ("call_id", "type", "received_at", "payload"):
        found = found.when(pl.col(name).is_null()).then(pl.lit(f"{name} is required and null"))
    wrong = pl.lit(f"type is none of {', '.join(CALL_TYPES)}")
    return found.when(pl.col("kind").is_null()).then(wrong).alias("reason")


def reason_of(error: BaseException) -> str:
    """Why a payload is held back, without its values."""
    return f"payload {error}" if isinstance(error, NotJson) else unread(error)
