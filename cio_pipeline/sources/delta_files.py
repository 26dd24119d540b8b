"""The files of a Delta table at a version, in a fixed order, and which of them a slice reads."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, cast
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable

from cio_pipeline.pipeline.ports import TableSlice


@dataclass(frozen=True)
class FileRows:
    """`rows` rows of a file from its row `start` on; all of them from there if `rows` is None."""

    uri: str
    start: int = 0
    rows: int | None = None

    @property
    def whole(self) -> bool:
        """Whether the whole file is meant."""
        return self.start == 0 and self.rows is None


def sliced(total: int, rows: int) -> list[TableSlice]:
    """`total` rows as the fewest slices of at most `rows`, of equal size but for one row."""
    number = max(1, -(-total // rows))
    ends = [total * at // number for at in range(number + 1)]
    return [TableSlice(*pair) for pair in pairwise(ends)]


def counted(found: DeltaTable, count: Callable[[str], int]) -> list[tuple[str, int]]:
    """(file, rows stored in it) by name; `count` is asked where the log does not tell."""
    actions = pl.DataFrame(cast("Any", found.get_add_actions(flatten=True)))
    paths: list[str] = actions["path"].to_list()
    known = actions["num_records"].to_list() if "num_records" in actions.columns else []
    told: dict[str, int] = {
        uri: rows
        for uri, path, rows in zip(found.file_uris(), paths, known, strict=False)
        # Both lists come in one order; should that change, the files are asked.
        if uri.endswith(unquote(path)) and rows is not None
    }
    return [(uri, told[uri] if uri in told else count(uri)) for uri in sorted(found.file_uris())]


def within(files: Sequence[tuple[str, int]], part: TableSlice) -> Iterator[FileRows]:
    """What a slice reads of counted files, in their order."""
    ends = accumulate(rows for _, rows in files)
    for (uri, rows), end in zip(files, ends, strict=True):
        start = max(0, part.start - (end - rows))
        stop = min(rows, part.stop - (end - rows))
        if start >= stop:
            continue
        yield FileRows(uri) if (start, stop) == (0, rows) else FileRows(uri, start, stop - start)
