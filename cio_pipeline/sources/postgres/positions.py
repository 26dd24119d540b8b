"""Positions: a snapshot of the database, and where a table's rows then lay.

A snapshot is what `pg_current_snapshot()` tells: `xmin:xmax:running,…`. Snapshots of one database
contain one another, so how many transactions have ended orders them, and tells them apart.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from psycopg.sql import SQL, Composable, Composed, Literal

from cio_pipeline.model.cuts import TableCut, TableSlice
from cio_pipeline.model.errors import SourceError

_SNAPSHOT = re.compile(r"(\d+):(\d+):((?:\d+(?:,\d+)*)?)")
END = 0xFFFFFFFE
"""No block of a table comes after it."""

_FILE = re.compile(r"(\d+)/(\d+)/(\d+)(?:/(\d+))?")


@dataclass(frozen=True)
class Snapshot:
    """Which transactions had ended: all below `xmin`, none from `xmax` on, no `running` one."""

    xmin: int
    xmax: int
    running: tuple[int, ...] = ()

    @property
    def ended(self) -> int:
        """How many transactions had ended: grows from snapshot to snapshot, if one did."""
        return self.xmax - len(self.running)

    def sees(self, xid: int) -> bool:
        """Whether a transaction had ended."""
        return xid < self.xmax and xid not in self.running

    def __str__(self) -> str:
        return f"{self.xmin}:{self.xmax}:{','.join(map(str, self.running))}"


def snapshot_of(text: str) -> Snapshot:
    """The inverse of str(snapshot); ValueError for anything else."""
    found = _SNAPSHOT.fullmatch(text)
    if found is None:
        raise ValueError("this is no snapshot")
    running = tuple(map(int, found[3].split(","))) if found[3] else ()
    return Snapshot(int(found[1]), int(found[2]), running)


@dataclass(frozen=True)
class Piece:
    """Blocks `[start, stop)` of a table or partition: `oid`, stored in `filenode`.

    What lay behind the `last` one belongs to it: the file may have been cut off, or emptied, after
    the snapshot and before its blocks were counted. `guard` is what keeps the rows of a partition:
    another trigger each time that it is attached; 0 if that is not known.
    """

    oid: int
    filenode: int
    start: int
    stop: int
    last: bool = True
    guard: int = 0

    def __str__(self) -> str:
        """As a whole file in a position."""
        return f"{self.oid}/{self.filenode}/{self.stop}" + (f"/{self.guard}" if self.guard else "")


@dataclass(frozen=True)
class Position:
    """A snapshot, and the `files` of a table then, in a fixed order; none of a view.

    `density` is how many rows a block holds, roughly.
    """

    snapshot: Snapshot
    density: int = 1
    files: tuple[Piece, ...] = ()

    def __str__(self) -> str:
        return " ".join((str(self.snapshot), str(self.density), *map(str, self.files)))

    @cached_property
    def blocks(self) -> int:
        """How many blocks the table had."""
        return sum(one.stop for one in self.files)

    def slices(self, rows: int) -> list[TableSlice]:
        """The blocks in the fewest equal slices of about `rows` rows at most, one at least."""
        each = max(1, rows // self.density)
        number = max(1, -(-self.blocks // each))
        ends = [self.blocks * at // number for at in range(number + 1)]
        return [TableSlice(ends[at], ends[at + 1]) for at in range(number)]

    def pieces(self, part: TableSlice | None) -> list[Piece]:
        """What a slice reads, or all."""
        found: list[Piece] = []
        before = 0
        for one in self.files:
            start, stop = (part.start, part.stop) if part else (0, self.blocks)
            start, stop = max(start - before, 0), min(stop - before, one.stop)
            here = part is None or part.start <= before < part.stop + (part.stop == self.blocks)
            if start < stop or (one.stop == 0 and here):
                found.append(Piece(one.oid, one.filenode, start, stop, last=stop == one.stop))
            before += one.stop
        return found


def attached(lower: Position, upper: Position) -> list[int]:
    """The partitions that came between two positions, by oid: made then, or attached, also again.

    While one is detached, nothing tells of what becomes of its rows.
    """
    before = {one.oid: one.guard for one in lower.files}

    def stayed(one: Piece) -> bool:
        known = before.get(one.oid)
        return known is not None and (known == one.guard or 0 in (known, one.guard))

    return sorted(one.oid for one in upper.files if not stayed(one))


def filenodes(pieces: Iterable[Piece]) -> dict[int, int]:
    """Which file each table or partition is stored in, by oid."""
    return {one.oid: one.filenode for one in pieces}


def position_of(table: str, cut: TableCut) -> Position:
    """What a cut says of a table. Raises SourceError if it is none of this source."""
    try:
        snapshot, density, *files = (cut.snapshot or "").split(" ")
        found = [_FILE.fullmatch(one) for one in files]
        pieces = (
            Piece(int(one[1]), int(one[2]), 0, int(one[3]), guard=int(one[4] or 0))
            for one in found
            if one
        )
        return Position(snapshot_of(snapshot), int(density), tuple(pieces))
    except ValueError:
        raise SourceError(
            f"The position of table {table} is none of a PostgreSQL database.",
            "Set CIO_SOURCE back to the source that the syncs were served from, or register them "
            "under new ids.",
        ) from None


def at_one_moment(
    found: Mapping[str, TableCut], told: Mapping[str, TableCut]
) -> dict[str, TableCut]:
    """Tables that were looked at later than others of their cut, at the moment of those.

    Their files are those of now: rows that lay elsewhere then are found among the earlier ones. One
    that is told may have stood still since an earlier moment: then nothing was sent of it.
    """
    known = [(name, cut) for name, cut in told.items() if cut.snapshot is not None]
    if not known:
        return dict(found)
    name, newest = max(known, key=lambda one: one[1].version)
    moment = position_of(name, newest).snapshot

    def then(name: str, cut: TableCut) -> TableCut:
        if cut.version <= moment.ended or _server(cut) != _server(newest):
            return cut
        position = replace(position_of(name, cut), snapshot=moment)
        return TableCut(cut.table_id, moment.ended, str(position))

    return {name: then(name, cut) for name, cut in found.items()}


def _server(cut: TableCut) -> list[str]:
    """The server, its timeline, and the database."""
    return cut.table_id.split("-")[:3]


def seen(xid: Composable, by: Snapshot) -> Composed:
    """SQL: whether a snapshot sees what a transaction wrote; null stands for one of long ago."""
    return SQL("({0} IS NULL OR {0} < {1} OR pg_visible_in_snapshot({0}, {2}))").format(
        xid, _xid(by.xmin), _literal(by)
    )


def unseen(xid: Composable, by: Snapshot) -> Composed:
    """SQL: whether it does not; the first part is what an index finds."""
    return SQL("({0} >= {1} AND NOT pg_visible_in_snapshot({0}, {2}))").format(
        xid, _xid(by.xmin), _literal(by)
    )


def between(xid: Composable, lower: Snapshot, upper: Snapshot) -> Composed:
    """SQL: whether the upper snapshot sees it, and the lower does not; by an index."""
    return SQL("({0} AND {1} < {2} AND pg_visible_in_snapshot({1}, {3}))").format(
        unseen(xid, lower), xid, _xid(upper.xmax), _literal(upper)
    )


def _xid(number: int) -> Composed:
    return SQL("{}::xid8").format(Literal(str(number)))


def _literal(snapshot: Snapshot) -> Composed:
    return SQL("{}::pg_snapshot").format(Literal(str(snapshot)))
