"""The whole script of a dialect, step by step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from cio_pipeline.reader.sql.dialects import Dialect
from cio_pipeline.reader.sql.erase import Whom, erase
from cio_pipeline.reader.sql.loads import LOADS, Place
from cio_pipeline.reader.sql.relations import Relation
from cio_pipeline.reader.sql.tables import comments, create_table, newest_rows

Step = Literal["schema", "tables", "access", "load", "views", "erase"]

STEPS: Mapping[Step, str] = {
    "schema": "Once: where the tables lie.",
    "tables": "Once: the tables, in the contract's order of columns.",
    "access": "Once: how files are found and read.",
    "load": "Again and again: what has come since.",
    "views": "Once: of each entity the newest row.",
    "erase": "After each load: people who are gone lose what is personal in rows loaded before.",
}
"""The steps of a script, in their order."""


@dataclass(frozen=True)
class Statement:
    """A statement of a step, for a table if it is about one."""

    step: Step
    table: str | None
    sql: str


def script(relations: Sequence[Relation], place: Place, dialect: Dialect) -> Iterator[Statement]:
    """All statements of a feed's tables, in the order of STEPS (O6)."""
    schema = exp.Create(
        this=exp.Table(db=dialect.name_of(place.schema)), kind="SCHEMA", exists=True
    )
    if dialect.name == "clickhouse":
        schema.set("kind", "DATABASE")
    yield _statement("schema", None, schema, dialect)
    load = LOADS[dialect.name]
    for one in () if load.makes else relations:
        yield _statement("tables", one.name, create_table(one, place.schema, dialect), dialect)
        for comment in comments(one, place.schema, dialect):
            yield _statement("tables", one.name, comment, dialect)
    yield from (Statement("access", None, sql) for sql in load.once(place, dialect))
    for one in relations:
        yield from (Statement("load", one.name, sql) for sql in load.of(one, place, dialect))
    for one in relations:
        yield _statement("views", one.name, newest_rows(one, place.schema, dialect), dialect)
    if {"people", "deliveries", "subjects"} <= {one.name for one in relations}:
        yield from erasure(relations, place, dialect, None)


def erasure(
    relations: Sequence[Relation], place: Place, dialect: Dialect, whom: Whom | None
) -> Iterator[Statement]:
    """The statements that take one person out of the tables, or all who are gone."""
    for one in erase(relations, place.schema, dialect, whom):
        yield _statement("erase", None, one, dialect)


def _statement(step: Step, table: str | None, one: exp.Expr | str, dialect: Dialect) -> Statement:
    return Statement(
        step, table, one if isinstance(one, str) else one.sql(dialect.name, pretty=True)
    )
