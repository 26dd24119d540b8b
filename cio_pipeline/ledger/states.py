"""What is known of syncs, and what each (sync, export) sends next: from one query per table."""

import difflib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NoReturn, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    func,
    select,
)

from cio_pipeline.ledger.cuts import cuts_at
from cio_pipeline.ledger.given import rows_given
from cio_pipeline.ledger.plan_rows import PLANS, cuts_of, plan_of
from cio_pipeline.ledger.schema import (
    IS_COMMITTED,
    IS_INITIAL,
    IS_UNFINISHED,
    files,
    plans,
    positions,
    sequences,
    switches,
    syncs,
)
from cio_pipeline.ledger.statements import places
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import UnknownSync
from cio_pipeline.model.plans import Plan, PlanState, SentSoFar, Series
from cio_pipeline.model.registry import ExportState, ExportSwitch, Pair, RegisteredSync
from cio_pipeline.model.sync import Sync

_MOST_NAMED = 20


def generations(connection: Connection, sync_ids: Collection[str]) -> dict[str, int]:
    """The current generation of some syncs; raises UnknownSync."""
    rows = connection.execute(_GENERATIONS, {"sync_ids": sync_ids}).all()
    found = {row.id: row.generation for row in rows}
    missing = sorted(set(sync_ids) - set(found))
    return unknown(connection, missing) if missing else found


def registered_syncs(
    connection: Connection, sync_ids: Collection[str] | None
) -> dict[str, RegisteredSync]:
    """Syncs by id, in order of id; all for None. Unknown ids are left out."""
    syncs_of, others_of = (_SYNCS, _OTHERS) if sync_ids is None else (_SYNCS_OF, _OTHERS_OF)
    some = None if sync_ids is None else {"sync_ids": sync_ids}
    rows = connection.execute(syncs_of, some).all()
    others: dict[str, dict[str, ExportSwitch]] = defaultdict(dict)
    any_others = bool(rows) and rows[0][-1]
    for sync_id, export, *how in connection.execute(others_of, some).all() if any_others else ():
        others[sync_id][export] = ExportSwitch(*how)
    found = {row[0]: _registered(*row[1:-1]) for row in sorted(rows, key=itemgetter(0))}
    # Another may have registered a sync between the two statements.
    for sync_id in others.keys() & found.keys():
        one = found[sync_id]
        found[sync_id] = replace(one, switches={**one.switches, **others[sync_id]})
    return found


_IS_PLAIN = switches.c.enabled & switches.c.paused_at.is_(None) & switches.c.resumed_at.is_(None)
# Nearly all are on and were never paused: those of a sync come with it, since a thousand syncs
# have fifteen each.
_PLAIN = (
    select(func.aggregate_strings(switches.c.export, ","))
    .where(switches.c.sync_id == syncs.c.id, _IS_PLAIN)
    .scalar_subquery()
)
_OTHERS = select(
    switches.c.sync_id,
    switches.c.export,
    switches.c.enabled,
    switches.c.paused_at,
    switches.c.resumed_at,
).where(~_IS_PLAIN)
_SYNCS = select(
    syncs.c.id,
    _PLAIN,
    syncs.c.config,
    syncs.c.generation,
    syncs.c.created_at,
    syncs.c.disabled_at,
    syncs.c.first_manifest,
    select(switches.c.sync_id).where(~_IS_PLAIN).exists(),
)

# The same of some syncs.
_OTHERS_OF = _OTHERS.where(rows_given((switches.c.sync_id,), "sync_ids"))
_SYNCS_OF = _SYNCS.where(rows_given((syncs.c.id,), "sync_ids"))
_GENERATIONS = select(syncs.c.id, syncs.c.generation).where(rows_given((syncs.c.id,), "sync_ids"))


@lru_cache(maxsize=16_384)
def _registered(
    on: str | None, config: str, generation: int, created_at: datetime, *rest: Any
) -> RegisteredSync:
    # Cached, since every run and every look of the sensor reads the same few texts.
    return RegisteredSync(_parse(config), generation, created_at, _all_on(on), *rest)


@lru_cache(maxsize=64)
def _all_on(exports: str | None) -> Mapping[str, ExportSwitch]:
    names = sorted(exports.split(",")) if exports else ()
    return dict.fromkeys(names, ExportSwitch(enabled=True))


@lru_cache(maxsize=4096)
def _parse(config: str) -> Sync:
    return Sync.model_validate_json(config)


def unknown(connection: Connection, missing: Sequence[str]) -> NoReturn:
    """Raise UnknownSync for the first of the ids that nobody registered, naming the known ones."""
    known = sorted(connection.scalars(select(syncs.c.id)))
    wrong = missing[0]
    close = difflib.get_close_matches(wrong, known, n=1)
    guess = f" Did you mean '{close[0]}'?" if close else ""
    if not known:
        raise UnknownSync(
            f"No sync '{wrong}': none is registered.",
            "Register some with `cio-pipeline sync apply FILE`.",
        )
    more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
    raise UnknownSync(
        f"No sync '{wrong}' is registered.{guess}",
        f"Known: {', '.join(known[:_MOST_NAMED])}{more}.",
    )


