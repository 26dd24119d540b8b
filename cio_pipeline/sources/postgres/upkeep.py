"""What is done to the database beside reading: DDL, pruning; and who may read it."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import psycopg
from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL, Composed, Identifier, Literal

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.errors import CioError, SourceError, SourceUnavailable
from cio_pipeline.sources.postgres.catalog import SCHEMA, Database, Relation, database, relations
from cio_pipeline.sources.postgres.connect import Server
from cio_pipeline.sources.postgres.errors import named, translated
from cio_pipeline.sources.postgres.install import LOCK_TIMEOUT, Step
from cio_pipeline.sources.postgres.names import Names
from cio_pipeline.sources.postgres.positions import Snapshot, position_of, seen

TRIES = 20
"""How often a lock is waited for, each time for `install.LOCK_TIMEOUT`."""

_PAUSE_SECONDS = 2
_BATCH = 10_000


def found(
    server: Server,
    names: Names,
    tables: Sequence[SourceTable],
    failed: dict[str, SourceError] | None = None,
) -> tuple[Database, list[Relation]]:
    """The database, and what of some tables it has; for those that `failed`, see `relations`.

    Raises SourceUnavailable, SourceError.
    """
    with named("cio.tables"), server.asked() as connection:
        where = database(connection)
        there = relations(connection, names, tables, where, failed)
        return where, list(there.values())


def carry_out(server: Server, steps: Iterable[Step], told: Callable[[Step], None]) -> None:
    """Do steps, one after the other; each is told when it is done. What is done stays done.

    Raises SourceUnavailable if a lock cannot be had, SourceError.
    """
    with server.writing() as connection:
        for step in steps:
            _done(connection, step)
            told(step)


def _done(connection: psycopg.Connection[object], step: Step) -> None:
    for _ in range(TRIES):
        try:
            if step.alone:
                for statement in step.statements:
                    connection.execute(statement)
                return
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                for statement in step.statements:
                    connection.execute(statement)
        except LockNotAvailable:
            time.sleep(_PAUSE_SECONDS)
        except psycopg.Error as error:
            raise _refused(step, error) from None
        else:
            return
    raise SourceUnavailable(
        f"The lock for `{step.why}` could not be had: some transaction keeps the table.",
        "Run it again: it goes on there. pg_stat_activity tells which transactions are old.",
    )


def _refused(step: Step, error: psycopg.Error) -> CioError:
    if error.sqlstate == "42501":
        return SourceError(
            f"`{step.why}` needs the rights of the table's owner.",
            "Print the statements without --apply, and let the owner run them.",
        )
    known = translated(error, step.why)
    told = error.diag.message_primary or "no reason given"
    return SourceError(f"`{step.why}` failed: {told}.", known.next_step)


def rights(where: str, role: str, found: Sequence[Relation]) -> Iterator[Composed]:
    """The statements that let a role read all that a source reads, and nothing else."""
    name = Identifier(role)
    yield SQL("CREATE ROLE {} LOGIN").format(name)
    yield SQL("GRANT CONNECT ON DATABASE {} TO {}").format(Identifier(where), name)
    leaves = {schema for one in found for schema, _ in one.leaf_names.values()}
    for schema in sorted({SCHEMA, *(one.schema for one in found), *leaves}):
        yield SQL("GRANT USAGE ON SCHEMA {} TO {}").format(Identifier(schema), name)
    for one in found:
        for place in sorted({(one.schema, one.name), *one.leaf_names.values()}):
            yield SQL("GRANT SELECT ON {} TO {}").format(Identifier(*place), name)
    ours = Identifier(SCHEMA)
    yield SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(ours, name)
    yield SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {} GRANT SELECT ON TABLES TO {}").format(
        ours, name
    )


def prune_earlier(
    server: Server, found: Sequence[Relation], needed: Mapping[str, TableCut]
) -> dict[str, int]:
    """Delete the earlier rows that no position from `needed` on has; how many, by table.

    A table without one of its own is left as it is. Raises SourceUnavailable, SourceError.
    """
    deleted: dict[str, int] = {}
    with named("cio.tables"), server.writing() as connection:
        for one in found:
            cut = needed.get(one.table.name)
            if cut is not None and one.installation and cut.table_id == one.table_id:
                oldest = position_of(one.table.name, cut).snapshot
                if oldest.ended >= one.installation.kept_since.ended:
                    deleted[one.table.name] = _pruned(connection, one, oldest)
    return deleted


def _pruned(connection: psycopg.Connection[object], relation: Relation, oldest: Snapshot) -> int:
    # First: who reads an earlier position meanwhile must be told so.
    connection.execute(
        SQL("UPDATE cio.tables SET kept_since = {}::pg_snapshot WHERE name = {}").format(
            Literal(str(oldest)), Literal(relation.table.name)
        )
    )
    some = SQL("DELETE FROM {0} WHERE ctid IN (SELECT ctid FROM {0} WHERE {1} LIMIT {2})").format(
        relation.earlier, seen(SQL("until_xid"), oldest), Literal(_BATCH)
    )
    total = 0
    while True:
        count = connection.execute(some).rowcount
        total += count
        if count < _BATCH:
            return total
