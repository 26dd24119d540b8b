"""What checks remember from window to window: columns of the source, what lay in buckets (O1)."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
)

from cio_pipeline.ledger.database import Database, reading, writing
from cio_pipeline.ledger.given import rows_given
from cio_pipeline.ledger.quarantine import told_in_bulk
from cio_pipeline.ledger.schema import (
    IS_UNFINISHED,
    manifests,
    metadata,
    plans,
    positions,
    quarantine,
    syncs,
)
from cio_pipeline.ledger.statements import UtcTime, upsert
from cio_pipeline.ledger.states import current_positions
from cio_pipeline.model.differences import Difference, OfDay
from cio_pipeline.model.looks import BucketLook, SeenColumns
from cio_pipeline.model.plans import Mode, PlanState
from cio_pipeline.model.registry import Pair

source_columns = Table(
    "source_columns",
    metadata,
    Column("source_table", Text, primary_key=True),
    # Names and types: JSON; and those that there were until they changed last.
    Column("columns", Text, nullable=False),
    Column("before", Text),
    Column("changed_at", UtcTime, nullable=False),
)

bucket_looks = Table(
    "bucket_looks",
    metadata,
    Column("sync_id", Text, primary_key=True),
    Column("looked_at", UtcTime, nullable=False),
    # The manifest up to which all was in order, how many files were missing, and JSON: some of
    # them, numbers that are in no manifest, keys that are in several.
    Column("ordinal", BigInteger, nullable=False),
    Column("missing", BigInteger, nullable=False),
    Column("named", Text, nullable=False),
)

differences = Table(
    "differences",
    metadata,
    Column("sync_id", Text, primary_key=True),
    Column("export", Text, primary_key=True),
    Column("day", UtcTime, primary_key=True, autoincrement=False),
    Column("start", UtcTime, nullable=False),
    Column("end", UtcTime, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("sent", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("wrong", Text, nullable=False),
    Column("keys_differ", Boolean, nullable=False),
    Column("ranges", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True)
class Looks:
    """What was seen when somebody looked last."""

    database: Database

    @reading
    def columns(self, connection: Connection) -> Mapping[str, SeenColumns]:
        """The columns of source tables, by table."""
        return {
            table: SeenColumns(table, json.loads(now), json.loads(before or "null"), at)
            for table, now, before, at in connection.execute(select(source_columns))
        }

    @writing
    def keep_columns(self, connection: Connection, seen: Sequence[SeenColumns]) -> None:
        """Remember columns in place of what was remembered of those tables."""
        rows = [
            {
                "source_table": one.table,
                "columns": json.dumps(one.columns, sort_keys=True),
                "before": None if one.before is None else json.dumps(one.before, sort_keys=True),
                "changed_at": one.changed_at,
            }
            for one in seen
        ]
        upsert(connection, source_columns, rows)

    @reading
    def buckets(self, connection: Connection) -> Mapping[str, BucketLook]:
        """What was missing in buckets, by sync."""
        return {
            sync_id: BucketLook(
                sync_id, at, ordinal, missing, *(tuple(its) for its in json.loads(named))
            )
            for sync_id, at, ordinal, missing, named in connection.execute(select(bucket_looks))
        }

    @writing
    def keep_buckets(self, connection: Connection, seen: Sequence[BucketLook]) -> None:
        """Remember looks in place of what was remembered of those syncs."""
        rows = [
            {
                "sync_id": one.sync_id,
                "looked_at": one.looked_at,
                "ordinal": one.ordinal,
                "missing": one.missing,
                "named": json.dumps([one.named, one.gaps, one.twice]),
            }
            for one in seen
        ]
        upsert(connection, bucket_looks, rows)

    @reading
    def differences(self, connection: Connection) -> Mapping[OfDay, Difference]:
        """What the source tells otherwise than what was sent: a state that a repair ends."""
        found = (Difference(*row) for row in connection.execute(_DIFFERENCES).all())
        return {one.of_day: one for one in found}

    @writing
    def keep_differences(
        self, connection: Connection, over: Collection[OfDay], found: Mapping[OfDay, Difference]
    ) -> None:
        """Forget what is over, and remember what was found in place of what was so far."""
        connection.execute(_OVER, {"over": over})
        upsert(
            connection,
            differences,
            [{"day": day, **asdict(one)} for (*_, day), one in found.items()],
        )

    @reading
    def stands(self, connection: Connection, exports: Collection[str]) -> Mapping[Pair, datetime]:
        """Up to when each (sync, export) was sent everything, of those that were sent anything.

        One statement for all of them: a state tells more, and costs ten times as much.
        """
        query = current_positions().where(positions.c.export.in_(sorted(exports)))
        return {(sync_id, export): at for sync_id, export, at in connection.execute(query).all()}

    @reading
    def reached(self, connection: Connection, export: str) -> Mapping[str, datetime]:
        """Up to when all files of an export lie in each sync's bucket, of those sent anything.

        As `ExportState.delivered` tells it: beyond the position where a plan waits to be committed.
        """
        rows = connection.execute(_REACHED, {"of": export}).all()
        # Of two times of a sync the later one counts.
        return dict(sorted((sync_id, at) for sync_id, at in rows))

    @reading
    def bodies(
        self, connection: Connection, sync_id: str, after: int, most: int
    ) -> Sequence[tuple[int, bytes]]:
        """The latest manifests of a sync that lie in its bucket, at most so many, oldest first.

        Those whose bytes were pruned are left out, and those before the chain's present place.
        """
        c = manifests.c
        first = select(syncs.c.first_manifest).where(syncs.c.id == sync_id).scalar_subquery()
        query = (
            select(c.ordinal, c.body)
            .where(c.sync_id == sync_id, c.ordinal > after, c.ordinal >= first)
            .where(c.put_at.is_not(None), c.bytes.is_(None))
            .order_by(c.ordinal.desc())
            .limit(most)
        )
        return [(ordinal, body) for ordinal, body in connection.execute(query)][::-1]

    @reading
    def held_back(
        self, connection: Connection, since: datetime
    ) -> Mapping[Pair, Mapping[str, tuple[int, datetime]]]:
        """Rows in quarantine of windows that ended after a time: by pair and reason, and the last.

        Counted by the database: however many there are, no identity leaves it.
        """
        c = quarantine.c
        query = (
            select(c.sync_id, c.export, c.reason, func.sum(c.count), func.max(c.window_end))
            .where(c.state == "open", c.window_end > since)
            .group_by(c.sync_id, c.export, c.reason)
        )
        found: dict[Pair, dict[str, tuple[int, datetime]]] = {}
        for sync_id, export, reason, rows, last in connection.execute(query):
            found.setdefault((sync_id, export), {})[reason] = int(rows), last
        for one in told_in_bulk(connection, None):
            if one.window_end > since:
                its = found.setdefault((one.sync_id, one.export), {})
                rows, last = its.get(one.reason, (0, one.window_end))
                its[one.reason] = rows + one.count, max(last, one.window_end)
        return found


_DIFFERENCES = select(*(one for one in differences.c if one.name != "day")).order_by(
    *differences.primary_key
)
_REACHED = (
    current_positions()
    .where(positions.c.export == bindparam("of"))
    .with_only_columns(positions.c.sync_id, positions.c.at)
    .union_all(
        select(plans.c.sync_id, plans.c.upper_at)
        .where(IS_UNFINISHED, plans.c.export == bindparam("of"), plans.c.mode != Mode.REPLAY)
        .where(plans.c.state == PlanState.DELIVERED, plans.c.slice + 1 >= plans.c.slices)
    )
)
_OVER = delete(differences).where(rows_given(list(differences.primary_key), "over"))


def forget_differences(connection: Connection, sync_id: str, exports: Collection[str]) -> None:
    """Exports begin anew: what was sent of them before is history."""
    c = differences.c
    its = c.sync_id == sync_id, c.export.in_(sorted(exports))
    connection.execute(delete(differences).where(*its))


def prune_differences(connection: Connection, before: datetime) -> int:
    """Remove what was never repaired of days before a time; how many rows."""
    return connection.execute(delete(differences).where(differences.c.day < before)).rowcount
