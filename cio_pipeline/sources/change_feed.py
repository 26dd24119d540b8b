"""The changes of a range of versions as a lazy frame that is read when it is collected.

deltalake's own change feed is not used: it reads other times than Polars does, inverts files that
come or go with a deletion vector, and misses partitions. Changes come through the same scan as
snapshots. A commit's `cdc` files tell them, if it has any. Else what it added was inserted, what it
removed was deleted; of a file that it both removed and added, the rows in which the deletion
vectors differ.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source
from pyroaring import BitMap64

from cio_pipeline.changesets.netting import (
    CHANGE_TYPE,
    COMMIT_TIME,
    COMMIT_VERSION,
    DELETE,
    FEED,
    INSERT,
)
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.feeds import rows_read_at_once
from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.errors import SourceError
from cio_pipeline.sources.deletion_vectors import deleted_rows, read_bytes
from cio_pipeline.sources.delta_errors import no_change_feed, vector_damaged
from cio_pipeline.sources.delta_log import Entry
from cio_pipeline.sources.delta_scan import (
    DataFile,
    FileRows,
    require_there,
    scan_files,
    with_facts,
)
from cio_pipeline.sources.delta_table import OpenTable
from cio_pipeline.sources.partition_values import partition_value
from cio_pipeline.sources.places import file_place, is_elsewhere

_CHANGE_FEED = "delta.enableChangeDataFeed"
_Action = dict[str, Any]
_Actions = Sequence[tuple[str, _Action]]

_SMALL = 1024 * 1024
_LEAST_BYTES = 4
"""What a row of a small file takes at least."""


@dataclass(frozen=True)
class Changed:
    """A file of a commit, and how its rows changed; None if they tell themselves."""

    file: DataFile
    version: int
    time: datetime
    change: str | None


@dataclass(frozen=True)
class _LoggedFiles:
    """How a table's log names files; `partitions` are those that are read, with their dtypes."""

    table: OpenTable
    partitions: Mapping[str, pl.DataType]

    def changed(self, entry: Entry, actions: _Actions) -> Iterator[Changed]:
        """The files with the changes of a commit; see the top. Raises SourceError."""
        told = [fields for kind, fields in actions if kind == "cdc"]
        files = (
            ((self._file(one, entry), None) for one in told)
            if told
            else self._differences(actions, entry)
        )
        for file, change in files:
            yield Changed(file, entry.version, entry.time, change)

    def _differences(self, actions: _Actions, entry: Entry) -> Iterator[tuple[DataFile, str]]:
        added, removed = (
            {fields["path"]: fields for kind, fields in actions if kind == wanted}
            for wanted in ("add", "remove")
        )
        for path in [*removed, *(path for path in added if path not in removed)]:
            some = [one[path] for one in (removed, added) if path in one]
            if not any(action.get("dataChange", True) for action in some):
                continue
            file = self._file(some[-1], entry)
            before, after = (self._deleted(one.get(path), entry) for one in (removed, added))
            if before is not None and after is not None:
                yield replace(file, chosen=_numbers(after - before)), DELETE
                yield replace(file, chosen=_numbers(before - after)), INSERT
            elif after is not None:
                yield replace(file, deleted=_numbers(after) if after else None), INSERT
            elif before is not None:
                yield replace(file, deleted=_numbers(before) if before else None), DELETE

    def _deleted(self, action: _Action | None, entry: Entry) -> BitMap64 | None:
        if action is None:
            return None
        try:
            read = partial(read_bytes, self.table.folder, self.table.storage_options)
            return deleted_rows(action.get("deletionVector"), read)
        except (ValueError, KeyError) as error:
            raise vector_damaged(entry.table, entry.version) from error

    def _file(self, action: _Action, entry: Entry) -> DataFile:
        path, stats = str(action["path"]), action.get("stats")
        rows = json.loads(stats).get("numRecords") if stats else None
        return DataFile(
            file_place(self.table.folder, path),
            self._values(action.get("partitionValues"), entry),
            None if rows is None else int(rows),
            elsewhere=is_elsewhere(path),
            bytes=action.get("size"),
        )

    def _values(self, texts: Mapping[str, str | None] | None, entry: Entry) -> dict[str, object]:
        if self.partitions and texts is None:
            raise self._odd(entry, "names files without their partition values")
        try:
            return {
                name: partition_value((texts or {})[name], dtype)
                for name, dtype in self.partitions.items()
            }
        except (ValueError, KeyError) as error:
            raise self._odd(entry, "has partition values of another type") from error

    def _odd(self, entry: Entry, what: str) -> SourceError:
        return SourceError(
            f"Version {entry.version} of table {entry.table} {what}.",
            "Register the syncs that still need it under new ids, once the table is whole.",
        )


def _feed_setting(actions: _Actions) -> bool | None:
    """Whether the change feed is on from a commit on; None if the commit does not say."""
    for kind, fields in actions:
        if kind == "metaData":
            return is_feed_on(fields.get("configuration") or {})
    return None


def is_feed_on(configuration: Mapping[str, str]) -> bool:
    """Whether a table's settings turn its change feed on."""
    return configuration.get(_CHANGE_FEED, "").lower() == "true"


def _numbers(rows: BitMap64) -> pl.Series:
    return pl.Series(list(rows), dtype=pl.UInt32)


