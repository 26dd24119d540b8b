"""Rows that were held back: identities and reasons, never values.

Few rows of a plan are entries of their own. More than MOST_ENTRIES are kept in bulk, as a Parquet
file in a value, told by numbers and samples: however many they are, a window costs few statements.
They lie in the ledger, not in the spool (ADR 15): whatever host runs the next window finds them,
they are stored with the seal or not at all, and go where the ledger goes.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import (
    Connection,
    case,
    delete,
    func,
    insert,
    literal_column,
    select,
    text,
    union,
    update,
)

from cio_pipeline.ledger.database import Database, reading
from cio_pipeline.ledger.given import of_pairs, rows_given
from cio_pipeline.ledger.schema import quarantine
from cio_pipeline.ledger.schema import quarantine_bulk as bulk
from cio_pipeline.ledger.statements import chunks, insert_into
from cio_pipeline.model.plans import QuarantineBulk, QuarantinedRow, QuarantineEntry, SealedPlan
from cio_pipeline.model.registry import Pair

MOST_ENTRIES = 1_000
"""Rows of a plan's slice that are entries of their own."""

MOST_OPEN = 10_000
"""Open entries of a pair; what later windows hold back is kept in bulk."""

# In the statement's text: only then does SQLite see that the index of open entries will do.
_IS_OPEN = quarantine.c.state == literal_column("'open'")
_ENTRIES = select(quarantine.c.id, *(quarantine.c[one.name] for one in fields(QuarantineEntry)[1:]))
_HELD = select(quarantine.c.sync_id, quarantine.c.workspace_id, quarantine.c.identity).where(
    of_pairs(quarantine), _IS_OPEN
)
_PAIRS = union(
    select(quarantine.c.sync_id, quarantine.c.export).where(_IS_OPEN),
    select(bulk.c.sync_id, bulk.c.export),
)
_COUNTED = (
    select(
        quarantine.c.sync_id,
        quarantine.c.export,
        func.sum(quarantine.c.count),
        func.max(quarantine.c.window_end),
    )
    .where(_IS_OPEN)
    .group_by(quarantine.c.sync_id, quarantine.c.export)
)
_NUMBERS = (
    select(quarantine.c.sync_id, quarantine.c.export, func.count())
    .where(of_pairs(quarantine), _IS_OPEN)
    .group_by(quarantine.c.sync_id, quarantine.c.export)
)


@dataclass(frozen=True)
class Quarantine:
    """Rows that were held back."""

    database: Database

    @reading
    def entries(
        self,
        connection: Connection,
        sync_ids: Collection[str] | None = None,
        state: str | None = "open",
    ) -> Sequence[QuarantineEntry]:
        """Entries by sync, export and identity; of all syncs and states for None."""
        query = _ENTRIES
        if sync_ids is not None:
            query = query.where(rows_given((quarantine.c.sync_id,), "syncs"))
        if state is not None:
            query = query.where(_IS_OPEN if state == "open" else quarantine.c.state == state)
        given = {"syncs": sorted(set(sync_ids or ()))}
        found = [QuarantineEntry(*row) for row in connection.execute(query, given)]
        return sorted(found, key=lambda e: (e.sync_id, e.export, e.identity, e.reason, e.entry_id))

    @reading
    def bulk(
        self, connection: Connection, sync_ids: Collection[str] | None = None
    ) -> Sequence[QuarantineBulk]:
        """What is kept in bulk, by sync, export and reason: numbers and samples."""
        return told_in_bulk(connection, sync_ids)

    @reading
    def numbers(self, connection: Connection) -> Mapping[Pair, tuple[int, datetime]]:
        """How many rows are held back of each (sync, export), and the end of the latest window."""
        rows = connection.execute(_COUNTED)
        found = {(row[0], row[1]): (int(row[2]), row[3]) for row in rows}
        for one in told_in_bulk(connection, None):
            pair = one.sync_id, one.export
            count, last = found.get(pair, (0, one.window_end))
            found[pair] = count + one.count, max(last, one.window_end)
        return found

    @reading
    def pairs(self, connection: Connection, sync_ids: Collection[str] | None = None) -> list[Pair]:
        """The (sync, export) that have rows in quarantine, sorted."""
        return sorted(
            (sync_id, export)
            for sync_id, export in connection.execute(_PAIRS)
            if sync_ids is None or sync_id in sync_ids
        )

    @reading
    def held(self, connection: Connection, sync_ids: Collection[str], export: str) -> pl.DataFrame:
        """The rows of an export that are in quarantine: sync_id, workspace_id and identity."""
        given = {"pairs": [(sync_id, export) for sync_id in set(sync_ids)]}
        schema = {"sync_id": pl.String, "workspace_id": pl.Int64, "identity": pl.String}
        entries = [tuple(row) for row in connection.execute(_HELD, given).all()]
        rows = pl.DataFrame(entries, schema=schema, orient="row")
        many = [
            _read(body).select(pl.lit(sync_id).alias("sync_id"), "workspace_id", "identity")
            for sync_id, body in connection.execute(_HELD_IN_BULK, given)
        ]
        return pl.concat([rows, *many]).unique(maintain_order=True)


