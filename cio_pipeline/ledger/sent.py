"""What was sent: by the hour and by the day, added up with each commit (O1); and by plan."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Insert,
    Table,
    Text,
    bindparam,
    case,
    cast,
    delete,
    func,
    literal_column,
    select,
    true,
    type_coerce,
    union_all,
)

from cio_pipeline.ledger.database import Database, reading
from cio_pipeline.ledger.given import item_of, rows_given, rows_of
from cio_pipeline.ledger.plan_rows import PLANS, of_plans
from cio_pipeline.ledger.schema import (
    IS_COMMITTED,
    files,
    metadata,
    plans,
    quarantine,
    quarantine_bulk,
    rewrites,
)
from cio_pipeline.ledger.statements import UtcTime, insert_into
from cio_pipeline.ledger.states import plans_of
from cio_pipeline.model.plans import Mode, Plan, PlanState
from cio_pipeline.model.volumes import ALL, DAY, HOUR, Key, Volume

volumes = Table(
    "volumes",
    metadata,
    # In microseconds: an hour, or a day.
    Column("length", BigInteger, primary_key=True, autoincrement=False),
    Column("ends_at", UtcTime, primary_key=True, autoincrement=False),
    Column("sync_id", Text, primary_key=True),
    Column("export", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("since", UtcTime, nullable=False),
    sqlite_with_rowid=False,
)


_MICROSECOND = timedelta(microseconds=1)


def keep_volumes(connection: Connection, plan_ids: Collection[int]) -> None:
    """Add what the slices under way of plans send; to be called before a manifest lists them."""
    for statement in _added(connection.dialect.name):
        connection.execute(statement, {"ids": plan_ids})


@dataclass(frozen=True)
class VolumesKept:
    """What was sent by hour and day, for some weeks."""

    database: Database

    @reading
    def of(
        self,
        connection: Connection,
        length: timedelta,
        ends: Collection[datetime],
        *,
        kinds: Collection[str] | None = None,
        sync_ids: Collection[str] | None = None,
        least: int = 0,
    ) -> Mapping[datetime, Mapping[Key, Volume]]:
        """The volumes of hours or days that end at some times; nothing for those without any.

        Of all kinds of rows and all syncs, or of some; without those of fewer rows than `least`.
        """
        found: dict[datetime, dict[Key, Volume]] = {end: {} for end in ends}
        query = _OF
        given: dict[str, Any] = {"length": length // _MICROSECOND, "ends": sorted(set(ends))}
        if kinds is not None:
            query = query.where(volumes.c.kind.in_(sorted(kinds)))
        if least:
            query = query.where(volumes.c.rows >= least)
        if sync_ids is not None:
            query = query.where(rows_given((volumes.c.sync_id,), "sync_ids"))
            given["sync_ids"] = sorted(set(sync_ids))
        for end, sync_id, export, kind, *rest in connection.execute(query, given).all():
            found[end][sync_id, export, kind] = Volume(*rest)
        return found

    @reading
    def begun(self, connection: Connection) -> datetime | None:
        """The end of the first day that volumes are kept of."""
        first = select(func.min(volumes.c.ends_at)).where(volumes.c.length == _number(DAY))
        return connection.scalar(first)


_OF = select(
    volumes.c.ends_at,
    volumes.c.sync_id,
    volumes.c.export,
    volumes.c.kind,
    volumes.c.rows,
    volumes.c.bytes,
    volumes.c.since,
).where(volumes.c.length == bindparam("length"), rows_given((volumes.c.ends_at,), "ends"))


def prune_volumes(connection: Connection, before: datetime) -> int:
    """Remove what was sent in the oldest hour or day that ended before a time; how many rows."""
    old = select(volumes.c.length, func.min(volumes.c.ends_at)).group_by(volumes.c.length)
    removed = 0
    for length, end in connection.execute(old).all():
        if end < before:
            its = volumes.c.length == length, volumes.c.ends_at == end
            removed += connection.execute(delete(volumes).where(*its)).rowcount
    return removed


_COLUMNS = ("length", "ends_at", "sync_id", "export", "kind", "rows", "bytes", "since")
_SENT = of_plans() & ~IS_COMMITTED & plans.c.mode.in_([Mode.CHANGES, Mode.CATCH_UP])


def _number(length: timedelta) -> ColumnElement[int]:
    return literal_column(str(length // _MICROSECOND), BigInteger)


def _end(length: Any) -> Any:
    """The end of the stretch of that length that a plan's upper cut falls into."""
    at = type_coerce(plans.c.upper_at, BigInteger)
    return (at + length - literal_column("1", BigInteger)) // length * length


def _upserted(dialect: str, query: Any) -> Insert:
    statement = insert_into(dialect, volumes).from_select(_COLUMNS, query)
    new, c = statement.excluded, volumes.c
    return statement.on_conflict_do_update(
        index_elements=list(volumes.primary_key.columns),
        set_={
            "rows": c.rows + new.rows,
            "bytes": c.bytes + new.bytes,
            "since": case((new.since < c.since, new.since), else_=c.since),
        },
    )


