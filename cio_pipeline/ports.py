"""What the use cases need of tables and of stores: protocols, as each has several adapters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeAlias

import polars as pl

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.model.cuts import Cut, Look, TableCut, TableSlice
from cio_pipeline.model.objects import ObjectInfo, Permission
from cio_pipeline.model.slices import Part
from cio_pipeline.model.sync import Sync


class Source(Protocol):
    """Tables that can be read as they were at a cut."""

    def look(self, table: SourceTable, at: datetime, after: Cut | None, now: datetime) -> Look:
        """What of a table was committed before `at`, not lower than `after`; `now` is our clock.

        A commit that names a time later than when it was first seen counts as committed then (by
        `after`, if that has seen it, else now), unless it does so on purpose. Raises SourceGone if
        there is no source, VersionGone, SourceUnavailable, SourceError.
        """
        ...

    def columns(self, tables: Iterable[SourceTable]) -> Mapping[str, Mapping[str, str]]:
        """All columns of tables as they are now, with their types in the source's own words.

        Those that are read are named as declared. A table that is not there, or cannot be looked
        at, is left out. Cheap: no row is read. Raises SourceGone, SourceUnavailable.
        """
        ...

    def changes(
        self,
        table: SourceTable,
        lower: TableCut,
        upper: TableCut,
        part: Part | None = None,
        workspaces: Collection[int] | None = None,
    ) -> pl.LazyFrame:
        """Netted changes in `(lower, upper]`, or a slice: one row per identity that differs.

        Columns: the table's declared ones (dtypes of the contract), then CHANGE, VERSION,
        COMMITTED_AT, GREW, AGAIN. `new`/`changed` rows hold the state at `upper`, `deleted` ones
        that at `lower`. Not sorted. A slice is netted for itself, and has the rows of the
        `workspaces`. Raises ColumnMismatch, VersionGone.
        """
        ...

    def changed_rows(self, table: SourceTable, lower: TableCut, upper: TableCut) -> int:
        """How many changes there are in `(lower, upper]` before netting, at most.

        Cheap: no row is read. Raises VersionGone, SourceUnavailable, SourceError.
        """
        ...

    def blocks(
        self, table: SourceTable, lower: TableCut, upper: TableCut, rows: int
    ) -> pl.DataFrame:
        """How many of these changes each workspace has where; see `changesets.parts.blocks_of`.

        Reads three columns at most. Raises what `feed` does.
        """
        ...

    def feed(
        self,
        table: SourceTable,
        lower: TableCut,
        upper: TableCut,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pl.DataFrame]:
        """The changes in `(lower, upper]` before netting, in pieces that fit in memory.

        Columns: the declared ones and those of `changesets.netting.FEED`, or some of them. Raises
        ColumnMismatch, VersionGone, SourceUnavailable, SourceError.
        """
        ...

    def snapshot(
        self,
        table: SourceTable,
        cut: TableCut,
        part: TableSlice | None = None,
        workspaces: Collection[int] | None = None,
    ) -> pl.LazyFrame:
        """All rows of a table at a cut, or one slice; declared columns only, in a fixed order.

        Rows of other `workspaces` may be missing, if some are given.
        Raises ColumnMismatch, VersionGone.
        """
        ...

    def slices(self, table: SourceTable, cut: TableCut, rows: int) -> Sequence[TableSlice]:
        """A snapshot as slices of at most `rows` rows, one at least, which follow one another.

        Always the same for a cut and a number of rows, and cheap: no row is read. Some rows that
        are counted may be deleted ones. Raises VersionGone, SourceUnavailable, SourceError.
        """
        ...

    def rows_at_once(self, table: SourceTable, cut: TableCut) -> int | None:
        """How many rows of a snapshot are best held in memory at once; None for what fills a file.

        About that many; it may be another number later. Raises SourceUnavailable, SourceError.
        """
        ...

    def rows_by_workspace(self, table: SourceTable, cut: TableCut) -> pl.LazyFrame:
        """How many rows each workspace has at a cut, as `workspace_id` and `len`.

        Raises as `snapshot` does.
        """
        ...

    def beside(
        self, found: Mapping[str, TableCut], told: Mapping[str, TableCut]
    ) -> Mapping[str, TableCut]:
        """A cut's tables as `look` has `found` them, by what is `told` of others in that cut.

        A source that knows times has found them as they were. One that does not has found what is
        there now, and goes by the moment that the others were cut at.
        """
        ...


class Destination(Protocol):
    """A sync's place in a store. Keys are relative to its path and are checked here.

    Every method raises typed errors only (model.errors) with secrets scrubbed.
    """

    def await_turn(self) -> None:
        """Return once the next object may be put, where so many a second are asked for (O8).

        What puts an object waits by itself; who would hold something meanwhile waits first.
        """
        ...

    def put(self, key: str, file: Path, sha256: str, *, synced: bool = False) -> None:
        """Create an object from a file, never overwriting.

        An object that is already there with the same bytes counts as success; any other raises
        ObjectConflict. `synced` promises that the file is durable, and that all names on its disk
        are made so afterwards, before anybody counts on the object.
        """
        ...

    def put_bytes(self, key: str, body: bytes) -> None:
        """The same for a small body."""
        ...

    def get(self, key: str) -> bytes:
        """A small object's bytes; raises ObjectMissing."""
        ...

    def download(self, key: str, to: Path) -> None:
        """Copy an object into a local file, streamed; raises ObjectMissing."""
        ...

    def sha256(self, key: str) -> str:
        """The digest of an object's bytes, streamed; raises ObjectMissing."""
        ...

    def list(self, prefix: str = "") -> Iterable[ObjectInfo]:
        """All objects below a folder prefix, in key order."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there counts as success."""
        ...

    def overwrite(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Write a small JSON object with metadata, in place of what lies there (M1, M4).

        Metadata names are those of S3; a store that cannot hold one adapts it. It lies there once
        `make_durable` was called for its key.
        """
        ...

    def make_durable(self, keys: Iterable[str]) -> None:
        """Return once what was overwritten lies there and outlives a loss of power.

        Many at once cost less. Of one key the last one lies there.
        """
        ...

    def replace(self, key: str, file: Path, sha256: str) -> None:
        """Write an object from a file in place of what lies there, with the metadata that it has.

        In one step: readers see the old bytes or the new ones. Raises ObjectMissing.
        """
        ...

    def announce(self) -> None:
        """What a store wants written before the first file of a sync's run (`cio-validate`)."""
        ...

    def permissions(self) -> Sequence[Permission]:
        """Each permission that a sync needs, tried out and left as it was found.

        Never raises: what cannot be tried has its error as `detail`.
        """
        ...

    def describe(self) -> str:
        """Where this is, for people: no secrets."""
        ...


Destinations: TypeAlias = Callable[[Sync], Destination]
"""Opens a sync's destination."""
