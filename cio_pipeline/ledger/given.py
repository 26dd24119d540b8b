"""Lists as one parameter of a statement: numbers, texts, times, tuples of them, and pairs.

They go to the database as JSON, which it reads as a table. Of tuples that are written into a
statement, SQLite compares each with every row of the table; it looks them up in an index only if
they come from a table. And the statement stays the same for lists of any length.

Pairs go by export: SQLite takes longer to take a thousand pairs apart than to find their rows.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Dialect,
    FromClause,
    Table,
    TableValuedAlias,
    Text,
    TypeDecorator,
    bindparam,
    cast,
    column,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from cio_pipeline.ledger.statements import number_of
from cio_pipeline.model.registry import Pair


class _Json(TypeDecorator[Any]):
    """What is given, as the JSON that a function makes of it."""

    impl = Text
    cache_ok = True

    def __init__(self, made_by: Callable[[Any], str]) -> None:
        super().__init__()
        self.made_by = made_by

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Takes what the function takes."""
        return self.made_by


def _values(values: Collection[Any]) -> str:
    return json.dumps(list(values), default=number_of)


def rows_given(columns: Collection[Column[Any]], parameter: str) -> ColumnElement[bool]:
    """Whether the values of some columns are a tuple of those that are given as `parameter`.

    Of one column, whether its value is one of them.
    """
    row = rows_of(bindparam(parameter, type_=_Json(_values)))
    items: list[ColumnElement[Any]] = [_Item(row.c.value)]
    if len(columns) > 1:
        items = [item_of(row.c.value, place) for place in range(len(columns))]
    given = [cast(item, one.type) for item, one in zip(items, columns, strict=True)]
    return tuple_(*columns).in_(select(*given))


def rows_of(array: ColumnElement[Any]) -> TableValuedAlias:
    """The elements of a JSON array as rows of one column `value`."""
    return _Rows(array).table_valued(column("value", Text), joins_implicitly=True)


def item_of(value: ColumnElement[Any], place: int) -> ColumnElement[Any]:
    """An element of a row of such a table, by its number from 0."""
    return _Item(value, literal_column(str(place)))


def items_of(mapping: ColumnElement[Any]) -> TableValuedAlias:
    """The items of a JSON object as rows of `key`, a text, and `value`."""
    of = _Items(mapping)
    return of.table_valued(column("key", Text), column("value", Text), joins_implicitly=True)


def plain(value: ColumnElement[Any], kind: TypeEngine[Any]) -> ColumnElement[Any]:
    """A number or text that is the `value` of a row of such a table."""
    return cast(_Item(value), kind)


def _by_export(pairs: Collection[Pair]) -> str:
    found: dict[str, list[str]] = {}
    for sync_id, export in pairs:
        found.setdefault(export, []).append(sync_id)
    return json.dumps(found)


def _numbers_by_export(numbers: Mapping[Pair, int | None]) -> str:
    found: dict[str, dict[str, int | None]] = {}
    for (sync_id, export), number in numbers.items():
        found.setdefault(export, {})[sync_id] = number
    return json.dumps(found)


def of_pairs(table: Table) -> ColumnElement[bool]:
    """Whether a row is of one of the (sync, export) pairs that are given as `pairs`."""
    exports = items_of(bindparam("pairs", type_=_Json(_by_export)))
    syncs = rows_of(exports.c.value)
    given = select(plain(syncs.c.value, Text()), exports.c.key)
    pair = tuple_(table.c.sync_id, table.c.export)
    return pair.in_(given.select_from(exports.join(syncs, true())))


@dataclass(frozen=True)
class NumberedPairs:
    """Pairs that are given with a number each: where to select from, and what."""

    given: FromClause
    sync_id: ColumnElement[str]
    export: ColumnElement[str]
    number: ColumnElement[int]


def numbered_pairs(parameter: str) -> NumberedPairs:
    """What is given as `parameter`, a mapping."""
    exports = items_of(bindparam(parameter, type_=_Json(_numbers_by_export)))
    syncs = items_of(exports.c.value)
    number = plain(syncs.c.value, BigInteger())
    return NumberedPairs(exports.join(syncs, true()), syncs.c.key, exports.c.key, number)


def name_pairs(pairs: Iterable[Pair], most: int = 3) -> str:
    """Pairs as text for a message: the first few, and how many more."""
    ordered = sorted(set(pairs))
    named = ", ".join(f"'{export}' of sync '{sync_id}'" for sync_id, export in ordered[:most])
    return named if len(ordered) <= most else f"{named} and {len(ordered) - most} more"


class _Rows(FunctionElement[Any]):
    """The elements of a JSON array as a table of one column."""

    inherit_cache = True
    name = "rows_given"


class _Items(FunctionElement[Any]):
    """The items of a JSON object as a table of two columns."""

    inherit_cache = True
    name = "items_given"


class _Item(FunctionElement[Any]):
    """An element of a JSON array by its number, from 0; without one, the value itself."""

    inherit_cache = True
    name = "item_given"


@compiles(_Rows, "postgresql")
def _postgresql_rows(element: _Rows, compiler: SQLCompiler, **how: Any) -> str:
    return f"json_array_elements(CAST({compiler.process(element.clauses, **how)} AS JSON))"


@compiles(_Rows, "sqlite")
@compiles(_Items, "sqlite")
def _sqlite_each(element: _Rows | _Items, compiler: SQLCompiler, **how: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **how)})"


@compiles(_Items, "postgresql")
def _postgresql_items(element: _Items, compiler: SQLCompiler, **how: Any) -> str:
    return f"json_each(CAST({compiler.process(element.clauses, **how)} AS JSON))"


@compiles(_Item, "sqlite")
def _sqlite_item(element: _Item, compiler: SQLCompiler, **how: Any) -> str:
    value, *place = (compiler.process(one, **how) for one in element.clauses)
    return f"json_extract({value}, '$[{place[0]}]')" if place else value


@compiles(_Item, "postgresql")
def _postgresql_item(element: _Item, compiler: SQLCompiler, **how: Any) -> str:
    value, *place = (compiler.process(one, **how) for one in element.clauses)
    return f"({value} ->> {place[0]})" if place else f"({value} #>> '{{}}')"
