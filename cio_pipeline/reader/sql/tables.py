"""Tables and their newest rows, as sqlglot's expressions."""

from collections.abc import Iterator

from sqlglot import exp

from cio_pipeline.contracts.declare import Column, ColumnType
from cio_pipeline.reader.sql.dialects import Dialect
from cio_pipeline.reader.sql.relations import Relation
from cio_pipeline.reader.tables import FILE, NEWEST, ROW

_TOLD = {
    FILE: (ColumnType.STRING, "The file that the row was loaded from."),
    ROW: (ColumnType.INTEGER, "Its place: in a tie, the row with the larger one counts."),
}

_CLUSTERED = 4
"""BigQuery clusters by at most so many columns."""


def create_table(relation: Relation, schema: str, dialect: Dialect) -> exp.Create:
    """The table of a relation: the contract's columns in their order, then where rows came from.

    Keys are no constraints: a row may come twice (a catch-up, a new generation), which the newest
    row settles, and Redshift and BigQuery trust keys that they do not enforce.
    """
    schema_of = exp.Schema(
        this=dialect.table(relation.name, schema), expressions=columns(relation, dialect)
    )
    return exp.Create(
        this=schema_of,
        kind="TABLE",
        exists=True,
        properties=exp.Properties(expressions=list(_properties(relation, dialect))),
    )


def columns(relation: Relation, dialect: Dialect) -> list[exp.ColumnDef]:
    """The columns of a table, each with its type, nullability and, if it can, description."""
    declared = [_column(one, dialect) for one in relation.columns]
    return [*declared, *(_told(name, dialect) for name in added(dialect))]


def added(dialect: Dialect) -> tuple[str, ...]:
    """The columns that say where a row came from, as far as loads can tell."""
    return (FILE,) * dialect.files + (ROW,) * dialect.rows


def comments(relation: Relation, schema: str, dialect: Dialect) -> Iterator[exp.Comment]:
    """Descriptions of table and columns, for dialects that take them as statements."""
    if dialect.comments:
        return
    table = dialect.table(relation.name, schema)
    yield _comment("TABLE", table, relation.description)
    described = {one.name: one.description for one in relation.columns}
    for name, text in (described | {name: _TOLD[name][1] for name in added(dialect)}).items():
        column = exp.Column(
            this=dialect.name_of(name),
            table=dialect.name_of(relation.name),
            db=dialect.name_of(schema),
        )
        yield _comment("COLUMN", column, text)


def newest_rows(relation: Relation, schema: str, dialect: Dialect) -> exp.Create:
    """The view of the newest row of each entity (D1).

    In a tie: a row of a `chngs` file, then the larger number, then the later row, as far as the
    table knows them.
    """
    chosen = (
        exp.select(*(dialect.column(one.name) for one in relation.columns))
        .from_(dialect.table(relation.name, schema))
        .qualify(exp.EQ(this=_rank(relation, dialect), expression=exp.Literal.number(1)))
    )
    view = dialect.table(relation.name + NEWEST, schema)
    return exp.Create(this=view, kind="VIEW", replace=True, expression=chosen)


def _rank(relation: Relation, dialect: Dialect) -> exp.Window:
    by = [exp.Ordered(this=one, desc=True, nulls_first=False) for one in _order(relation, dialect)]
    return exp.Window(
        this=exp.RowNumber(),
        partition_by=[dialect.column(name) for name in relation.key],
        order=exp.Order(expressions=by),
    )


def _order(relation: Relation, dialect: Dialect) -> Iterator[exp.Expr]:
    # What comes once may come again: a catch-up, a new generation. Any of them will do.
    yield dialect.column(relation.newest_by or relation.key[-1])
    if dialect.files and relation.split:
        yield _holds(dialect, _CHNGS)
    if dialect.files:
        yield from (_number(dialect, pattern) for pattern in _NUMBERS)
    if dialect.rows:
        yield dialect.column(ROW)


