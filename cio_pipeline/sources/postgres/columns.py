"""Whether a relation has the columns that a source table declares, and how they become ours.

INTEGER takes smallint, integer and bigint; STRING every type whose text does not depend on who
asks (text, varchar, uuid, enums, json, numbers); TIMESTAMP timestamptz, and timestamp, which is
read as UTC; STRINGS arrays of texts. Domains count as what they are made of. A nested array comes
flattened, as `unnest` gives it. Times that Arrow cannot hold (`infinity` among them) are the last
or first that it can: they are far outside of what is sent, and are quarantined.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg.sql import SQL, Composable, Identifier, Literal

from cio_pipeline.contracts.declare import ColumnType, SourceColumn, SourceTable
from cio_pipeline.sources.postgres.names import Names

_WHOLE = {"int2", "int4", "int8"}
_TEXTS = {"text", "varchar", "bpchar", "name", "citext", "uuid"}
_ACCEPTED: Mapping[ColumnType, frozenset[str]] = {
    ColumnType.INTEGER: frozenset(_WHOLE),
    ColumnType.STRING: frozenset({*_WHOLE, *_TEXTS, "enum", "json", "jsonb", "numeric"}),
    ColumnType.BOOLEAN: frozenset({"bool"}),
    ColumnType.TIMESTAMP: frozenset({"timestamptz", "timestamp"}),
    ColumnType.STRINGS: frozenset({f"{one}[]" for one in (*_TEXTS, "enum")}),
}
SQL_TYPES: Mapping[ColumnType, SQL] = {
    ColumnType.INTEGER: SQL("bigint"),
    ColumnType.STRING: SQL("pg_catalog.text"),
    ColumnType.BOOLEAN: SQL("boolean"),
    ColumnType.TIMESTAMP: SQL("pg_catalog.timestamptz"),
    ColumnType.STRINGS: SQL("pg_catalog.text[]"),
}
"""The types of columns as they are kept beside a table and read: whatever a search_path says."""

_FIRST, _LAST = "4713-01-01 00:00:00+00 BC", "294246-12-31 00:00:00+00"


@dataclass(frozen=True)
class Taken:
    """A column as it is read: `kept` as it is put into the table of earlier rows, by row.

    `kept` takes what names the row: nothing, or `OLD`. `constant` is the value of all rows.
    """

    column: SourceColumn
    native: str | None
    type_name: str = ""
    constant: int | None = None

    @property
    def name(self) -> Identifier:
        """What the column is called among ours."""
        return Identifier(self.column.name)

    @property
    def sql_type(self) -> SQL:
        """What it is among ours."""
        return SQL_TYPES[self.column.type]

    def kept(self, row: SQL | None = None) -> Composable:
        """The column in our type, of the row that is at hand or a named one."""
        if self.native is None:
            value: Composable = Literal(self.constant)
        else:
            name = Identifier(self.native)
            value = name if row is None else SQL("{}.{}").format(row, name)
            if self.type_name == "timestamp":
                value = SQL("({} AT TIME ZONE 'UTC')").format(value)
        return SQL("{}::{}").format(value, self.sql_type)

    def read(self, value: Composable) -> Composable:
        """What is read of a value in our type."""
        if self.column.type is not ColumnType.TIMESTAMP:
            return value
        return SQL(
            "CASE WHEN {0} IS NOT NULL THEN "
            "least(greatest({0}, {1}::timestamptz), {2}::timestamptz) END"
        ).format(value, Literal(_FIRST), Literal(_LAST))


def taken_columns(
    table: SourceTable, names: Names, there: Mapping[str, str]
) -> tuple[list[Taken], list[str]]:
    """The declared columns among those that are `there` (name, type), and what is wrong."""
    taken: list[Taken] = []
    wrong: list[str] = []
    for column in table.columns:
        native = names.column(table, column.name)
        if isinstance(native, int):
            taken.append(Taken(column, None, constant=native))
        elif native not in there:
            if not column.may_lack:
                wrong.append(f"{_called(column, native)} is missing (expected {_expected(column)})")
            taken.append(Taken(column, None))
        else:
            found = there[native]
            if found not in _ACCEPTED[column.type]:
                wrong.append(f"{_called(column, native)} is {found} (expected {_expected(column)})")
            taken.append(Taken(column, native, found))
    return taken, wrong


def _called(column: SourceColumn, native: str) -> str:
    return column.name if column.name == native else f"{column.name} ({native})"


def _expected(column: SourceColumn) -> str:
    return SQL_TYPES[column.type].as_string().removeprefix("pg_catalog.")
