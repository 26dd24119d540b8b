"""Rows as frames that fit in memory, in an order that is the same whenever they are read."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from cio_pipeline.model.cuts import TableSlice
from cio_pipeline.sources.postgres.catalog import Relation
from cio_pipeline.sources.postgres.connect import Rows, Server
from cio_pipeline.sources.postgres.errors import named
from cio_pipeline.sources.postgres.positions import Piece, Position
from cio_pipeline.sources.postgres.statements import (
    TID,
    current_rows,
    earlier_rows,
    rows_of_view,
)

_polars: Any = pl
"""Untyped where Polars' own annotations name libraries without types."""


def lazily(
    schema: Mapping[str, pl.DataType], pieces: Callable[[Sequence[str]], Iterator[pl.DataFrame]]
) -> pl.LazyFrame:
    """Frames with some columns of a schema as one that is read when it is collected."""

    def read(
        columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        _batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        left = n_rows
        wanted = list(schema) if columns is None else columns
        asked = wanted if predicate is None else [*schema]
        for batch in pieces(asked):
            chosen = batch if predicate is None else batch.filter(predicate)
            chosen = chosen.select(wanted)
            yield chosen if left is None else chosen.head(left)
            left = None if left is None else left - min(left, chosen.height)
            if left == 0:
                return

    return register_io_source(read, schema=dict(schema))


def frames(
    server: Server, table: str, statement: str, schema: Mapping[str, pl.DataType]
) -> Iterator[pl.DataFrame]:
    """What a statement gives; an empty frame at least. Raises the source's errors."""
    yield pl.DataFrame(schema=schema)
    with named(table), server.reading() as rows:
        yield from _frames(rows, statement, schema)


def _frames(
    rows: Rows, statement: str, schema: Mapping[str, pl.DataType]
) -> Iterator[pl.DataFrame]:
    for batch in rows.of(statement):
        yield _polars.from_arrow(batch).cast(dict(schema))


def rows_at(
    server: Server,
    relation: Relation,
    at: Position,
    part: TableSlice | None,
    *,
    workspaces: Collection[int] | None,
    schema: Mapping[str, pl.DataType],
) -> Iterator[pl.DataFrame]:
    """A relation's rows at a position, or of a slice of it, in the order in which they lay then."""
    columns = list(schema)
    yield pl.DataFrame(schema=schema)
    with named(relation.table.name), server.reading() as rows:
        if relation.is_view:
            statement = rows_of_view(relation, at, columns, workspaces)
            yield from _frames(rows, statement.as_string(), schema)
            return
        for piece in _present(relation, at.pieces(part)):
            yield from _of_piece(rows, relation, piece, at, workspaces=workspaces, schema=schema)


def _present(relation: Relation, pieces: Sequence[Piece]) -> Iterator[Piece]:
    """The pieces; a whole file that was written anew meanwhile is read to its end of now."""
    now = {one.oid: one for one in relation.leaves}
    for piece in pieces:
        found = now.get(piece.oid)
        if found is None or found.filenode == piece.filenode:
            yield piece
        else:
            stop = max(piece.stop, found.stop)
            yield Piece(piece.oid, found.filenode, piece.start, stop)


def _of_piece(
    rows: Rows,
    relation: Relation,
    piece: Piece,
    at: Position,
    *,
    workspaces: Collection[int] | None,
    schema: Mapping[str, pl.DataType],
) -> Iterator[pl.DataFrame]:
    columns, placed = list(schema), {**schema, TID: pl.Int64()}
    statement = earlier_rows(relation, piece, at, columns, workspaces).as_string()
    # They were changed since the position was taken: few.
    earlier = pl.concat([pl.DataFrame(schema=placed), *_frames(rows, statement, placed)])
    current = current_rows(relation, piece, at, columns, workspaces, placed=not earlier.is_empty())
    if earlier.is_empty() and current is not None:
        yield from _frames(rows, current.as_string(), schema)
        return
    for batch in _frames(rows, current.as_string(), placed) if current is not None else ():
        before = earlier.filter(pl.col(TID) <= batch[TID][-1]) if batch.height else earlier.clear()
        earlier = earlier.tail(earlier.height - before.height)
        yield pl.concat([batch, before]).sort(TID).select(columns)
    yield earlier.select(columns)
