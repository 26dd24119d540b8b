"""D6 as one pure, total function: what a (sync, export) sends in a window, and why.

Belongs here: the rules that pick a decision, the age limits of D7. Not here: how rows are read
(build.py) and who carries a decision out (the pipeline layer).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias, assert_never

from cio_pipeline.contracts.declare import History
from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.plans import Mode, Plan
from cio_pipeline.model.registry import ExportState
from cio_pipeline.model.times import utc
from cio_pipeline.model.windows import Window, window_holding


@dataclass(frozen=True)
class Resume:
    """An open plan is finished before anything else of the export."""

    plan: Plan
    why: str


@dataclass(frozen=True)
class Off:
    """The export's switch is off."""

    why: str


@dataclass(frozen=True)
class NotDue:
    """The window is no work for this sync."""

    why: str


@dataclass(frozen=True)
class Covered:
    """The window lies before the position: all of it was delivered."""

    position: Cut
    why: str


@dataclass(frozen=True)
class Refused:
    """The rules forbid to go on; `message` and `next_step` are those of the error to raise."""

    message: str
    next_step: str
    why: str


@dataclass(frozen=True)
class Nothing:
    """The driving table did not change: only the position moves, to `upper`."""

    upper: Cut
    why: str


@dataclass(frozen=True)
class Snapshot:
    """All history at `upper`, from `floor` (processed_at, inclusive) on if there is one.

    `late` if the sync is long under way and only this table has come up since.
    """

    upper: Cut
    floor: datetime | None
    why: str
    late: bool = False


@dataclass(frozen=True)
class Changes:
    """Changes in `(lower, upper]`; both know the driving table."""

    lower: Cut
    upper: Cut
    why: str


@dataclass(frozen=True)
class CatchUp:
    """Changes since the export was turned off, as Changes.

    `floor` is the earliest processed_at that is sent; None if no older rows are left out.
    """

    lower: Cut
    upper: Cut
    floor: datetime | None
    why: str


Sending: TypeAlias = Snapshot | Changes | CatchUp | Resume
"""Decisions that ask the destination to take something."""


@dataclass(frozen=True)
class HeldBack:
    """The sync's breaker is open: what would be sent stays outstanding. `decide` never says so."""

    instead_of: Sending
    why: str


Decision: TypeAlias = Sending | Nothing | Covered | NotDue | Off | Refused | HeldBack
"""What a (sync, export) does in a window; consumers `match` and end with `assert_never`."""


def mode_of(decision: Decision) -> Mode | None:
    """The mode of the plan that a decision leads to; None if it leads to none."""
    match decision:
        case Snapshot():
            return Mode.INITIAL
        case Changes():
            return Mode.CHANGES
        case CatchUp():
            return Mode.CATCH_UP
        case Resume(plan):
            return plan.mode
        case Nothing() | Covered() | NotDue() | Off() | Refused() | HeldBack():
            return None
        case _:
            assert_never(decision)


PEOPLE_OFF_LIMIT = timedelta(days=7)
"""People that were off for longer cannot be turned on again (D7)."""

HISTORY_LIMIT = timedelta(days=30)
"""Events and inbound reach back this far from the window's end (D1, D7)."""


def decide(state: ExportState, window: Window, cut: Cut, driving: str) -> Decision:
    """What one (sync, export) sends in a window whose end has this cut (D6, D7).

    `driving` is the export's source table. The first rule that applies wins, in this order:
    disabled, open plan, switch, due, covered, refused, unchanged table, mode. Raises UnknownExport
    only.
    """
    if state.registered.disabled_at is not None:
        return Off(f"The sync is disabled{_since(state.registered.disabled_at)}.")
    if state.open_plan is not None:
        plan = state.open_plan
        return Resume(plan, f"Plan {plan.plan_id} ({plan.mode}) is open and is finished first.")
    if not state.switch.enabled:
        return Off(f"The export is off{_since(state.switch.paused_at)}.")
    return _not_due(state, window) or _served(state, window, cut, driving)


def refused_to_resume(state: ExportState, at: datetime) -> Refused | None:
    """Why an export may not be turned on `at` a time; None if it may (D7)."""
    on = _turned_on(state, at)
    return (
        _refused(on) if state.position is not None and _off_too_long(on, state.position) else None
    )


def gap_if_resumed(state: ExportState, at: datetime) -> tuple[datetime, datetime] | None:
    """What an export turned on `at` a time leaves out: processed in [from, to); None if nothing.

    It is what catching up leaves out then, whichever window does that.
    """
    if state.position is None:
        return None
    edge = _resumed_floor(_turned_on(state, at))
    return None if edge is None else (state.position.at, edge)


def _turned_on(state: ExportState, at: datetime) -> ExportState:
    return replace(state, switch=replace(state.switch, enabled=True, resumed_at=at))


