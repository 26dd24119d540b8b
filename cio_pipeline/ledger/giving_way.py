"""The ledger gives way to the bucket: what it holds beyond the manifests there."""

from datetime import datetime

from sqlalchemy import Connection, RowMapping, delete, func, select, update

from cio_pipeline.ledger.given import as_given, rows_given
from cio_pipeline.ledger.known_files import CONTRADICTS
from cio_pipeline.ledger.plan_rows import is_under_way
from cio_pipeline.ledger.quarantine import read_again
from cio_pipeline.ledger.schema import (
    files,
    is_unfinished,
    manifests,
    plans,
    voids,
)
from cio_pipeline.model.errors import LedgerError
from cio_pipeline.model.plans import Mode, PlanState
from cio_pipeline.model.recovery import Recovered


def drop_unput(connection: Connection, found: Recovered) -> None:
    """Remove stored manifests that the bucket has in another form; they were never put.

    What they list counts as unlisted again, until a manifest of the bucket lists it.
    """
    first = min((ordinal for ordinal, _ in found.manifests), default=None)
    if first is None:
        return
    stored = manifests.c.sync_id == found.sync_id, manifests.c.ordinal >= first
    put = connection.scalar(
        select(func.min(manifests.c.ordinal)).where(*stored, manifests.c.put_at.is_not(None))
    )
    if put is not None:
        raise LedgerError(
            f"Manifest {put} of sync '{found.sync_id}' was put by this ledger, and its bucket "
            "holds another one.",
            CONTRADICTS,
        )
    for table in (files, voids):
        listed = table.c.sync_id == found.sync_id, table.c.manifest_ordinal >= first
        connection.execute(update(table).where(*listed).values(manifest_ordinal=None))
    connection.execute(delete(manifests).where(*stored))


def abandon_unfinished(
    connection: Connection, found: Recovered, now: datetime
) -> list[tuple[str, str, int]]:
    """Close unfinished plans, and forget their files; the (export, series, number) of those."""
    query = select(plans.c.id, plans.c.export, plans.c.mode, plans.c.upper_at).where(
        plans.c.sync_id == found.sync_id,
        is_unfinished(),
        plans.c.export.not_in(sorted(found.kept)),
    )
    unfinished = connection.execute(query).mappings().all()
    ids = [row["id"] for row in unfinished]
    ahead = [row["id"] for row in unfinished if _is_ahead(row, found)]
    read_again(connection, ahead)
    sealed = list(
        connection.execute(
            select(files.c.key, plans.c.export, files.c.series, files.c.sequence)
            .join(plans, plans.c.id == files.c.plan_id)
            .where(plans.c.id.in_(ids), is_under_way())
        )
    )
    these = rows_given((files.c.sync_id, files.c.key, files.c.sequence), "these")
    keys = [(found.sync_id, key, sequence) for key, _, _, sequence in sealed]
    connection.execute(delete(files).where(these), {"these": as_given(keys)})
    connection.execute(
        update(plans)
        .where(plans.c.id.in_(ids))
        .values(state=PlanState.ABANDONED.value, closed_at=now)
    )
    return [(export, series, sequence) for _, export, series, sequence in sealed]


def _is_ahead(plan: RowMapping, found: Recovered) -> bool:
    """Whether the bucket has not come to where a plan was to lead: its rows are read again."""
    position = found.positions.get(plan["export"])
    behind = position is None or position.at < plan["upper_at"]
    return behind and plan["mode"] != Mode.RETRY