def hold_back(connection: Connection, sealed: Collection[SealedPlan]) -> None:
    """Store the quarantined rows of plans, each of which has some.

    An open entry of the same identity and reason is brought up to date (count, window): it still
    is the same row of the source. One that an earlier slice of the plan made is added to.
    """
    held = {(one.plan.sync_id, one.plan.export): one for one in sealed}
    numbers = connection.execute(_NUMBERS, {"pairs": held})
    open_now = {(sync_id, export): number for sync_id, export, number in numbers}
    rows: list[dict[str, Any]] = []
    for pair, one in sorted(held.items()):
        identities = [row.identity for row in one.quarantined]
        _without(connection, pair, one.plan.plan_id, identities)
        number = len(one.quarantined)
        if number > MOST_ENTRIES or open_now.get(pair, 0) + number > MOST_OPEN:
            _close(connection, one.plan.plan_id, pair, identities, "superseded")
            _keep_bulk(connection, one)
        else:
            rows += [_row(one, row) for row in one.quarantined]
    if rows:
        connection.execute(_hold(connection.dialect.name), rows)


def _hold(dialect: str) -> Any:
    statement = insert_into(dialect, quarantine)
    new = statement.excluded
    more = quarantine.c.count + new.count
    return statement.on_conflict_do_update(
        index_elements=[quarantine.c.sync_id, quarantine.c.export, quarantine.c.digest],
        index_where=text("state = 'open'"),
        set_={
            "workspace_id": new.workspace_id,
            "count": case((quarantine.c.plan_id == new.plan_id, more), else_=new.count),
            "window_end": new.window_end,
            "plan_id": new.plan_id,
        },
    )


def resolve(
    connection: Connection, plan_id: int, pair: Pair, identities: Sequence[str], state: str
) -> None:
    """Close what is open of identities that a plan delivered, but not what it made itself."""
    _close(connection, plan_id, pair, identities, state)
    _without(connection, pair, plan_id, identities)


def _close(
    connection: Connection, plan_id: int, pair: Pair, identities: Sequence[str], state: str
) -> None:
    for chunk in chunks(sorted(set(identities))):
        connection.execute(
            update(quarantine)
            .where(
                quarantine.c.sync_id == pair[0],
                quarantine.c.export == pair[1],
                _IS_OPEN,
                quarantine.c.plan_id != plan_id,
                quarantine.c.identity.in_(chunk),
            )
            .values(state=state)
        )


def read_again(connection: Connection, plan_ids: Collection[int]) -> None:
    """Close what plans hold back which are given up: the next plan finds it anew.

    At the position, which such a plan did not move, a row may still be as it was sent.
    """
    for chunk in chunks(sorted(plan_ids)):
        connection.execute(
            update(quarantine)
            .where(quarantine.c.plan_id.in_(chunk), _IS_OPEN)
            .values(state="superseded")
        )
        connection.execute(delete(bulk).where(bulk.c.plan_id.in_(chunk)))


def forget_held(connection: Connection, sync_id: str, exports: Collection[str]) -> None:
    """Close what is held back of exports that read all history again: they find it anew."""
    connection.execute(
        update(quarantine)
        .where(quarantine.c.sync_id == sync_id, quarantine.c.export.in_(sorted(exports)), _IS_OPEN)
        .values(state="superseded")
    )
    connection.execute(
        delete(bulk).where(bulk.c.sync_id == sync_id, bulk.c.export.in_(sorted(exports)))
    )


