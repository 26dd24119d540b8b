"""Source rows in any number, vectorised and the same each time.

Rows are numbered: row `i` of a table belongs to workspace `i % workspaces + 1`, where it is number
`n = i // workspaces`. Its identity follows from that, so a later revision changes the same row.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import polars as pl

from cio_pipeline.contracts.declare import ColumnType, SourceColumn, SourceTable
from cio_pipeline.contracts.dtypes import source_schema
from cio_pipeline.contracts.source_tables import SOURCE_TABLES

PEOPLE = 100
"""People in each workspace; where there are more rows, several concern the same person."""

GONE = 50
"""One person in so many is deleted."""

_N = pl.col("n")
_KINDS = ["delivered", "opened", "clicked", "bounced", "converted"]
_AGENTS = [f"Mozilla/5.0 (Machine {n}; rv:1{n}) Browser/{n}.0" for n in range(20)]
_DOMAINS = ["gmail.com", "outlook.com", "yahoo.com", "icloud.com", "example.com"]

_BY_NAME: Mapping[str, pl.Expr] = {
    "people.internal_customer_id": pl.format("p{}", _N),
    "people.email": pl.format("person{}@example.com", _N),
    "people.deleted": _N % GONE == GONE - 1,
    "objects.internal_object_id": pl.format("o{}", _N),
    "attributes.attribute_name": pl.format("a{}", _N // PEOPLE),
    "object_attributes.attribute_name": pl.format("a{}", _N // PEOPLE),
    "object_types.object_type_id": _N + 1,
    "events.type": pl.lit("event"),
    "internal_customer_id": pl.format("p{}", _N % PEOPLE),
    "internal_object_id": pl.format("o{}", _N % PEOPLE),
    "attribute_value": pl.format('"value {}"', _N % 50),
    "properties": pl.concat_str(pl.lit('{"plan": "pro", "total": '), _N, pl.lit("}")),
    "object_type_id": _N % 5 + 1,
}
"""Columns that are not made from their type alone, by `table.column` or by column."""


def numbered(workspaces: int, first: int, count: int) -> pl.LazyFrame:
    """`workspace_id` and `n` of the rows with numbers `first` to `first + count` per workspace."""
    row = pl.int_range(first * workspaces, (first + count) * workspaces, dtype=pl.Int64, eager=True)
    return pl.LazyFrame({"row": row}).select(
        (pl.col("row") % workspaces + 1).alias("workspace_id"),
        (pl.col("row") // workspaces).alias("n"),
    )


def rows(table: SourceTable, places: pl.LazyFrame, at: datetime, revision: int = 1) -> pl.DataFrame:
    """The rows of a table at `numbered` places, as they are in a revision committed at `at`."""
    columns = [_column(table, column, at, revision) for column in table.columns]
    return places.select(columns).cast(source_schema(table)).collect()  # pyright: ignore[reportArgumentType]


def metrics(workspaces: int, first: int, count: int, at: datetime) -> pl.DataFrame:
    """Rows `first` to `first + count` of metrics, all workspaces mixed, of everyday variety.

    About 60 bytes a row on disk: ids do not compress, e-mail columns do.
    """
    row = pl.int_range(first, first + count, dtype=pl.Int64, eager=True)
    seen = pl.col("row").hash(1)
    email = seen % 4 != 0
    click = seen % 5 == 2  # noqa: PLR2004 - the place of `clicked` among the five kinds
    picked = {
        "workspace_id": pl.col("row") % workspaces + 1,
        "event_id": pl.format("01J{}", pl.col("row").hash(2)),
        "delivery_id": pl.format("dl{}", (pl.col("row") // 3).hash(3)),
        "internal_customer_id": pl.format("p{}", seen % PEOPLE),
        "channel": pl.when(email).then(pl.lit("email")).otherwise(pl.lit("push")),
        "metric": _pick(_KINDS, seen),
        "link_id": pl.when(click).then(seen % 1000),
        "link_url": pl.when(click).then(pl.format("https://shop.example/item/{}", seen % 1000)),
        "created_at": pl.lit(at) - pl.duration(seconds=seen % 2_000_000),
        "seq_num": pl.col("row") + 1,
        "proxied": seen % 9 == 0,
        "user_agent": _pick(_AGENTS, seen // 7),
        "email_client": pl.when(email).then(_pick(_AGENTS, seen // 11).str.slice(0, 11)),
        "inbox_domain": pl.when(email).then(_pick(_DOMAINS, seen // 13)),
        "inbox_provider": pl.when(email).then(_pick(_DOMAINS, seen // 13).str.split(".").list[0]),
        "mx_host": pl.when(email).then(pl.format("mx{}.example.com", seen % 8)),
    }
    schema = source_schema(SOURCE_TABLES["metrics"])
    columns = [
        picked.get(name, pl.lit(None)).cast(kind).alias(name) for name, kind in schema.items()
    ]
    return pl.LazyFrame({"row": row}).select(columns).collect()


def _pick(values: list[str], number: pl.Expr) -> pl.Expr:
    return (number % len(values)).replace_strict(dict(enumerate(values)), return_dtype=pl.String)


def _column(table: SourceTable, column: SourceColumn, at: datetime, revision: int) -> pl.Expr:
    if column.name == "workspace_id":
        return pl.col("workspace_id")
    named = _BY_NAME.get(f"{table.name}.{column.name}", _BY_NAME.get(column.name))
    if named is not None:
        return named.alias(column.name)
    return _by_type(table, column, at, revision).alias(column.name)


def _by_type(table: SourceTable, column: SourceColumn, at: datetime, revision: int) -> pl.Expr:
    told_apart = column.name in table.identity
    match column.type:
        case ColumnType.INTEGER:
            if column.name == table.grows:
                return _N * 1000 + revision
            return _N + 1 if told_apart else _N % 7 + 1
        case ColumnType.BOOLEAN:
            return pl.lit(value=False)
        case ColumnType.TIMESTAMP:
            return pl.lit(at - timedelta(minutes=5) + timedelta(microseconds=revision))
        case ColumnType.STRINGS:
            return pl.lit(["a", "b"])
        case _:
            return pl.format(column.name + " {}", _N if told_apart else _N % 50)
