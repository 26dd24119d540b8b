"""What to run in a warehouse before a sync's next version comes in (D7)."""

from collections.abc import Iterable, Iterator

from sqlglot import exp

from cio_pipeline.contracts.declare import Column
from cio_pipeline.reader.sql.dialects import Dialect
from cio_pipeline.reader.sql.loads import LOADS
from cio_pipeline.reader.sql.relations import Relation
from cio_pipeline.reader.sql.tables import newest_rows


def altered(
    old: Iterable[Relation], new: Iterable[Relation], schema: str, dialect: Dialect
) -> Iterator[str]:
    """Statements that make the tables of the old version fit for files of the new one.

    New columns come after the old ones, as in the files; rows from before have null there. Views
    are made anew. Tables that only the new version has are no business of this.
    """
    if LOADS[dialect.name].makes:
        return
    before = {one.name: one for one in old}
    for one in new:
        if one.name not in before:
            continue
        steps = list(_steps(before[one.name], one, schema, dialect))
        yield from steps
        if steps:
            yield newest_rows(one, schema, dialect).sql(dialect.name, pretty=True)


def _steps(old: Relation, new: Relation, schema: str, dialect: Dialect) -> Iterator[str]:
    known = {one.name: one for one in old.columns}
    table = dialect.table(new.name, schema)
    for column in new.columns:
        if column.name not in known:
            yield _alter(table, _added(column, dialect), dialect)
        elif known[column.name].required and not column.required:
            yield _relaxed(table, column, dialect)


def _alter(table: exp.Table, action: exp.Expr, dialect: Dialect) -> str:
    return exp.Alter(this=table, kind="TABLE", actions=[action]).sql(dialect.name)


def _added(column: Column, dialect: Dialect) -> exp.ColumnDef:
    kind = dialect.type_named(column.type, required=False)
    return exp.ColumnDef(this=dialect.name_of(column.name), kind=kind)


def _relaxed(table: exp.Table, column: Column, dialect: Dialect) -> str:
    name = dialect.name_of(column.name)
    if dialect.name == "clickhouse":
        kind = dialect.type_of(column).sql(dialect.name)
        return (
            f"ALTER TABLE {table.sql(dialect.name)} MODIFY COLUMN {name.sql(dialect.name)} {kind}"
        )
    if dialect.name == "redshift":
        return (
            f"-- Redshift cannot let {column.name} be null where it could not before: make the "
            f"table {table.name} anew"
        )
    return _alter(table, exp.AlterColumn(this=name, drop=True, allow_null=True), dialect)