def _not_due(state: ExportState, window: Window) -> NotDue | None:
    created = state.registered.created_at
    if window.end <= created:
        return NotDue(
            f"The sync was created at {created:%Y-%m-%d %H:%M:%S} UTC, not before the window's end."
        )
    if not window.due(state.sync.cadence):
        return NotDue(f"The sync is served every {state.sync.cadence}, not in this window.")
    resumed = state.switch.resumed_at
    if resumed is not None and window.end <= resumed and _resumed_after(state, state.position):
        return NotDue(
            f"The export was off until {resumed:%Y-%m-%d %H:%M:%S} UTC, after this window."
        )
    return None


def _served(state: ExportState, window: Window, cut: Cut, driving: str) -> Decision:
    """The decision for an export that is on and due."""
    position = state.position
    if position is not None and window.end <= position.at:
        why = f"Everything up to {utc(position.at)} was delivered."
        return Covered(position, f"{why}{_waits(position, driving)}")
    if position is not None and _off_too_long(state, position):
        return _refused(state)
    if position is None or driving not in position.tables:
        return _history(state, window, cut, driving)
    before, now = position.tables[driving], cut.tables.get(driving)
    if now is None or now.table_id != before.table_id or now.version < before.version:
        return _gone(driving, window) if now is None else _replaced(driving)
    # Empty files stand for a whole window.
    if now == before and (window.early or not state.sync.write_empty):
        why = f"Table {driving} has not changed since {utc(position.at)}."
        return Nothing(cut, f"{why}{_waits(cut, driving)}")
    sends = _since_position(state, cut, position)
    return replace(sends, why=f"{sends.why}{_waits(cut, driving)}")


def _waits(cut: Cut, table: str) -> str:
    """What is not delivered with a cut, as it waits for a time ahead."""
    waiting = cut.waiting(table)
    return f" But of {table}: {waiting}" if waiting else ""


def _history(state: ExportState, window: Window, cut: Cut, driving: str) -> Snapshot | Nothing:
    if driving not in cut.tables:
        return Nothing(cut, f"The source has no table {driving} yet.{_waits(cut, driving)}")
    floor = floor_at(state.export, window.end)
    since = f" since {utc(floor)}" if floor else ""
    return Snapshot(
        cut,
        floor,
        f"Never sent in this generation: all history{since}.{_waits(cut, driving)}",
        late=state.position is not None,
    )


def _gone(table: str, window: Window) -> Refused:
    message = f"Source table {table} was gone when window {window.key} was cut, once and for all."
    next_step = (
        "Put the table back as it was: the next window that is cut sends what is outstanding. If "
        f"it cannot come back: {_ANEW}"
    )
    return Refused(message, next_step, f"{message} {next_step}")


def _replaced(table: str) -> Refused:
    message = (
        f"Source table {table} was replaced, or set back: changes since the last delivery cannot "
        "be told."
    )
    next_step = f"Put the table back as it was, or {_ANEW}"
    return Refused(message, next_step, f"{message} {next_step}")


_ANEW = "turn the export off and register a new sync under another id."


def _since_position(state: ExportState, cut: Cut, position: Cut) -> Changes | CatchUp:
    since = utc(position.at)
    if not _resumed_after(state, position):
        return Changes(position, cut, f"Changes since {since}.")
    floor = _resumed_floor(state)
    if floor is None:
        return CatchUp(position, cut, None, f"Was off: changes since {since}.")
    return CatchUp(
        position,
        cut,
        floor,
        f"Was off for more than {HISTORY_LIMIT.days} days: changes since {since}, without "
        f"what was processed before {utc(floor)}.",
    )


def floor_at(export: str, end: datetime) -> datetime | None:
    """The age limit, counted from a window's end; None for exports without one."""
    limited = ALL_EXPORTS[export].history is History.LAST_30_DAYS
    return end - HISTORY_LIMIT if limited else None


def _resumed_floor(state: ExportState) -> datetime | None:
    """The age limit after a long pause; None after a short one, and for exports without a limit.

    It counts from the end of the window that the export was resumed in, and not of the one that
    catches up, so that it can be told at once and holds however late that runs.
    """
    resumed, off_for = state.switch.resumed_at, state.switch.off_for
    limited = ALL_EXPORTS[state.export].history is History.LAST_30_DAYS
    if resumed is None or not limited or off_for <= HISTORY_LIMIT:
        return None
    return window_holding(resumed, state.sync.feed).end - HISTORY_LIMIT


def _resumed_after(state: ExportState, position: Cut | None) -> bool:
    resumed = state.switch.resumed_at
    return resumed is not None and position is not None and position.at < resumed


def _off_too_long(state: ExportState, position: Cut) -> bool:
    return (
        state.export == "people"
        and _resumed_after(state, position)
        and state.switch.off_for > PEOPLE_OFF_LIMIT
    )


def _refused(state: ExportState) -> Refused:
    message = f"people was off for more than {PEOPLE_OFF_LIMIT.days} days and cannot go on."
    next_step = (
        f"`cio-pipeline sync recreate {state.sync.id}` purges the sync's files and starts it anew, "
        "with all history."
    )
    return Refused(message, next_step, f"{message} {next_step}")


def _since(at: datetime | None) -> str:
    return f" since {utc(at)}" if at else ""
