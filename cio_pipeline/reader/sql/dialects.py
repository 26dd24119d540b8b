"""How the dialects differ: types, names, what is known of a row's file, how tables are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from cio_pipeline.contracts.declare import Column, ColumnType
from cio_pipeline.reader.sql import DialectName

_TYPES: Mapping[ColumnType, str] = {
    ColumnType.INTEGER: "BIGINT",
    ColumnType.STRING: "TEXT",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.TIMESTAMP: "TIMESTAMPTZ",
    ColumnType.STRINGS: "ARRAY<TEXT>",
}


@dataclass(frozen=True)
class Dialect:
    """One kind of warehouse, as sqlglot names it.

    `types` holds what differs from the usual ones. `upper`: names are upper case, so that nobody
    needs to quote them. `files` and `rows`: loads can tell the file and the place of a row.
    `nulls`: types say which columns may be null, instead of NOT NULL. `comments`: columns are
    described where the table is made; otherwise by statements.
    """

    name: DialectName
    types: Mapping[ColumnType, str] = field(default_factory=dict[ColumnType, str])
    upper: bool = False
    files: bool = True
    rows: bool = True
    nulls: bool = False
    comments: bool = False

    def name_of(self, name: str) -> exp.Identifier:
        """A name, always quoted: `from` and `to` are columns."""
        return exp.to_identifier(name.upper() if self.upper else name, quoted=True)

    def column(self, name: str) -> exp.Column:
        """A column by its name."""
        return exp.Column(this=self.name_of(name))

    def table(self, name: str, schema: str) -> exp.Table:
        """A table by its name."""
        return exp.Table(this=self.name_of(name), db=self.name_of(schema))

    def type_of(self, column: Column) -> exp.DataType:
        """The type of a column."""
        return self.type_named(column.type, required=column.required)

    def type_named(self, kind: ColumnType, *, required: bool) -> exp.DataType:
        """A type, of a column that may be null or not."""
        built = exp.DataType.build(self.types.get(kind, _TYPES[kind]), dialect=self.name)
        if not self.nulls or required or kind is ColumnType.STRINGS:
            # Arrays cannot be null there: they are empty instead.
            return built
        return exp.DataType.build(f"Nullable({built.sql(self.name)})", dialect=self.name)


DIALECTS: Mapping[DialectName, Dialect] = {
    one.name: one
    for one in (
        Dialect("snowflake", upper=True, comments=True),
        Dialect("bigquery", files=False, rows=False, comments=True),
        # Columns of Parquet are taken by position: there is no room for more of them.
        Dialect("redshift", {ColumnType.STRINGS: "SUPER"}, files=False, rows=False),
        Dialect("databricks", rows=False, comments=True),
        Dialect(
            "clickhouse",
            {
                ColumnType.INTEGER: "Int64",
                ColumnType.STRING: "String",
                ColumnType.BOOLEAN: "Bool",
                ColumnType.TIMESTAMP: "DateTime64(6, 'UTC')",
                ColumnType.STRINGS: "Array(String)",
            },
            rows=False,
            nulls=True,
            comments=True,
        ),
        Dialect("duckdb"),
        # It is sent rows, not files: their number alone tells which counts in a tie.
        Dialect("postgres", files=False),
    )
}
"""All dialects by name."""
