"""Very many rows held back by one plan: a Parquet file in the ledger, told by numbers and samples.

In the ledger, not in the spool (ADR 15): whatever host runs the next window finds it, it is stored
with the seal or not at all, and it goes where the ledger goes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Connection, delete, func, insert, select

from cio_pipeline.ledger.schema import quarantine_bulk
from cio_pipeline.ledger.statements import of_pairs
from cio_pipeline.model.plans import QuarantineBulk, SealedPlan
from cio_pipeline.model.registry import Pair

PIECE = 200_000
"""Rows of one value: some MiB, so that none is too large for a database or for memory."""

SAMPLES = 3
"""Rows per reason that are named where the bulk is told of."""

_C = quarantine_bulk.c


def _schema() -> dict[str, type[pl.DataType]]:
    return {
        "workspace_id": pl.Int64,
        "identity": pl.String,
        "reason": pl.String,
        "count": pl.Int64,
    }


HELD = select(_C.sync_id, _C.body).where(of_pairs(quarantine_bulk)).order_by(_C.id)
"""What the given `pairs` keep in bulk: sync_id, and a value that `read` unpacks."""


def keep_bulk(connection: Connection, sealed: SealedPlan) -> None:
    """Keep what a plan's slice holds back."""
    rows = [(r.workspace_id, r.identity, r.reason, r.count) for r in sealed.quarantined]
    frame = pl.DataFrame(rows, schema=_schema(), orient="row")
    plan = sealed.plan
    _insert(connection, (plan.sync_id, plan.export), plan.plan_id, plan.upper.at, frame)


def without(connection: Connection, pair: Pair, plan_id: int, identities: Collection[str]) -> None:
    """Take identities out of what earlier plans keep in bulk; what is left of those is one.

    The lease on the pair keeps others from doing the same.
    """
    earlier = (_C.sync_id == pair[0]) & (_C.export == pair[1]) & (_C.plan_id != plan_id)
    of = connection.execute(
        select(func.count(), func.max(_C.plan_id), func.max(_C.window_end)).where(earlier)
    ).one()
    if not of[0]:
        return
    bodies = connection.scalars(select(_C.body).where(earlier).order_by(_C.id))
    kept = pl.concat([read(body) for body in bodies])
    gone = pl.DataFrame({"identity": list(identities)}, schema={"identity": pl.String})
    rest = kept.join(gone, on="identity", how="anti", maintain_order="left")
    if rest.height == kept.height:
        return
    connection.execute(delete(quarantine_bulk).where(earlier))
    _insert(connection, pair, of[1], of[2], rest)


def forget_bulk(connection: Connection, sync_id: str, exports: Collection[str]) -> None:
    """Forget all that exports of a sync keep in bulk."""
    connection.execute(
        delete(quarantine_bulk).where(_C.sync_id == sync_id, _C.export.in_(sorted(exports)))
    )


def told(connection: Connection, sync_ids: Collection[str] | None) -> list[QuarantineBulk]:
    """Numbers and samples by sync, export and reason; nothing is unpacked for them."""
    query = select(_C.sync_id, _C.export, _C.window_end, _C.reasons).order_by(_C.id)
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
        connection.execute(insert(quarantine_bulk), row)


def _reasons(piece: pl.DataFrame) -> dict[str, tuple[int, int, list[str]]]:
    groups = piece.group_by("reason").agg(
        pl.len().alias("identities"), pl.col("count").sum(), pl.col("identity").head(SAMPLES)
    )
    return {
        reason: (identities, count, samples)
        for reason, identities, count, samples in groups.sort("reason").iter_rows()
    }


def read(body: bytes) -> pl.DataFrame:
    """A value of the table: workspace_id, identity, reason, count."""
    return pl.read_parquet(io.BytesIO(body), schema=_schema())
