"""What each (sync, export) sends next, put together from one query per table."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import BindParameter, Connection, Select, and_, bindparam, func, select, union

from cio_pipeline.ledger.bulk import chunks
from cio_pipeline.ledger.cuts import cuts_by_time
from cio_pipeline.ledger.plan_rows import is_committed, plan_of
from cio_pipeline.ledger.schema import (
    cuts,
    files,
    is_initial,
    is_unfinished,
    plans,
    positions,
    sequences,
    syncs,
)
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.plans import Plan, PlanState, Sent, Series
from cio_pipeline.model.registry import ExportState, Pair, RegisteredSync


def export_states(
    connection: Connection, registered: Mapping[str, RegisteredSync], exports: Collection[str]
) -> Sequence[ExportState]:
    """The state of every (sync, export) that has a switch, by sync id and export name."""
    wanted = sorted(set(exports))
    cuts_by_time = _cuts(connection, wanted)
    positions_at = _positions(connection, wanted)
    unfinished = _unfinished(connection, wanted, cuts_by_time)
    used = _sequences(connection, wanted)
    begun = _begun(connection, wanted)
    return [
        ExportState(
            registered=sync,
            export=export,
            switch=sync.switches[export],
            position=_cut(cuts_by_time, positions_at.get((sync_id, export))),
            open_plan=unfinished.get((sync_id, export)),
            next_sequence=_next(used.get((sync_id, export))),
            begun=begun.get((sync_id, export)),
        )
        for sync_id, sync in registered.items()
        for export in wanted
        if export in sync.switches
    ]


def current_positions() -> Select[str, str, datetime]:
    """(sync, export, time of the cut) of the syncs' current generations."""
    of_generation = and_(
        syncs.c.id == positions.c.sync_id, syncs.c.generation == positions.c.generation
    )
    return select(positions.c.sync_id, positions.c.export, positions.c.at).join(
        syncs, of_generation
    )


def _positions(connection: Connection, exports: Sequence[str]) -> dict[Pair, datetime]:
    rows = connection.execute(_POSITIONS, {"exports": exports})
    return {(sync_id, export): at for sync_id, export, at in rows}


def _unfinished(
    connection: Connection, exports: Sequence[str], cuts_by_time: Mapping[datetime, Cut]
) -> dict[Pair, Plan]:
    rows = connection.execute(_OPEN_PLANS, {"exports": exports}).mappings().all()
    sent = sent_by(connection, [row["id"] for row in rows if row["slice"]])
    return {
        (row["sync_id"], row["export"]): plan_of(row, cuts_by_time, sent.get(row["id"]))
        for row in rows
    }


def sent_by(connection: Connection, plan_ids: Collection[int]) -> dict[int, Sent]:
    """What the committed slices of plans delivered; nothing for those that delivered no file."""
    found: dict[int, Sent] = {}
    for chunk in chunks(sorted(plan_ids)):
        query = (
            select(
                files.c.plan_id,
                files.c.series,
                func.count(),
                func.sum(files.c.rows),
                func.count(files.c.sequence.distinct()),
            )
            .join(plans, plans.c.id == files.c.plan_id)
            .where(plans.c.id.in_(chunk), is_committed())
            .group_by(files.c.plan_id, files.c.series)
        )
        for plan_id, series, number, rows, taken in connection.execute(query):
            before = found.get(plan_id, Sent())
            counted = {**before.files, Series(series): number}
            numbers = {**before.numbers, Series(series): taken}
            found[plan_id] = Sent(counted, before.rows + int(rows), numbers)
    return found


def _sequences(connection: Connection, exports: Sequence[str]) -> dict[Pair, dict[Series, int]]:
    found: dict[Pair, dict[Series, int]] = defaultdict(dict)
    for sync_id, export, series, number in connection.execute(_NUMBERS, {"exports": exports}):
        found[(sync_id, export)][Series(series)] = number
    return found


def _begun(connection: Connection, exports: Sequence[str]) -> dict[Pair, datetime]:
    rows = connection.execute(_FIRST_FILES, {"exports": exports})
    return {(sync_id, export): at for sync_id, export, at in rows}


def _next(used: Mapping[Series, int] | None) -> dict[Series, int]:
    return {series: (used or {}).get(series, 1) for series in Series}


def _cuts(connection: Connection, exports: Sequence[str]) -> dict[datetime, Cut]:
    """Every cut that a position or an unfinished plan refers to, parsed once each."""
    return cuts_by_time(connection, _REFERRED_TO, exports=exports)


def _cut(cuts_by_time: Mapping[datetime, Cut], at: datetime | None) -> Cut | None:
    return None if at is None else cuts_by_time[at]


_EXPORTS: BindParameter[str] = bindparam("exports", expanding=True)
# Made once: SQLAlchemy takes longer to make a statement than SQLite to answer it.
_POSITIONS = current_positions().where(positions.c.export.in_(_EXPORTS))
_IS_OPEN = and_(plans.c.export.in_(_EXPORTS), is_unfinished())
_OPEN_PLANS = select(plans).where(_IS_OPEN)
_NUMBERS = select(sequences).where(sequences.c.export.in_(_EXPORTS))
_FIRST_FILES = (
    select(plans.c.sync_id, plans.c.export, func.max(plans.c.upper_at))
    .join(syncs, and_(syncs.c.id == plans.c.sync_id, syncs.c.generation == plans.c.generation))
    .where(plans.c.export.in_(_EXPORTS), is_initial(), plans.c.state == PlanState.COMMITTED.value)
    .group_by(plans.c.sync_id, plans.c.export)
)
_REFERRED_TO = select(cuts).where(
    cuts.c.at.in_(
        union(
            select(positions.c.at).where(positions.c.export.in_(_EXPORTS)),
            select(plans.c.lower_at).where(_IS_OPEN),
            select(plans.c.upper_at).where(_IS_OPEN),
        )
    )
)
