"""The state of the source tables in PostgreSQL: what is there, and what is missing."""

from collections.abc import Iterable

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.model.errors import SourceError
from cio_pipeline.sources.postgres.catalog import Database, Relation
from cio_pipeline.sources.postgres.source import PostgresSource
from cio_pipeline.sources.postgres.upkeep import found
from cio_pipeline.sources.postgres.whole import problems_of
from cio_pipeline.sources.status import TableStatus


def table_statuses(source: PostgresSource) -> list[TableStatus]:
    """The status of each table; rows as the database estimates them. Raises SourceUnavailable."""
    declared = list(source.tables.values())
    failed: dict[str, SourceError] = {}
    where, there = found(source.server, source.names, declared, failed)
    return [_status(where, there, table, failed.get(table.name)) for table in declared]


def _status(
    where: Database, there: Iterable[Relation], table: SourceTable, failed: SourceError | None
) -> TableStatus:
    relation = next((one for one in there if one.table == table), None)
    if failed is not None:
        return TableStatus(table.name, table.kind, problems=(failed.message,))
    if relation is None:
        return TableStatus(table.name, table.kind, problems=("does not exist",))
    rows = relation.density * sum(leaf.stop for leaf in relation.leaves)
    return TableStatus(
        table.name,
        table.kind,
        rows=None if relation.is_view else rows,
        problems=tuple(problems_of(relation, where)),
    )
