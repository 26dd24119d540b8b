"""Encoding calls: rows of many workspaces into files per workspace and type, in one pass (C1).

Files roll over by rows alone. A row that cannot be understood is held back with a reason.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from cio_pipeline.contracts.exports.calls import CALL_TYPES, calls_fingerprint, type_export
from cio_pipeline.files.call_files import CallFile
from cio_pipeline.files.call_rows import Call, call_row
from cio_pipeline.files.encode import Encoded, SpooledFile
from cio_pipeline.files.failures import UNREADABLE, unread
from cio_pipeline.files.fit import Shape, named_errors
from cio_pipeline.files.spool import Spool, sha256_of
from cio_pipeline.model.json_text import NotJson
from cio_pipeline.model.plans import QuarantinedRow, Series
from cio_pipeline.model.times import OUT_OF_RANGE

BATCH = 10_000
"""Rows that are read at a time."""

COLUMNS = ("workspace_id", "call_id", "type", "received_at", "payload", "identity")
"""What is read of each row, `identity` as quarantine names it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class CallFormat:
    """How files of calls are written: csv, json or parquet, and the unit of Parquet's times."""

    name: str
    unit: str
    rows_per_file: int

    @property
    def fingerprint(self) -> str:
        """What readers depend on."""
        return calls_fingerprint(self.name, self.unit)


@dataclass
class _Kind:
    """The files of one workspace and type: those that are done, and the one under way."""

    done: list[SpooledFile] = field(default_factory=list[SpooledFile])
    file: CallFile | None = None
    times: list[datetime] = field(default_factory=list[datetime])


@dataclass
class _Pass:
    """One pass over the rows, which come workspace by workspace."""

    how: CallFormat
    spool: Spool
    folder: str
    asked: Collection[tuple[int, str]]
    workspace: int | None = None
    kinds: dict[str, _Kind] = field(default_factory=dict[str, _Kind])
    files: list[SpooledFile] = field(default_factory=list[SpooledFile])
    rejected: Counter[tuple[int, str, str]] = field(default_factory=Counter[tuple[int, str, str]])
    delivered: set[tuple[int, str]] = field(default_factory=set[tuple[int, str]])

    def take(self, row: tuple[Any, ...]) -> None:
        """Write one row (COLUMNS, its time in microseconds), or hold it back whatever it holds."""
        workspace, call_id, kind, received_at, payload, identity = row
        if workspace != self.workspace:
            self.finish()
            self.workspace = workspace
        try:
            call = Call(call_id, kind, _received(received_at), payload)
            kind = kind_of(call)
            written = call_row(call, kind, self.how.name, self.how.unit)
        except UNREADABLE as error:
            self.rejected[workspace, identity, reason_of(error)] += 1
            return
        self._add(kind, written, call)
        if (workspace, identity) in self.asked:
            self.delivered.add((workspace, identity))

    def _add(self, name: str, row: dict[str, Any], call: Call) -> None:
        kind = self.kinds.setdefault(name, _Kind())
        if kind.file is None:
            kind.file = self._open(name, len(kind.done))
            kind.times = [call.received_at, call.received_at]
        kind.times = [min(kind.times[0], call.received_at), max(kind.times[1], call.received_at)]
        kind.file.add(row, len(call.payload))
        if kind.file.rows >= self.how.rows_per_file:
            self._close(name, kind)

    def _open(self, name: str, index: int) -> CallFile:
        path = self.spool.folder(self.folder) / f"{self.workspace}-{name}-{index}.{self.how.name}"
        return CallFile(path, type_export(name), self.how.name, self.how.unit, self.how.fingerprint)

    def _close(self, name: str, kind: _Kind) -> None:
        if kind.file is None:
            return
        kind.file.close()
        path = kind.file.path
        kind.done.append(
            SpooledFile(
                workspace_id=self.workspace or 0,
                series=Series.PLAIN,
                index=len(kind.done),
                path=f"{self.folder}/{path.name}",
                rows=kind.file.rows,
                bytes=path.stat().st_size,
                sha256=sha256_of(path),
                min_time=kind.times[0] if kind.times else None,
                max_time=kind.times[1] if kind.times else None,
                kind=name,
            )
        )
        kind.file, kind.times = None, []

    def finish(self) -> None:
        """Close the files of the workspace under way."""
        for name in CALL_TYPES:
            if name in self.kinds:
                self._close(name, self.kinds[name])
                self.files += self.kinds[name].done
        self.kinds = {}

    def drop(self) -> None:
        """Let go of the files under way."""
        for kind in self.kinds.values():
            if kind.file is not None:
                kind.file.drop()

    def fill(self, workspaces: Iterable[int]) -> None:
        """Empty files for the types that workspaces have no row of (`write_empty`)."""
        have = {(file.workspace_id, file.kind) for file in self.files}
        for workspace in workspaces:
            self.workspace = workspace
            for name in CALL_TYPES:
                if (workspace, name) not in have:
                    self.kinds[name] = _Kind(file=self._open(name, 0))
            self.finish()


def encode_calls(
    rows: pl.LazyFrame,
    how: CallFormat,
    *,
    spool: Spool,
    folder: str,
    asked: Collection[tuple[int, str]] = (),
    filled: Collection[int] = (),
) -> Encoded:
    """Write `rows` (COLUMNS, sorted by workspace) into the spool's `folder`, emptied first.

    `filled` are workspaces that get a file of every type. `index` counts the files of a workspace
    and type from 0. Raises DiskFull and the source's errors; nothing is left in the folder then.
    """
    spool.discard(folder)
    spool.folder(folder)
    work = _Pass(how, spool, folder, frozenset(asked))
    shape = Shape(type_export(CALL_TYPES[0]), 0, how.unit, how.rows_per_file)
    try:
        with named_errors(rows, shape):
            for row in _rows(rows):
                work.take(row)
            work.finish()
            work.fill(sorted(filled))
    except BaseException:
        work.drop()
        spool.discard(folder)
        raise
    files = sorted(work.files, key=lambda file: (file.workspace_id, file.index, file.kind))
    rejected = tuple(QuarantinedRow(*key, n) for key, n in sorted(work.rejected.items()))
    return Encoded(tuple(files), rejected, frozenset(work.delivered))


def _rows(rows: pl.LazyFrame) -> Iterator[tuple[Any, ...]]:
    # Not as Python's times, which cannot be all that a column may hold.
    chosen = rows.select(COLUMNS).with_columns(pl.col("received_at").to_physical())
    for batch in chosen.collect_batches(chunk_size=BATCH, maintain_order=True, engine="streaming"):
        yield from batch.iter_rows()


def _received(micros: int | None) -> Any:
    """When a call was received; raises NotACall for a time that no reader can hold (D26)."""
    if micros is None:
        return None
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        raise NotACall(f"received_at {OUT_OF_RANGE}") from None


def kind_of(call: Call) -> str:
    """The type of a call in the seed's spelling; raises ValueError if the row lacks what it must.

    Rows of a source may break its contract: any of the values may be null.
    """
    told: dict[str, object] = dict(vars(call))
    missing = [name for name, value in told.items() if value is None]
    if missing:
        raise NotACall(f"{missing[0]} is required and null")
    kind = call.type.strip().lower()
    if kind not in CALL_TYPES:
        raise NotACall(f"type is none of {', '.join(CALL_TYPES)}")
    return kind


class NotACall(ValueError):
    """The row itself is wrong, not its payload."""


def reason_of(error: BaseException) -> str:
    """Why a row is held back, without its values."""
    if isinstance(error, NotACall):
        return str(error)
    if isinstance(error, NotJson):
        return f"payload {error}"
    return unread(error)