def _row(sealed: SealedPlan, row: QuarantinedRow) -> dict[str, Any]:
    told_apart = json.dumps([row.identity, row.reason])
    return {
        "sync_id": sealed.plan.sync_id,
        "export": sealed.plan.export,
        **vars(row),
        "digest": hashlib.sha256(told_apart.encode()).hexdigest(),
        "window_end": sealed.plan.upper.at,
        "plan_id": sealed.plan.plan_id,
        "state": "open",
    }


PIECE = 200_000
"""Rows of one value: some MiB, so that none is too large for a database or for memory."""

SAMPLES = 3
"""Rows per reason that are named where the bulk is told of."""


def _schema() -> dict[str, type[pl.DataType]]:
    return {"workspace_id": pl.Int64, "identity": pl.String, "reason": pl.String, "count": pl.Int64}


_HELD_IN_BULK = select(bulk.c.sync_id, bulk.c.body).where(of_pairs(bulk)).order_by(bulk.c.id)
"""What the given `pairs` keep in bulk: sync_id, and a value that `_read` unpacks."""


def _keep_bulk(connection: Connection, sealed: SealedPlan) -> None:
    """Keep what a plan's slice holds back."""
    rows = [(r.workspace_id, r.identity, r.reason, r.count) for r in sealed.quarantined]
    frame = pl.DataFrame(rows, schema=_schema(), orient="row")
    plan = sealed.plan
    _insert(connection, (plan.sync_id, plan.export), plan.plan_id, plan.upper.at, frame)


def _without(connection: Connection, pair: Pair, plan_id: int, identities: Collection[str]) -> None:
    """Take identities out of what earlier plans keep in bulk; what is left of those is one.

    The lease on the pair keeps others from doing the same.
    """
    earlier = (bulk.c.sync_id == pair[0]) & (bulk.c.export == pair[1]) & (bulk.c.plan_id != plan_id)
    of = connection.execute(
        select(func.count(), func.max(bulk.c.plan_id), func.max(bulk.c.window_end)).where(earlier)
    ).one()
    if not of[0]:
        return
    bodies = connection.scalars(select(bulk.c.body).where(earlier).order_by(bulk.c.id))
    kept = pl.concat([_read(body) for body in bodies])
    gone = pl.DataFrame({"identity": list(identities)}, schema={"identity": pl.String})
    rest = kept.join(gone, on="identity", how="anti", maintain_order="left")
    if rest.height == kept.height:
        return
    connection.execute(delete(bulk).where(earlier))
    _insert(connection, pair, of[1], of[2], rest)


def told_in_bulk(connection: Connection, sync_ids: Collection[str] | None) -> list[QuarantineBulk]:
    """Numbers and samples by sync, export and reason; nothing is unpacked for them."""
    c = bulk.c
    query = select(c.sync_id, c.export, c.window_end, c.reasons).order_by(c.id)
    found: dict[tuple[str, str, str], QuarantineBulk] = {}
    for sync_id, export, window_end, reasons in connection.execute(query):
        if sync_ids is not None and sync_id not in sync_ids:
            continue
        for reason, (identities, count, samples) in json.loads(reasons).items():
            new = QuarantineBulk(
                sync_id, export, reason, identities, count, window_end, tuple(samples)
            )
            known = found.get((sync_id, export, reason))
            found[sync_id, export, reason] = known.with_more(new) if known else new
    return [found[key] for key in sorted(found)]


def _insert(
    connection: Connection, pair: Pair, plan_id: int, window_end: datetime, frame: pl.DataFrame
) -> None:
    for piece in frame.iter_slices(PIECE):
        buffer = io.BytesIO()
        piece.write_parquet(buffer, compression="zstd")
        row: dict[str, Any] = {
            "sync_id": pair[0],
            "export": pair[1],
            "plan_id": plan_id,
            "window_end": window_end,
            "reasons": json.dumps(_reasons(piece)),
            "body": buffer.getvalue(),
        }
        connection.execute(insert(bulk), row)


def _reasons(piece: pl.DataFrame) -> dict[str, tuple[int, int, list[str]]]:
    groups = piece.group_by("reason").agg(
        pl.len().alias("identities"), pl.col("count").sum(), pl.col("identity").head(SAMPLES)
    )
    return {
        reason: (identities, count, samples)
        for reason, identities, count, samples in groups.sort("reason").iter_rows()
    }


def _read(body: bytes) -> pl.DataFrame:
    """A value of the table: workspace_id, identity, reason, count."""
    return pl.read_parquet(io.BytesIO(body), schema=_schema())
