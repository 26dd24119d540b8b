"""Rows as frames that fit in memory, in an order that is the same whenever they are read."""

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from cio_pipeline.model.cuts import TableSlice
from cio_pipeline.sources.postgres.catalog import Relation
from cio_pipeline.sources.postgres.connect import Rows, Server
from cio_pipeline.sources.postgres.errors import named
from cio_pipeline.sources.postgres.positions import END, Piece, Position, snapshot_of
from cio_pipeline.sources.postgres.statements import (
    SERVER,
    TID,
    current_rows,
    earlier_rows,
    files_of,
    kept_since,
    rows_of_view,
)
from cio_pipeline.sources.postgres.whole import pruned, require_in_place, require_server

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
        told = wanted if predicate is None else [*wanted, *predicate.meta.root_names()]
        asked = [name for name in schema if name in told]
        for batch in pieces(asked):
            chosen = batch if predicate is None else batch.filter(predicate)
            chosen = chosen.select(wanted)
            yield chosen if left is None else chosen.head(left)
            left = None if left is None else left - min(left, chosen.height)
            if left == 0:
                return

    return register_io_source(read, schema=dict(schema))


def frames(
    server: Server,
    relation: Relation,
    statement: str,
    schema: Mapping[str, pl.DataType],
    oldest: int,
) -> Iterator[pl.DataFrame]:
    """What a statement gives; an empty frame at least. Raises the source's errors.

    `oldest` is the version of the earliest position that it asks for.
    """
    yield pl.DataFrame(schema=schema)
    with _reading(server, relation, oldest) as rows:
        yield from _frames(rows, statement, schema)


@contextmanager
def _reading(server: Server, relation: Relation, oldest: int) -> Generator[Rows]:
    """Rows of a moment in which the position was still kept. Raises VersionGone if it was not."""
    table, installed = relation.table.name, relation.installation
    with named(table), server.reading(relation.place.as_string()) as rows:
        (there,) = rows.values(SERVER)
        require_server(relation, there["system"], there["wal"])
        if installed is not None:
            found = list(rows.values(kept_since(installed.id)))
            if not found or snapshot_of(found[0]["kept_since"]).ended > oldest:
                raise pruned(table)
        yield rows


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
    with _reading(server, relation, at.snapshot.ended) as rows:
        if relation.is_view:
            statement = rows_of_view(relation, at, columns, workspaces)
            yield from _frames(rows, statement.as_string(), schema)
            return
        pieces = at.pieces(part)
        now = {one["oid"]: one["filenode"] for one in rows.values(files_of(pieces))}
        if part is not None:
            require_in_place(relation.table.name, pieces, now)
        for piece in _present(pieces, now):
            yield from _of_piece(rows, relation, piece, at, workspaces=workspaces, schema=schema)


def _present(pieces: Sequence[Piece], now: Mapping[int, int]) -> Iterator[Piece]:
    """The pieces; a whole file that was written anew meanwhile is read wherever its rows lie."""
    for piece in pieces:
        filenode = now.get(piece.oid, piece.filenode)
        stop = piece.stop if filenode == piece.filenode else END
        yield replace(piece, filenode=filenode, stop=stop)


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