# A folder, or a stem, may have the word in its name, too.
_CHNGS = r"_v[0-9]+_chngs_([0-9]+)_[0-9]+(_[0-9]+)?[.]parquet$"

_NUMBERS = (
    # <stem>_v<x>[_chngs]_<workspace>_<sequence>[_<part>].parquet (D5); Snowflake knows no (?:…).
    r"_[0-9]+_([0-9]+)(_[0-9]+)?[.]parquet$",
    r"_[0-9]+_[0-9]+_([0-9]+)[.]parquet$",
)


def _holds(dialect: Dialect, pattern: str) -> exp.Expr:
    """1 if a file's name holds a number at a place, else 0."""
    none = exp.Is(this=_number(dialect, pattern), expression=exp.Null())
    return exp.case().when(none, exp.Literal.number(0)).else_(exp.Literal.number(1))


def _number(dialect: Dialect, pattern: str) -> exp.Expr:
    """The number that a file's name holds at a place; null if it holds none."""
    name, text = dialect.column(FILE), exp.Literal.string(pattern)
    found = exp.RegexpExtract(this=name, expression=text, group=exp.Literal.number(1))
    if dialect.name == "clickhouse":
        # Its CAST of the empty text, which is what it finds where there is no number, fails.
        return exp.Anonymous(this="toInt64OrNull", expressions=[found])
    return exp.TryCast(this=found, to=exp.DataType.build("BIGINT"))


def _column(column: Column, dialect: Dialect) -> exp.ColumnDef:
    constraints: list[exp.Expr] = []
    if column.required and not dialect.nulls:
        constraints.append(exp.NotNullColumnConstraint())
    return _defined(column.name, dialect.type_of(column), column.description, constraints, dialect)


def _told(name: str, dialect: Dialect) -> exp.ColumnDef:
    kind, text = _TOLD[name]
    return _defined(name, dialect.type_named(kind, required=False), text, [], dialect)


def _defined(
    name: str,
    kind: exp.DataType,
    text: str,
    constraints: list[exp.Expr],
    dialect: Dialect,
) -> exp.ColumnDef:
    if dialect.comments:
        constraints.append(_described(text, dialect, exp.CommentColumnConstraint))
    kinds = [exp.ColumnConstraint(kind=one) for one in constraints]
    return exp.ColumnDef(this=dialect.name_of(name), kind=kind, constraints=kinds)


def _comment(kind: str, this: exp.Expr, text: str) -> exp.Comment:
    return exp.Comment(this=this, kind=kind, expression=_said(text))


def _properties(relation: Relation, dialect: Dialect) -> Iterator[exp.Expr]:
    """How rows are kept together by what they are asked for with, and the table's description."""
    keys = [dialect.column(name) for name in relation.key]
    if dialect.name == "clickhouse":
        yield exp.EngineProperty(this=exp.Var(this="MergeTree"))
        yield exp.Order(expressions=[exp.Tuple(expressions=keys)])
    elif dialect.name == "redshift":
        yield exp.SortKeyProperty(this=[one.this for one in keys], compound=False)
    elif dialect.name in {"snowflake", "bigquery", "databricks"}:
        yield exp.ClusterProperty(expressions=keys[:_CLUSTERED])
    if dialect.comments:
        described = _described(relation.description, dialect, exp.SchemaCommentProperty)
        # BigQuery's options of a table are properties themselves.
        yield from described.expressions or [described]


def _described(text: str, dialect: Dialect, kind: type[exp.Expr]) -> exp.Expr:
    """A description as the dialect has it: BigQuery's is an option."""
    said = _said(text)
    if dialect.name != "bigquery":
        return kind(this=said)
    option = exp.Property(this=exp.Var(this="description"), value=said)
    return exp.Properties(expressions=[option])


def _said(text: str) -> exp.Literal:
    """A text without what the dialects quote in different ways."""
    return exp.Literal.string(text.replace("`", "").replace("'", "\N{RIGHT SINGLE QUOTATION MARK}"))
