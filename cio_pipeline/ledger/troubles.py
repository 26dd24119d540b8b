"""What goes wrong: errors, breaches of the source, broken destinations; runs asked for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Insert,
    Row,
    Table,
    Text,
    bindparam,
    case,
    delete,
    exists,
    or_,
    select,
    update,
)

from cio_pipeline.ledger.database import Database, reading, writing
from cio_pipeline.ledger.given import of_pairs, rows_given
from cio_pipeline.ledger.schema import attempts, breakers, errors, metadata
from cio_pipeline.ledger.statements import UtcTime, Word, insert_into, insert_missing, upsert
from cio_pipeline.model.breaches import Breach, Breaches, BreachKind
from cio_pipeline.model.breakers import Breaker
from cio_pipeline.model.failures import Failing, Failure
from cio_pipeline.model.registry import Pair
from cio_pipeline.model.windows import Window

breaches = Table(
    "breaches",
    metadata,
    Column("source_table", Text, primary_key=True),
    Column("kind", Word(BreachKind), primary_key=True),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Column("windows", BigInteger, nullable=False),
    # Of the last window, and of all.
    Column("last_rows", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
)


@dataclass(frozen=True)
class FailingPairs:
    """What went wrong, scrubbed by the caller."""

    database: Database

    @writing
    def record(
        self, connection: Connection, failed: Mapping[Pair, Failure], window: Window
    ) -> None:
        """Keep why pairs failed in a window; the last counts."""
        rows = [
            {
                "sync_id": sync_id,
                "export": export,
                "since": window.start,
                "until": window.end,
                "windows": 1,
                "kind": failure.kind,
                "message": storable(failure.text),
            }
            for (sync_id, export), failure in sorted(failed.items(), key=lambda one: one[0])
        ]
        if rows:
            connection.execute(_go_on(connection.dialect.name), rows)

    @reading
    def all(self, connection: Connection) -> Mapping[Pair, Failing]:
        """Every pair that fails, since when and why."""
        rows = connection.execute(select(errors)).all()
        return {
            (row.sync_id, row.export): Failing(
                row.since, row.until, row.windows, row.kind, row.message
            )
            for row in sorted(rows, key=lambda row: (row.sync_id, row.export))
        }

    def of_window(self, at: datetime) -> Mapping[Pair, str]:
        """The pairs that failed in the window that ends at `at`, and still do: pair → message."""
        return {pair: one.message for pair, one in self.all().items() if one.covers(at)}


def end_errors(connection: Connection, to: Mapping[Pair, datetime]) -> None:
    """Deliveries end the errors of windows up to them; of those after them, the later ones stay."""
    if not connection.scalar(_ANY):
        return  # Nearly always, and for all pairs of a window it is asked.
    for at in sorted(set(to.values())):
        given = {"at": at, "pairs": [pair for pair, end in to.items() if end == at]}
        connection.execute(_END, given)
        connection.execute(_SHORTEN, given)


def forget_errors(connection: Connection, sync_id: str, exports: Collection[str]) -> None:
    """Exports begin anew: what was wrong with them before says nothing."""
    connection.execute(
        delete(errors).where(errors.c.sync_id == sync_id, errors.c.export.in_(sorted(exports)))
    )


def storable(message: str) -> str:
    """The message as both databases can keep it."""
    # What PostgreSQL takes as text: no NUL, no half of a surrogate pair.
    return message.encode(errors="replace").decode().replace("\x00", "")


@lru_cache
def _go_on(dialect: str) -> Insert:
    """The state begins, or goes on in one more window."""
    statement = insert_into(dialect, errors)
    new = statement.excluded
    c = errors.c
    latest = new.until >= c.until
    another = or_(new.until > c.until, new.until <= c.since)
    return statement.on_conflict_do_update(
        index_elements=[c.sync_id, c.export],
        set_={
            "since": case((new.since < c.since, new.since), else_=c.since),
            "windows": c.windows + case((another, 1), else_=0),
            **{
                name: case((latest, new[name]), else_=c[name])
                for name in ("until", "kind", "message")
            },
        },
    )


_AT = bindparam("at", type_=UtcTime)
_ANY = select(exists().select_from(errors))
_END = delete(errors).where(of_pairs(errors), errors.c.until <= _AT)
_SHORTEN = update(errors).where(of_pairs(errors), errors.c.since < _AT).values(since=_AT)


@dataclass(frozen=True)
class SourceBreaches:
    """What in the source breaks its contract: one row per table and kind."""

    database: Database

    @writing
    def record(self, connection: Connection, at: datetime, found: Sequence[Breach]) -> None:
        """Count what a changeset of the window that ends at `at` had; the most, if told again."""
        for breach in sorted(found, key=lambda one: (one.table, one.kind)):
            key = {"source_table": breach.table, "kind": breach.kind}
            none = {"first_at": at, "last_at": at, "windows": 0, "last_rows": 0, "rows": 0}
            insert_missing(connection, breaches, [key | none])
            its = (breaches.c.source_table == breach.table) & (breaches.c.kind == breach.kind)
            row = connection.execute(select(breaches).where(its).with_for_update()).one()
            connection.execute(update(breaches).where(its).values(**_counted(row, at, breach.rows)))

    @reading
    def all(self, connection: Connection) -> Sequence[Breaches]:
        """All that was ever found, by table and kind."""
        query = select(breaches).order_by(breaches.c.source_table, breaches.c.kind)
        return [
            Breaches(
                Breach(row.source_table, row.kind, row.last_rows),
                row.first_at,
                row.last_at,
                row.windows,
                row.rows,
            )
            for row in connection.execute(query)
        ]


def _counted(row: Row[Any], at: datetime, rows: int) -> dict[str, Any]:
    """The row with what a window had: a window that is told again counts with the most."""
    again = row.windows and at == row.last_at
    more = max(0, rows - row.last_rows) if again else rows
    newest = at >= row.last_at
    return {
        "first_at": min(row.first_at, at),
        "last_at": max(row.last_at, at),
        "windows": row.windows + (0 if again else 1),
        "last_rows": (row.last_rows + more if again else rows) if newest else row.last_rows,
        "rows": row.rows + more,
    }


@dataclass(frozen=True)
class Breakers:
    """Breakers of syncs that are not in order."""

    database: Database

    @reading
    def all(self, connection: Connection) -> Mapping[str, Breaker]:
        """The breakers there are, by sync id."""
        rows = connection.execute(_ALL_BREAKERS).mappings()
        return {row["sync_id"]: Breaker(**row) for row in rows}

    @writing
    def put(self, connection: Connection, changed: Sequence[Breaker]) -> None:
        """Keep breakers in place of what was kept of those syncs."""
        rows = [{**asdict(one), "message": storable(one.message)} for one in changed]
        upsert(connection, breakers, rows)

    @writing
    def close(self, connection: Connection, sync_ids: Collection[str]) -> None:
        """Forget the breakers of syncs: they are in order, or somebody says that they are."""
        its = rows_given((breakers.c.sync_id,), "closed")
        connection.execute(delete(breakers).where(its), {"closed": sync_ids})


_ALL_BREAKERS = select(breakers)


@dataclass(frozen=True)
class Attempts:
    """How often the sensor asked for a run of a window, per lane."""

    database: Database

    @writing
    def next(self, connection: Connection, lane: str, key: str, now: datetime) -> int:
        """Count one more attempt and return its number, from 1."""
        none = {"lane": lane, "key": key, "count": 0, "last_at": now}
        insert_missing(connection, attempts, [none])
        return connection.execute(
            update(attempts)
            .where(attempts.c.lane == lane, attempts.c.key == key)
            .values(count=attempts.c.count + 1, last_at=now)
            .returning(attempts.c.count)
        ).scalar_one()

    @reading
    def counts(
        self, connection: Connection, lane: str, keys: Collection[str]
    ) -> Mapping[str, tuple[int, datetime]]:
        """Number and time of the last attempt, for the keys that have one."""
        c = attempts.c
        its = c.lane == lane, rows_given((c.key,), "keys")
        query = select(c.key, c.count, c.last_at).where(*its)
        rows = connection.execute(query, {"keys": set(keys)}).all()
        return {key: (count, at) for key, count, at in rows}
