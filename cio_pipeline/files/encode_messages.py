"""Encoding messages: rows of many workspaces into one pack of objects per workspace (M1, M2).

A message that cannot become an object is held back with a reason; the others go on.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from cio_pipeline.contracts.declare import Export
from cio_pipeline.files.encode import Encoded, Shape, SpooledFile, named_errors
from cio_pipeline.files.message_keys import KeyTemplate
from cio_pipeline.files.message_objects import MessageObject, NoObject, as_object, read_message
from cio_pipeline.files.message_pack import BODIES, PackWriter
from cio_pipeline.files.panics import UNREADABLE
from cio_pipeline.files.spool import Spool
from cio_pipeline.files.system_errors import unread
from cio_pipeline.model.plans import QuarantinedRow, Series

BATCH = 1_000
"""Rows that are read at a time."""

COLUMNS = ("workspace_id", "message_id", "timestamp", "metadata", "payload", "identity")
"""What is read of each row, `identity` as quarantine names it."""


@dataclass
class _Pass:
    """One pass over the rows, which come workspace by workspace."""

    template: KeyTemplate
    spool: Spool
    folder: str
    asked: Collection[tuple[int, str]]
    workspace: int | None = None
    pack: PackWriter | None = None
    index: int = 0
    files: list[SpooledFile] = field(default_factory=list[SpooledFile])
    rejected: Counter[tuple[int, str, str]] = field(default_factory=Counter[tuple[int, str, str]])
    delivered: set[tuple[int, str]] = field(default_factory=set[tuple[int, str]])

    def take(self, row: tuple[Any, ...]) -> None:
        """Write one object, or hold its message back, whatever it holds."""
        workspace, message_id, timestamp, metadata, payload, identity = row
        if workspace != self.workspace:
            self.close()
            self.workspace, self.index = workspace, 0
        try:
            one = self._object(message_id, timestamp, metadata, payload)
        except UNREADABLE as error:
            reason = str(error) if isinstance(error, NoObject) else unread(error)
            self.rejected[workspace, identity, reason] += 1
            return
        self._add(workspace, one)
        if (workspace, identity) in self.asked:
            self.delivered.add((workspace, identity))

    def _object(
        self,
        message_id: str | None,
        timestamp: str | None,
        metadata: str | None,
        payload: str | None,
    ) -> MessageObject:
        if message_id is None or payload is None:
            missing = "message_id" if message_id is None else "payload"
            raise NoObject(f"{missing} is required and null")
        return as_object(read_message(message_id, timestamp, metadata, payload), self.template)

    def _add(self, workspace: int, one: MessageObject) -> None:
        name = f"{workspace}{BODIES}"
        if self.pack is None:
            self.pack = PackWriter(self.spool.folder(self.folder) / name)
        self.files.append(
            SpooledFile(
                workspace_id=workspace,
                series=Series.PLAIN,
                index=self.index,
                path=f"{self.folder}/{name}",
                rows=1,
                bytes=len(one.body),
                sha256=self.pack.add(one),
                min_time=one.at,
                max_time=one.at,
                kind=one.key,
            )
        )
        self.index += 1

    def close(self) -> None:
        """Close the pack of the workspace under way."""
        if self.pack is not None:
            self.pack.close()
            self.pack = None


def encode_messages(
    rows: pl.LazyFrame,
    template: KeyTemplate,
    export: Export,
    *,
    spool: Spool,
    folder: str,
    asked: Collection[tuple[int, str]] = (),
) -> Encoded:
    """Write `rows` (COLUMNS, sorted by workspace) into the spool's `folder`, emptied first.

    One file per message, of which `kind` is the key and `path` the pack that holds it with the
    others of its workspace, in their order. Raises DiskFull and the source's errors; nothing is
    left in the folder then.
    """
    spool.discard(folder)
    work = _Pass(template, spool, folder, frozenset(asked))
    try:
        with named_errors(rows, Shape(export, 0, "us", 1)):
            for row in _rows(rows):
                work.take(row)
            work.close()
    except BaseException:
        work.close()
        spool.discard(folder)
        raise
    rejected = tuple(QuarantinedRow(*key, n) for key, n in sorted(work.rejected.items()))
    return Encoded(tuple(work.files), rejected, frozenset(work.delivered))


def _rows(rows: pl.LazyFrame) -> Iterator[tuple[Any, ...]]:
    chosen = rows.select(COLUMNS)
    for batch in chosen.collect_batches(chunk_size=BATCH, maintain_order=True, engine="streaming"):
        yield from batch.iter_rows()
