"""What is wrong with a (sync, export) now: one row for each that fails, ended by its delivery."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection, bindparam, case, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from cio_pipeline.ledger.bulk import chunks, insert_into
from cio_pipeline.ledger.columns import UtcTime
from cio_pipeline.ledger.given import as_given, of_pairs
from cio_pipeline.ledger.schema import errors
from cio_pipeline.ledger.transactions import Database
from cio_pipeline.model.failing import Failing
from cio_pipeline.model.failures import Failure
from cio_pipeline.model.registry import Pair
from cio_pipeline.model.windows import Window


@dataclass(frozen=True)
class Errors:
    """What went wrong, scrubbed by the caller."""

    database: Database

    def record(self, failed: Mapping[Pair, Failure], window: Window) -> None:
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

        def work(connection: Connection) -> None:
            for chunk in chunks(rows):
                connection.execute(_go_on(connection.dialect.name), chunk)

        self.database.write(work)

    def all(self) -> Mapping[Pair, Failing]:
        """Every pair that fails, since when and why."""
        rows = self.database.read(lambda connection: connection.execute(select(errors)).all())
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
    for at in sorted(set(to.values())):
        given = {"at": at, "pairs": as_given([pair for pair, end in to.items() if end == at])}
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
def _go_on(dialect: str) -> postgresql.Insert | sqlite.Insert:
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
_END = delete(errors).where(of_pairs(errors), errors.c.until <= _AT)
_SHORTEN = update(errors).where(of_pairs(errors), errors.c.since < _AT).values(since=_AT)