@lru_cache
def _added(dialect: str) -> tuple[Insert, ...]:
    """All rows by hour and day; and by day those of each kind that were counted."""
    hour, day = _number(HOUR), _number(DAY)
    lengths = union_all(select(hour.label("length")), select(day.label("length"))).subquery()
    of_plan = plans.join(files, files.c.plan_id == plans.c.id)
    nothing, everything = literal_column("0", BigInteger), literal_column(f"'{ALL}'", Text)
    whole = (
        select(
            lengths.c.length,
            _end(lengths.c.length),
            plans.c.sync_id,
            plans.c.export,
            everything,
            func.sum(files.c.rows),
            func.sum(files.c.bytes),
            plans.c.lower_at,
        )
        .select_from(of_plan.join(lengths, true()))
        .where(_SENT)
        .group_by(plans.c.id, lengths.c.length)
    )
    counted = rows_of(files.c.counts)
    kind, number = cast(item_of(counted.c.value, 0), Text), item_of(counted.c.value, 1)
    kinds = (
        select(
            day,
            _end(day),
            plans.c.sync_id,
            plans.c.export,
            kind,
            func.sum(cast(number, BigInteger)),
            nothing,
            plans.c.lower_at,
        )
        .select_from(of_plan.join(counted, true()))
        .where(_SENT, files.c.counts.is_not(None))
        # PostgreSQL adds to no row twice in one statement.
        .group_by(plans.c.id, kind)
    )
    return _upserted(dialect, whole), _upserted(dialect, kinds)


_OF_WINDOWS = (Mode.INITIAL, Mode.CHANGES, Mode.CATCH_UP)
_DONE = plans.c.state == PlanState.COMMITTED


@dataclass(frozen=True)
class Sent:
    """What was sent, by plan."""

    database: Database

    @reading
    def plans(
        self, connection: Connection, export: str, since: datetime, until: datetime
    ) -> Sequence[Plan]:
        """The committed plans of windows of an export that end in (since, until], in order.

        Of each sync the last one before comes first, if there is any.
        """
        c = plans.c
        its = c.export == export, _DONE, c.mode.in_(_OF_WINDOWS)
        within = PLANS.where(*its, c.upper_at > since, c.upper_at <= until)
        rows = list(connection.execute(within).all())
        last = (
            select(func.max(c.id))
            .where(*its, c.upper_at <= since, c.sync_id.in_({row.sync_id for row in rows}))
            .group_by(c.sync_id)
        )
        rows += connection.execute(PLANS.where(c.id.in_(last))).all()
        rows.sort(key=attrgetter("sync_id", "upper_at", "id"))
        return plans_of(connection, rows)[0]

    @reading
    def rows(self, connection: Connection, plan_ids: Collection[int]) -> Mapping[int, int]:
        """How many rows the listed files of plans have; none of those that have no file."""
        c = files.c
        given = rows_given((c.plan_id,), "ids")
        query = select(c.plan_id, func.sum(c.rows)).where(given, IS_COMMITTED).group_by(c.plan_id)
        rows = connection.execute(query, {"ids": plan_ids})
        return {plan_id: int(count) for plan_id, count in rows}

    @reading
    def again(self, connection: Connection, export: str) -> set[tuple[str, datetime, datetime]]:
        """The ranges of an export that were sent again: sync, lower and upper time."""
        c = plans.c
        its = c.export == export, _DONE, c.mode == Mode.REPLAY
        rows = connection.execute(select(c.sync_id, c.lower_at, c.upper_at).where(*its))
        return {(sync_id, lower, upper) for sync_id, lower, upper in rows}

    @reading
    def rewritten(self, connection: Connection, plan_ids: Collection[int]) -> set[int]:
        """The plans of which a file was rewritten since: it may have fewer rows."""
        c = files.c
        query = (
            select(c.plan_id)
            .join(rewrites, (rewrites.c.sync_id == c.sync_id) & (rewrites.c.key == c.key))
            .where(rows_given((c.plan_id,), "ids"))
        )
        return set(connection.scalars(query, {"ids": plan_ids}))

    @reading
    def held(self, connection: Connection, plan_ids: Collection[int]) -> Mapping[int, int]:
        """How many rows plans held back, as far as the ledger still tells."""
        found: dict[int, int] = {}
        c, given = quarantine.c, {"ids": plan_ids}
        single = select(c.plan_id, func.sum(c.count)).group_by(c.plan_id)
        for plan_id, count in connection.execute(
            single.where(rows_given((c.plan_id,), "ids")), given
        ):
            found[plan_id] = int(count)
        bulk = select(quarantine_bulk.c.plan_id, quarantine_bulk.c.reasons)
        for plan_id, reasons in connection.execute(
            bulk.where(rows_given((quarantine_bulk.c.plan_id,), "ids")), given
        ):
            found[plan_id] = found.get(plan_id, 0) + _counted(reasons)
        return found


def _counted(reasons: str) -> int:
    return sum(count for _, count, _ in json.loads(reasons).values())
