"""How each sync does, a row each, by the ledger: for `top`, metrics and `sync show`."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.registry import ExportState, RegisteredSync
from cio_pipeline.model.volumes import ALL, DAY, ended
from cio_pipeline.model.windows import last_closed_window
from cio_pipeline.pipeline.scheduling.standing import GRACE, Standing, Wrong, standing_of
from cio_pipeline.pipeline.services import Services


class Condition(StrEnum):
    """In one word how a sync does, the worst first."""

    BREAKER = "breaker"
    FAILING = "failing"
    LATE = "late"
    HELD_BACK = "rows held back"
    FIRST = "first files"
    WELL = "well"
    PAUSED = "paused"
    DISABLED = "disabled"


_OF_WRONG = {
    "breaker": Condition.BREAKER,
    "failing": Condition.FAILING,
    "late": Condition.LATE,
    "quarantine": Condition.HELD_BACK,
}


@dataclass(frozen=True)
class SyncRow:
    """One sync. `until` is up to when all of its exports were delivered, None before that.

    `due` is the end of the last window that it is to have; `lag` how many seconds `until` is behind
    our clock. `failing` counts exports, `quarantined` rows that are held back now; `rows` and
    `bytes` are of windows that end since midnight UTC, without first files. `running` is the run
    that works on it, `why` what is wrong.
    """

    sync_id: str
    workspace_id: int
    feed: Feed
    owner: str | None
    condition: Condition
    until: datetime | None
    due: datetime
    lag: float | None
    failing: int
    quarantined: int
    rows: int
    bytes: int
    running: str
    why: str


@dataclass(frozen=True)
class Overview:
    """All syncs at one moment, the worst first, and what is wrong and runs."""

    at: datetime
    syncs: tuple[SyncRow, ...]
    standing: Standing

    def count(self, condition: Condition) -> int:
        """How many do so."""
        return sum(one.condition is condition for one in self.syncs)


def overview(services: Services, sync_id: str | None = None) -> Overview:
    """How all syncs do, or one of them; raises UnknownSync."""
    registry, now = services.ledger.registry, services.clock()
    registered = registry.all() if sync_id is None else [registry.get(sync_id)]
    states = registry.states(list(ALL_EXPORTS), None if sync_id is None else [sync_id])
    found = standing_of(services, states)
    facts = _facts(services, states, found)
    rows = [_row(one, facts[one.sync.id], now) for one in registered]
    order = list(Condition)
    ordered = sorted(rows, key=lambda one: (order.index(one.condition), one.sync_id))
    return Overview(now, tuple(ordered), found)


@dataclass
class _Facts:
    """What is known of one sync."""

    states: list[ExportState] = field(default_factory=list[ExportState])
    wrong: list[Wrong] = field(default_factory=list[Wrong])
    failing: int = 0
    quarantined: int = 0
    rows: int = 0
    bytes: int = 0
    running: str = ""


def _facts(
    services: Services, states: Sequence[ExportState], found: Standing
) -> Mapping[str, _Facts]:
    facts: defaultdict[str, _Facts] = defaultdict(_Facts)
    for state in states:
        facts[state.sync.id].states.append(state)
    for one in found.wrong:
        if one.sync_id is not None:
            facts[one.sync_id].wrong.append(one)
    for run in found.running:
        for sync_id in run.syncs:
            facts[sync_id].running = run.owner
    _count(services, facts)
    return facts


def _count(services: Services, facts: Mapping[str, _Facts]) -> None:
    for sync_id, _ in services.ledger.failing.all():
        facts[sync_id].failing += 1
    for (sync_id, _), (rows, _) in services.ledger.quarantine.numbers().items():
        facts[sync_id].quarantined += rows
    today = ended(services.clock(), DAY) + DAY
    for (sync_id, _, kind), sent in services.ledger.volumes.of(DAY, [today])[today].items():
        if kind == ALL:
            facts[sync_id].rows += sent.rows
            facts[sync_id].bytes += sent.bytes


def _row(one: RegisteredSync, facts: _Facts, now: datetime) -> SyncRow:
    on = [state for state in facts.states if state.on]
    until = _until(on)
    found = _condition(one, on, facts.wrong, until)
    worst = next((wrong for wrong in facts.wrong if _OF_WRONG.get(wrong.kind) is found), None)
    return SyncRow(
        sync_id=one.sync.id,
        workspace_id=one.sync.workspace_id,
        feed=one.sync.feed,
        owner=one.sync.owner,
        condition=found,
        until=until,
        due=last_closed_window(now - GRACE, one.sync.cadence, one.sync.feed).end,
        lag=None if until is None else (now - until).total_seconds(),
        failing=facts.failing,
        quarantined=facts.quarantined,
        rows=facts.rows,
        bytes=facts.bytes,
        running=facts.running,
        why=worst.why if worst else "",
    )


def _until(on: Sequence[ExportState]) -> datetime | None:
    """Up to when everything was delivered; None while an export has not begun."""
    reached = [state.delivered_until(ALL_EXPORTS[state.export].source) for state in on]
    known = [at for at in reached if at is not None]
    return min(known) if known and len(known) == len(reached) else None


def _condition(
    one: RegisteredSync, on: Sequence[ExportState], wrong: Sequence[Wrong], until: datetime | None
) -> Condition:
    if one.disabled_at is not None:
        return Condition.DISABLED
    if not on:
        return Condition.PAUSED
    kinds = {_OF_WRONG[found.kind] for found in wrong if found.kind in _OF_WRONG}
    worst = next((condition for condition in Condition if condition in kinds), None)
    return worst or (Condition.FIRST if until is None else Condition.WELL)
