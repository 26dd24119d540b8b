"""`cio-pipeline warehouse csv`: the rows of a table, for what reads no Parquet."""

import sys
from typing import Annotated

import polars as pl
import typer

from cio_pipeline.cli.parameters import Stems, stems_of
from cio_pipeline.reader.feed import Feed
from cio_pipeline.reader.tables import ROW


def csv(
    place: Annotated[str, typer.Argument(help="Folder, s3://bucket/path or az://container/path.")],
    table: Annotated[str, typer.Argument(help="Name of the table.")],
    stems: Stems = None,
) -> None:
    """Write all rows of a table as CSV to standard output, as PostgreSQL's COPY reads it.

    In the order in which rows count, with a last column that numbers them. Lists are PostgreSQL's
    arrays, times are UTC; an empty field is null, a quoted one the empty text.
    """
    rows = Feed(place, stems=stems_of(stems)).changes(table)
    schema = rows.collect_schema()
    lists = [name for name, dtype in schema.items() if isinstance(dtype, pl.List)]
    numbered = rows.with_columns(*(_array(name) for name in lists)).with_row_index(ROW)
    numbered.select(*schema.names(), ROW).sink_csv(sys.stdout.buffer, include_header=False)


def _array(name: str) -> pl.Expr:
    """A list of texts as the text of an array."""
    quoted = pl.element().str.replace_all(r'(["\\])', r"\$1")
    inner = pl.col(name).list.eval(pl.format('"{}"', quoted).fill_null("NULL")).list.join(",")
    return (pl.lit("{") + inner + pl.lit("}")).alias(name)
