"""Taking people who were erased out of what was loaded before, as the files themselves do (D4)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from cio_pipeline.contracts.declare import Column, ColumnType
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.reader.sql.dialects import Dialect
from cio_pipeline.reader.sql.relations import PERSON, Relation
from cio_pipeline.reader.tables import NEWEST

_OWN = ("people", "attributes")
"""Tables whose rows are nothing but about the person: they go."""

_OBJECTS = ("data",)
"""Required columns that hold a JSON object."""


@dataclass(frozen=True)
class Whom:
    """One person of a workspace; None stands for all whom the feed calls deleted or suppressed."""

    workspace_id: int
    person: str


def erase(
    relations: Iterable[Relation], schema: str, dialect: Dialect, whom: Whom | None
) -> Iterator[exp.Expr | str]:
    """Statements, in an order in which each still finds whom it is about.

    Rows about the person lose what is personal; rows of `people` and `attributes` are deleted. Of
    all who are gone, rows of `people` stay: those that say so themselves as they are, and those
    from before without what is personal but the id, by which they are looked up. Raises
    InvalidConfig if a table that tells whom rows are about is not among the relations.
    """
    known = {one.name: one for one in relations}
    # Who is looked up elsewhere comes first: the lookup is emptied by its own statement.
    for one in sorted(known.values(), key=lambda each: (each.about or ("", None))[1] is None):
        if one.about is None:
            continue
        where = _rows_about(one, known, schema, dialect, whom)
        table = dialect.table(one.name, schema)
        if whom is None and one.name == "people":
            before = exp.and_(where, exp.not_(_gone(dialect)))
            personal = [each for each in one.personal if each.name != PERSON]
            yield _emptied(table, personal, before, dialect)
        elif one.name in _OWN:
            yield exp.delete(table, where=where)
        else:
            yield _emptied(table, one.personal, where, dialect)


def _rows_about(
    relation: Relation,
    known: Mapping[str, Relation],
    schema: str,
    dialect: Dialect,
    whom: Whom | None,
) -> exp.Expr:
    column, lookup = relation.about or ("", None)
    if lookup is None:
        return _person(known, schema, dialect, whom)
    if lookup not in known:
        raise InvalidConfig(
            f"Whom rows of {relation.name} are about is known by {lookup}, which is not asked for.",
            f"Add {lookup} to the tables.",
        )
    found = exp.select(dialect.column(column))
    rows = found.from_(dialect.table(lookup, schema)).where(_person(known, schema, dialect, whom))
    return exp.In(this=dialect.column(column), query=exp.Subquery(this=rows))


def _person(
    known: Mapping[str, Relation], schema: str, dialect: Dialect, whom: Whom | None
) -> exp.Expr:
    person = dialect.column(PERSON)
    if whom is not None:
        workspace = dialect.column("workspace_id")
        return exp.and_(
            exp.EQ(this=workspace, expression=exp.Literal.number(whom.workspace_id)),
            exp.EQ(this=person, expression=exp.Literal.string(whom.person)),
        )
    if "people" not in known:
        raise InvalidConfig(
            "Who is gone is known by people, which is not asked for.", "Add people."
        )
    newest = exp.select(person).from_(dialect.table("people" + NEWEST, schema))
    return exp.In(this=person, query=exp.Subquery(this=newest.where(_gone(dialect))))


def _gone(dialect: Dialect) -> exp.Expr:
    return exp.or_(dialect.column("deleted"), dialect.column("suppressed"))


def _emptied(
    table: exp.Table, personal: Iterable[Column], where: exp.Expr, dialect: Dialect
) -> exp.Expr | str:
    sets = [
        exp.EQ(this=dialect.column(one.name), expression=_empty(one, dialect)) for one in personal
    ]
    if dialect.name != "clickhouse":
        return exp.Update(this=table, expressions=sets, where=exp.Where(this=where))
    to = ", ".join(one.sql(dialect.name) for one in sets)
    return f"ALTER TABLE {table.sql(dialect.name)} UPDATE {to} WHERE {where.sql(dialect.name)}"


def _empty(column: Column, dialect: Dialect) -> exp.Expr:
    if not column.required:
        return exp.Null()
    if column.type is ColumnType.STRINGS:
        none = exp.Array(expressions=[])
        # PostgreSQL does not infer of what an empty array is.
        return exp.cast(none, dialect.type_of(column)) if dialect.name == "postgres" else none
    return exp.Literal.string("{}" if column.name in _OBJECTS else "")
