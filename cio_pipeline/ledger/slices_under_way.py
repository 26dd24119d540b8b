"""Going on with an initial export, some slices of which a bucket's manifests list."""

from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from cio_pipeline.ledger.bulk import chunks
from cio_pipeline.ledger.known_files import not_known
from cio_pipeline.ledger.plan_rows import file_row, opened, plan_row
from cio_pipeline.ledger.schema import counters, files, is_unfinished, plans
from cio_pipeline.model.plans import PlanState
from cio_pipeline.model.recovery import UnderWay


def go_on(connection: Connection, found: UnderWay, now: datetime) -> None:
    """Leave one open plan, at the slice that follows those delivered.

    A plan that the ledger has for it already, from before, is brought up to that slice.
    """
    draft = found.draft
    plan_id = _plan_id(connection, found, now)
    behind = plans.c.id == plan_id, plans.c.slice < found.done
    if connection.scalar(select(func.count()).select_from(plans).where(*behind)):
        _forget_sealed(connection, plan_id, found)
    new = not_known(connection, draft.sync_id, found.files)
    number = connection.scalar(select(func.max(files.c.number)).where(files.c.plan_id == plan_id))
    start = 0 if number is None else number + 1
    plan = opened(draft, plan_id)
    rows = [
        file_row(plan, place, file) | {"manifest_ordinal": ordinal, "slice": found.done - 1}
        for place, (ordinal, file) in enumerate(new, start)
    ]
    for chunk in chunks(rows):
        connection.execute(insert(files), chunk)
    connection.execute(
        update(plans)
        .where(*behind)
        .values(
            slice=found.done,
            state=PlanState.OPEN.value,
            sealed_at=None,
            commit_number=next_commit(connection),
        )
    )


def next_commit(connection: Connection) -> int:
    """The number of one more commit."""
    counted = counters.c.name == "commit"
    connection.execute(update(counters).where(counted).values(value=counters.c.value + 1))
    return connection.execute(select(counters.c.value).where(counted)).scalar_one()


def _plan_id(connection: Connection, found: UnderWay, now: datetime) -> int:
    draft = found.draft
    query = select(plans.c.id).where(
        plans.c.sync_id == draft.sync_id,
        plans.c.export == draft.export,
        plans.c.generation == draft.generation,
        plans.c.upper_at == draft.upper.at,
        plans.c.lower_at.is_(None),
        is_unfinished(),
    )
    known = connection.scalar(query)
    if known is not None:
        return known
    # Whatever else is unfinished of the export belongs to a past that the bucket does not know.
    connection.execute(
        update(plans)
        .where(
            plans.c.sync_id == draft.sync_id,
            plans.c.export == draft.export,
            is_unfinished(),
        )
        .values(state=PlanState.ABANDONED.value, closed_at=now)
    )
    row = plan_row(draft, now)
    return connection.execute(insert(plans).values(**row).returning(plans.c.id)).scalar_one()


def _forget_sealed(connection: Connection, plan_id: int, found: UnderWay) -> None:
    """Remove files sealed and not committed, unless a manifest lists them by now."""
    listed = {file.key for _, file in found.files}
    query = (
        select(files.c.key)
        .join(plans, plans.c.id == files.c.plan_id)
        .where(plans.c.id == plan_id, files.c.slice >= plans.c.slice)
    )
    for key in [key for key in connection.scalars(query) if key not in listed]:
        connection.execute(delete(files).where(files.c.plan_id == plan_id, files.c.key == key))
