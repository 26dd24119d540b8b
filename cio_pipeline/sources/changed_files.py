"""Which files hold the changes of a commit, and what a row of theirs means.

A commit's `cdc` files tell, if it has any. Else what it added was inserted, what it removed was
deleted; of a file that it both removed and added, the rows in which the deletion vectors differ.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl
from pyroaring import BitMap64

from cio_pipeline.changesets.netting import DELETE, INSERT
from cio_pipeline.model.errors import SourceError
from cio_pipeline.sources.deletion_vectors import Read, deleted_rows
from cio_pipeline.sources.delta_errors import vector_damaged
from cio_pipeline.sources.delta_log import Entry
from cio_pipeline.sources.delta_scan import DataFile
from cio_pipeline.sources.partition_values import partition_value
from cio_pipeline.sources.places import file_place, is_elsewhere

_CHANGE_FEED = "delta.enableChangeDataFeed"
_Action = dict[str, Any]
Actions = Sequence[tuple[str, _Action]]


@dataclass(frozen=True)
class Changed:
    """A file of a commit, and how its rows changed; None if they tell themselves."""

    file: DataFile
    version: int
    time: datetime
    change: str | None


@dataclass(frozen=True)
class LoggedFiles:
    """How the log of a table names files: their folder, and what tells rows and values.

    `partitions` are those that are read, with their dtypes.
    """

    table: str
    folder: str
    partitions: Mapping[str, pl.DataType]
    read: Read

    def changed(self, entry: Entry, actions: Actions) -> Iterator[Changed]:
        """The files with the changes of a commit; see the module. Raises SourceError."""
        told = [fields for kind, fields in actions if kind == "cdc"]
        files = (
            ((self._file(one, entry), None) for one in told)
            if told
            else self._differences(actions, entry)
        )
        for file, change in files:
            yield Changed(file, entry.version, entry.time, change)

    def _differences(self, actions: Actions, entry: Entry) -> Iterator[tuple[DataFile, str]]:
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
                yield replace(file, deleted=_marks(after)), INSERT
            elif before is not None:
                yield replace(file, deleted=_marks(before)), DELETE

    def _deleted(self, action: _Action | None, entry: Entry) -> BitMap64 | None:
        if action is None:
            return None
        try:
            return deleted_rows(action.get("deletionVector"), self.read)
        except (ValueError, KeyError) as error:
            raise vector_damaged(self.table, entry.version) from error

    def _file(self, action: _Action, entry: Entry) -> DataFile:
        path = str(action["path"])
        return DataFile(
            file_place(self.folder, path),
            self._values(action.get("partitionValues"), entry),
            _stored_rows(action),
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
            f"Version {entry.version} of table {self.table} {what}.",
            "Register the syncs that still need it under new ids, once the table is whole.",
        )


def feed_setting(actions: Actions) -> bool | None:
    """Whether the change feed is on from a commit on; None if the commit does not say."""
    for kind, fields in actions:
        if kind == "metaData":
            return is_feed_on(fields.get("configuration") or {})
    return None


def is_feed_on(configuration: Mapping[str, str]) -> bool:
    """Whether a table's settings turn its change feed on."""
    return configuration.get(_CHANGE_FEED, "").lower() == "true"


def _stored_rows(action: _Action) -> int | None:
    stats = action.get("stats")
    rows = json.loads(stats).get("numRecords") if stats else None
    return None if rows is None else int(rows)


def _numbers(rows: BitMap64) -> pl.Series:
    return pl.Series(list(rows), dtype=pl.UInt32)


def _marks(rows: BitMap64) -> pl.Series | None:
    return _numbers(rows) if rows else None