def export_states(
    connection: Connection,
    registered: Mapping[str, RegisteredSync],
    exports: Collection[str],
    sync_ids: Collection[str] | None = None,
    *,
    numbers: bool = True,
) -> Sequence[ExportState]:
    """The state of every (sync, export) that has a switch, by sync id and export name.

    `sync_ids` limits what is read, where these are some of many syncs. What plans are made with,
    numbers and when an export began, is left out without `numbers`.
    """
    wanted = sorted(set(exports))
    asked = _asked(few=sync_ids is not None)
    given = {"exports": wanted, "sync_ids": sync_ids}
    found = connection.execute(asked.positions, given).all()
    positions_at = {(sync_id, export): at for sync_id, export, at in found}
    rows = connection.execute(asked.plans, given).all()
    plans_found, cuts_by_time = plans_of(connection, rows, positions_at.values())
    unfinished = {(plan.sync_id, plan.export): plan for plan in plans_found}
    used, begun = _numbers(connection, asked, given) if numbers else _NO_NUMBERS
    return [
        ExportState(
            registered=sync,
            export=export,
            switch=sync.switches[export],
            position=at and cuts_by_time[at],
            open_plan=unfinished.get((sync_id, export)),
            next_sequence=used.get((sync_id, export), _FIRST),
            begun=begun.get((sync_id, export)),
        )
        for sync_id, sync in registered.items()
        for export in wanted
        if export in sync.switches
        for at in [positions_at.get((sync_id, export))]
    ]


_Numbers: TypeAlias = tuple[Mapping[Pair, Mapping[Series, int]], Mapping[Pair, datetime]]
_NO_NUMBERS: _Numbers = {}, {}


def _numbers(connection: Connection, asked: "_Asked", given: Mapping[str, Any]) -> _Numbers:
    """The numbers that come next, as far as any was used, and when the exports began."""
    used: dict[Pair, dict[Series, int]] = defaultdict(_FIRST.copy)
    for sync_id, export, series, number in connection.execute(asked.numbers, given).all():
        used[sync_id, export][series] = number
    first = connection.execute(asked.first_files, given).all()
    return used, {(sync_id, export): at for sync_id, export, at in first}


_FIRST = dict.fromkeys(Series, 1)


def plans_of(
    connection: Connection, rows: Sequence[Row[Any]], times: Iterable[datetime] = ()
) -> tuple[list[Plan], Mapping[datetime, Cut]]:
    """Plans from their rows, and the cuts that they and some further `times` refer to."""
    bounds = set(chain.from_iterable(map(cuts_of, rows))) - {None}
    # Of the times that were read, and last: within a longer transaction others store cuts, too.
    cuts = cuts_at(connection, {*times, *bounds})
    going_on = [plan_id for plan_id, number in map(_SLICE, rows) if number]
    sent = sent_by(connection, going_on) if going_on else {}
    return [plan_of(row, cuts, sent.get(_SLICE(row)[0])) for row in rows], cuts


_SLICE = places(PLANS, ("id", "slice"))


def current_positions() -> Select[str, str, datetime]:
    """(sync, export, time of the cut) of the syncs' current generations."""
    of_generation = and_(
        syncs.c.id == positions.c.sync_id, syncs.c.generation == positions.c.generation
    )
    return select(positions.c.sync_id, positions.c.export, positions.c.at).join(
        syncs, of_generation
    )


def sent_by(connection: Connection, plan_ids: Collection[int]) -> dict[int, SentSoFar]:
    """What the committed slices of plans delivered; nothing for those that delivered no file."""
    found: dict[int, SentSoFar] = {}
    counts = connection.execute(_SENT, {"ids": plan_ids}).all()
    for plan_id, series, number, rows, taken in counts:
        before = found.get(plan_id, SentSoFar())
        counted = {**before.files, series: number}
        numbers = {**before.numbers, series: taken}
        found[plan_id] = SentSoFar(counted, before.rows + int(rows), numbers)
    return found


_SENT = (
    select(
        files.c.plan_id,
        files.c.series,
        func.count(),
        func.sum(files.c.rows),
        func.count(files.c.sequence.distinct()),
    )
    .where(rows_given((files.c.plan_id,), "ids"), IS_COMMITTED)
    .group_by(files.c.plan_id, files.c.series)
)


@dataclass(frozen=True)
class _Asked:
    """The statements that states are put together from."""

    positions: Select[str, str, datetime]
    plans: Select[Any]
    numbers: Select[str, str, Series, int]
    first_files: Select[str, str, datetime]


@lru_cache
def _asked(*, few: bool) -> _Asked:
    """Made once: SQLAlchemy takes longer to make a statement than SQLite to answer it."""

    def of(table: Table) -> ColumnElement[bool]:
        wanted = table.c.export.in_(bindparam("exports", expanding=True))
        return wanted & rows_given((table.c.sync_id,), "sync_ids") if few else wanted

    is_open, c = of(plans) & IS_UNFINISHED, sequences.c
    first = IS_INITIAL & (plans.c.state == PlanState.COMMITTED)
    this = and_(syncs.c.id == plans.c.sync_id, syncs.c.generation == plans.c.generation)
    return _Asked(
        current_positions().where(of(positions)),
        PLANS.where(is_open),
        select(c.sync_id, c.export, c.series, c.next).where(of(sequences)),
        select(plans.c.sync_id, plans.c.export, func.max(plans.c.upper_at))
        .join(syncs, this)
        .where(of(plans), first)
        .group_by(plans.c.sync_id, plans.c.export),
    )
