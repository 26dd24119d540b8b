"""What each (sync, export) sends next, put together from one query per table."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    func,
    select,
)

from cio_pipeline.ledger.cuts import cuts_at
from cio_pipeline.ledger.plan_rows import is_committed, plan_of
from cio_pipeline.ledger.schema import (
    files,
    is_initial,
    is_unfinished,
    plans,
    positions,
    sequences,
    syncs,
)
from cio_pipeline.ledger.statements import CHUNK, chunks
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.plans import PlanState, Sent, Series
from cio_pipeline.model.registry import ExportState, Pair, RegisteredSync

_Given: TypeAlias = dict[str, list[str]]


def export_states(
    connection: Connection,
    registered: Mapping[str, RegisteredSync],
    exports: Collection[str],
    sync_ids: Collection[str] | None = None,
) -> Sequence[ExportState]:
    """The state of every (sync, export) that has a switch, by sync id and export name.

    `sync_ids` limits what is read, where these are some of many syncs.
    """
    wanted = sorted(set(exports))
    few = sync_ids is not None and len(sync_ids) <= CHUNK
    asked, given = _asked(few=few), {"exports": wanted}
    if few:
        given["sync_ids"] = sorted(sync_ids or ())
    positions_at = _by_pair(connection, asked.positions, given)
    rows = connection.execute(asked.plans, given).mappings().all()
    # Of the times that were read, and last: within a longer transaction others store cuts, too.
    bounds = {row[name] for row in rows for name in ("lower_at", "upper_at")} - {None}
    cuts_by_time = cuts_at(connection, {*positions_at.values(), *bounds})
    sent = sent_by(connection, [row["id"] for row in rows if row["slice"]])
    unfinished = {
        (row["sync_id"], row["export"]): plan_of(row, cuts_by_time, sent.get(row["id"]))
        for row in rows
    }
    used = _sequences(connection, asked.numbers, given)
    begun = _by_pair(connection, asked.first_files, given)
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


def _by_pair(
    connection: Connection, query: Select[str, str, datetime], given: _Given
) -> dict[Pair, datetime]:
    rows = connection.execute(query, given)
    return {(sync_id, export): at for sync_id, export, at in rows}


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
            .where(files.c.plan_id.in_(chunk), is_committed())
            .group_by(files.c.plan_id, files.c.series)
        )
        for plan_id, series, number, rows, taken in connection.execute(query):
            before = found.get(plan_id, Sent())
            counted = {**before.files, Series(series): number}
            numbers = {**before.numbers, Series(series): taken}
            found[plan_id] = Sent(counted, before.rows + int(rows), numbers)
    return found


def _sequences(
    connection: Connection, query: Select[Any], given: _Given
) -> dict[Pair, dict[Series, int]]:
    found: dict[Pair, dict[Series, int]] = defaultdict(dict)
    for row in connection.execute(query, given):
        found[row.sync_id, row.export][Series(row.series)] = row.next
    return found


def _next(used: Mapping[Series, int] | None) -> dict[Series, int]:
    return {series: (used or {}).get(series, 1) for series in Series}


def _cut(cuts_by_time: Mapping[datetime, Cut], at: datetime | None) -> Cut | None:
    return None if at is None else cuts_by_time[at]


@dataclass(frozen=True)
class _Asked:
    """The statements that states are put together from."""

    positions: Select[str, str, datetime]
    plans: Select[Any]
    numbers: Select[Any]
    first_files: Select[str, str, datetime]


@lru_cache
def _asked(*, few: bool) -> _Asked:
    """Made once: SQLAlchemy takes longer to make a statement than SQLite to answer it."""

    def of(table: Table) -> ColumnElement[bool]:
        wanted = table.c.export.in_(bindparam("exports", expanding=True))
        return (
            wanted & table.c.sync_id.in_(bindparam("sync_ids", expanding=True)) if few else wanted
        )

    is_open = of(plans) & is_unfinished()
    first = is_initial() & (plans.c.state == PlanState.COMMITTED.value)
    this = and_(syncs.c.id == plans.c.sync_id, syncs.c.generation == plans.c.generation)
    return _Asked(
        current_positions().where(of(positions)),
        select(plans).where(is_open),
        select(sequences).where(of(sequences)),
        select(plans.c.sync_id, plans.c.export, func.max(plans.c.upper_at))
        .join(syncs, this)
        .where(of(plans), first)
        .group_by(plans.c.sync_id, plans.c.export),
    )