def changed_files(
    table: OpenTable, lower: TableCut, before: Callable[[], OpenTable]
) -> list[Changed]:
    """The files with the changes after a cut, up to the version that was opened.

    Raises VersionGone for log entries that were removed, and SourceError for changes that were
    made while the table's change feed was off: they would cost as much as the files they are in.
    `before` opens the table at the cut, if the log does not tell whether it was on there.
    """
    partitions = table.delta.metadata().partition_columns
    logged = _LoggedFiles(table, {n: table.schema[n] for n in partitions if n in table.schema})
    on: bool | None = None
    changed: list[Changed] = []
    unsure, off_at = False, None
    try:
        for entry in table.log.entries(lower.version + 1, table.cut.version):
            actions = list(entry.actions())
            told = _feed_setting(actions)
            on = on if told is None else told
            files = list(logged.changed(entry, actions))
            if files and on is False:
                off_at = entry.version
                break
            unsure = unsure or bool(files and on is None)
            changed += files
    except Exception as error:
        raise table.told(error) from error
    if off_at is not None:
        raise no_change_feed(table.declared.name, off_at)
    if unsure:
        opened = table if on is None else before()
        if not is_feed_on(opened.delta.metadata().configuration):
            raise no_change_feed(table.declared.name, lower.version + 1)
    return changed


def feed(table: OpenTable, changed: Sequence[Changed]) -> pl.LazyFrame:
    """The rows of changed files, as `changesets.netting` wants them; in any order.

    Raises ColumnMismatch. Collecting raises VersionGone for files that were removed, SourceError.
    """
    _ = table.columns

    def read(
        columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        _batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        left = n_rows
        for batch in pieces(table, changed, columns=columns, predicate=predicate):
            yield batch if left is None else batch.head(left)
            left = None if left is None else left - min(left, batch.height)

    return register_io_source(read, schema={**source_schema(table.declared), **FEED})


def pieces(
    table: OpenTable,
    changed: Sequence[Changed],
    *,
    columns: Sequence[str] | None = None,
    predicate: pl.Expr | None = None,
) -> Iterator[pl.DataFrame]:
    """The same, one at least, each of which fits in memory.

    Polars reads a file's row group as a whole, and ahead of who takes it, unless it is asked for a
    part of it. Raises what collecting the feed does.
    """
    schema = {**source_schema(table.declared), **FEED}
    try:
        require_there([one.file for one in changed], table)
        for rows in chain([pl.LazyFrame(schema=schema)], _scans(table, changed)):
            chosen = rows if predicate is None else rows.filter(predicate)
            yield chosen.select(columns or list(schema)).collect(engine="streaming")
    except Exception as error:
        raise table.told(error) from error


def changed_rows(table: OpenTable, changed: Iterable[Changed]) -> int:
    """How many changes some files hold, deleted rows among them; small files count as full.

    Footers are asked where the log does not tell, as it never does of changes, but not for files
    that are small anyway. Raises VersionGone, SourceUnavailable, SourceError.
    """
    return sum(_rows_of(one.file, table.rows_in) for one in changed)


def _rows_of(file: DataFile, count: Callable[[str], int]) -> int:
    if file.chosen is not None:
        return len(file.chosen)
    if file.rows is None and file.bytes is not None and file.bytes < _SMALL:
        return file.bytes // _LEAST_BYTES
    return count(file.place) if file.rows is None else file.rows


def _scans(table: OpenTable, changed: Iterable[Changed]) -> Iterator[pl.LazyFrame]:
    most = rows_read_at_once(table.declared.name)
    for some, part in _in_pieces(changed, most, table.rows_in):
        own = some[0].change is None
        stored = {**table.schema, CHANGE_TYPE: pl.String()} if own else table.schema
        rows = scan_files([one.file for one in some], stored, table, part)
        added = {name: dtype for name, dtype in FEED.items() if not own or name != CHANGE_TYPE}
        rows = with_facts(rows, [(one.file.place, _facts(one)) for one in some], added)
        yield rows.select(*table.columns, *FEED)


def _in_pieces(
    changed: Iterable[Changed], most: int, count: Callable[[str], int]
) -> Iterator[tuple[list[Changed], FileRows | None]]:
    """Whole files together as long as they have few rows, parts of larger ones for themselves."""
    for group in _together(changed):
        small: list[Changed] = []
        held = 0
        for one in group:
            rows = _rows_of(one.file, count)
            if rows > most and one.file.chosen is None:
                yield from (([one], part) for part in _parts(one.file, most, count))
                continue
            if small and held + rows > most:
                yield small, None
                small, held = [], 0
            small.append(one)
            held += rows
        if small:
            yield small, None


def _parts(file: DataFile, most: int, count: Callable[[str], int]) -> Iterator[FileRows]:
    rows = count(file.place) if file.rows is None else file.rows
    for start in range(0, rows, most):
        yield FileRows(file.place, start, min(most, rows - start))


def _facts(one: Changed) -> dict[str, object]:
    return {CHANGE_TYPE: one.change, COMMIT_VERSION: one.version, COMMIT_TIME: one.time}


def _together(changed: Iterable[Changed]) -> Iterable[list[Changed]]:
    """The files that one scan can read: of one kind, and none twice."""
    seen: Counter[tuple[object, ...]] = Counter()
    groups: defaultdict[tuple[object, ...], list[Changed]] = defaultdict(list)
    for one in changed:
        if one.file.chosen is not None and one.file.chosen.is_empty():
            continue
        kind = (one.change is None, one.file.chosen is not None)
        seen[(*kind, one.file.place)] += 1
        groups[(*kind, seen[(*kind, one.file.place)])].append(one)
    return groups.values()
