"""The files of one workspace and type of calls, which roll over by rows alone (C1)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from cio_pipeline.files.call_files import CallFile
from cio_pipeline.files.encode import SpooledFile
from cio_pipeline.files.spool import sha256_of
from cio_pipeline.model.plans import Series
from cio_pipeline.model.times import moment

CHUNK_ROWS = 10_000
CHUNK_CHARACTERS = 16 * 2**20
"""What is held in memory of one file: so many rows, or fewer that are large. A chunk depends on the
rows alone, so that the same rows give the same bytes in any process."""


@dataclass
class CallSeries:
    """Files that are done, and the one under way; `open_file` begins the next, by its index.

    `chunk`, of so many rows and characters, is written to it next; `times` are the first and the
    last of the file (microseconds since 1970).
    """

    workspace: int
    kind: str
    rows_per_file: int
    open_file: Callable[[int], CallFile]
    done: list[SpooledFile] = field(default_factory=list[SpooledFile])
    file: CallFile | None = None
    chunk: list[pl.DataFrame] = field(default_factory=list[pl.DataFrame])
    held: int = 0
    characters: int = 0
    times: list[int] = field(default_factory=list[int])

    def add(self, calls: pl.DataFrame, table: pl.DataFrame) -> None:
        """Rows (`call_table`) of calls, of which `received_at` and `characters` are told."""
        while calls.height:
            count = self._hold(calls, table)
            calls, table = calls[count:], table[count:]
            if self._rows() >= self.rows_per_file:
                self.close()
            elif self.held >= CHUNK_ROWS or self.characters >= CHUNK_CHARACTERS:
                self._write()

    def begin(self) -> None:
        """A file, even if nothing comes."""
        self.file = self.open_file(len(self.done))

    def close(self) -> None:
        """The file under way is whole then."""
        if self.chunk:
            self._write()
        if self.file is None:
            return
        self.file.close()
        path = self.file.path
        self.done.append(
            SpooledFile(
                workspace_id=self.workspace,
                series=Series.PLAIN,
                index=len(self.done),
                path=f"{path.parent.name}/{path.name}",
                rows=self.file.rows,
                bytes=path.stat().st_size,
                sha256=sha256_of(path),
                min_time=moment(self.times[0]) if self.times else None,
                max_time=moment(self.times[1]) if self.times else None,
                kind=self.kind,
            )
        )
        self.file, self.times = None, []

    def drop(self) -> None:
        """Let go of the file under way."""
        if self.file is not None:
            self.file.drop()

    def _rows(self) -> int:
        return self.held + (self.file.rows if self.file else 0)

    def _hold(self, calls: pl.DataFrame, table: pl.DataFrame) -> int:
        """As many of the first rows as chunk and file still take; how many these are."""
        room = min(CHUNK_ROWS - self.held, self.rows_per_file - self._rows())
        sizes = calls["characters"].head(room).cum_sum() + self.characters
        count = min(len(sizes), int((sizes < CHUNK_CHARACTERS).sum()) + 1)
        self.chunk.append(table.head(count))
        self.held, self.characters = self.held + count, sizes[count - 1]
        times: Any = calls["received_at"].head(count)
        found = [*self.times, times.min(), times.max()]
        self.times = [min(found), max(found)]
        return count

    def _write(self) -> None:
        rows = pl.concat(self.chunk, rechunk=True)
        self.chunk, self.held, self.characters = [], 0, 0
        self.file = self.file or self.open_file(len(self.done))
        self.file.write(rows)
