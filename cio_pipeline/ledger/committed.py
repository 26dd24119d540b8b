"""Committed plans as they were sealed: what is needed to encode their files again."""

import json
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, select

from cio_pipeline.ledger.bulk import chunks
from cio_pipeline.ledger.cuts import cuts_at
from cio_pipeline.ledger.plan_rows import file_of, plan_of
from cio_pipeline.ledger.schema import files, plans, syncs
from cio_pipeline.model.plans import SealedFile, SealedPlan
from cio_pipeline.model.recovery import CommittedPlan


def committed_plans(connection: Connection, sync_ids: Collection[str]) -> Sequence[CommittedPlan]:
    """Plans with files that were committed for some syncs, in the order of their manifests.

    Of a plan that is under way, the files of the slices that were committed. Files that were purged
    or lie where the sync's files went before are left out.
    """
    found: list[CommittedPlan] = []
    for chunk in chunks(sorted(set(sync_ids))):
        found += _of_syncs(connection, chunk)
    return found


def _of_syncs(connection: Connection, sync_ids: Sequence[str]) -> list[CommittedPlan]:
    of_plan = _files(connection, sync_ids)
    query = select(plans).where(plans.c.sync_id.in_(sync_ids))
    by_id = {row["id"]: row for row in connection.execute(query).mappings()}
    rows = [by_id[plan_id] for plan_id in of_plan]
    times = {row[name] for row in rows for name in ("lower_at", "upper_at")} - {None}
    by_time = cuts_at(connection, times)
    return [
        CommittedPlan(
            SealedPlan(
                plan_of(row, by_time),
                tuple(of_plan[row["id"]]),
                resolved=tuple(json.loads(row["resolved"] or "[]")),
            ),
            row["closed_at"] or row["opened_at"],
        )
        for row in rows
    ]


def _files(connection: Connection, sync_ids: Sequence[str]) -> dict[int, list[SealedFile]]:
    found: dict[int, list[SealedFile]] = {}
    ordinal = files.c.manifest_ordinal
    query = (
        select(files)
        .join(syncs, syncs.c.id == files.c.sync_id)
        .where(files.c.sync_id.in_(sync_ids), ordinal >= syncs.c.first_manifest)
        .order_by(ordinal, files.c.plan_id, files.c.number)
    )
    for row in connection.execute(query).mappings():
        found.setdefault(row["plan_id"], []).append(file_of(row))
    return found
