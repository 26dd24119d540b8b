"""Lists of values that a statement is given as one parameter, of any length.

They go to the database as JSON, which it reads as a table. Of tuples that are written into a
statement, SQLite compares each with every row of the table; it looks them up in an index only if
they come from a table. And the statement stays the same for lists of any length.
"""

import json
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Table,
    Text,
    bindparam,
    cast,
    column,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from cio_pipeline.ledger.schema import plans


def rows_given(columns: Collection[Column[Any]], parameter: str) -> ColumnElement[bool]:
    """Whether the values of some columns are a row of the list that is given as `parameter`."""
    row = _Rows(bindparam(parameter, type_=Text)).table_valued(column("value", Text))
    items = [_Item(row.c.value, literal_column(str(place))) for place in range(len(columns))]
    given = [cast(item, one.type) for item, one in zip(items, columns, strict=True)]
    return tuple_(*columns).in_(select(*given))


def of_pairs(table: Table) -> ColumnElement[bool]:
    """Whether a row is of one of the (sync, export) pairs that are given as `pairs`."""
    return rows_given((table.c.sync_id, table.c.export), "pairs")


def of_plans() -> ColumnElement[bool]:
    """Whether a plan is one of those whose ids are given as `ids`, see `ids_given`."""
    return rows_given((plans.c.id,), "ids")


def ids_given(ids: Iterable[int]) -> str:
    """Ids as the value of such a parameter."""
    return as_given([(one,) for one in ids])


def as_given(rows: Collection[tuple[object, ...]]) -> str:
    """Rows as the value of such a parameter."""
    return json.dumps(list(rows))


class _Rows(FunctionElement[Any]):
    """The elements of a JSON array as a table of one column."""

    inherit_cache = True
    name = "rows_given"


class _Item(FunctionElement[Any]):
    """An element of a JSON array by its number, from 0."""

    inherit_cache = True
    name = "item_given"


@compiles(_Rows, "sqlite")
def _sqlite_rows(element: _Rows, compiler: SQLCompiler, **how: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **how)})"


@compiles(_Rows, "postgresql")
def _postgresql_rows(element: _Rows, compiler: SQLCompiler, **how: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(element.clauses, **how)} AS JSON))"


@compiles(_Item, "sqlite")
def _sqlite_item(element: _Item, compiler: SQLCompiler, **how: Any) -> str:
    array, place = (compiler.process(one, **how) for one in element.clauses)
    return f"json_extract({array}, '$[{place}]')"


@compiles(_Item, "postgresql")
def _postgresql_item(element: _Item, compiler: SQLCompiler, **how: Any) -> str:
    array, place = (compiler.process(one, **how) for one in element.clauses)
    return f"({array} ->> {place})"
