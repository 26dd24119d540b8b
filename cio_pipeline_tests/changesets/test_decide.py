from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cio_pipeline.changesets.decide import (
    CatchUp,
    Changes,
    Covered,
    Decision,
    NotDue,
    Nothing,
    Off,
    Refused,
    Resume,
    Snapshot,
    decide,
    mode_of,
)
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.model.cuts import Cut, TableCut
from cio_pipeline.model.destinations import LocalDestination
from cio_pipeline.model.feeds import Cadence, Feed
from cio_pipeline.model.plans import Mode, Plan, PlanState, Series
from cio_pipeline.model.registry import ExportState, ExportSwitch, RegisteredSync
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import Window

END = datetime(2026, 3, 1, 12, tzinfo=UTC)
WINDOW = Window(END - timedelta(minutes=15), END)
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)
LONG_AGO = END - 400 * DAY


def cut(at: datetime = END, version: int | None = 2, table: str = "people") -> Cut:
    return Cut(at, {} if version is None else {table: TableCut("id", version)})


def state(
    export: str = "people",
    position: Cut | None = None,
    switch: ExportSwitch = ExportSwitch(enabled=True),  # noqa: B008 - frozen
    *,
    created_at: datetime = LONG_AGO,
    cadence: Cadence = Cadence.QUARTER_HOUR,
    open_plan: Plan | None = None,
) -> ExportState:
    sync = Sync(
        id="acme",
        workspace_id=1,
        cadence=cadence,
        destination=LocalDestination(type="local", path="bucket"),
    )
    registered = RegisteredSync(sync, 1, created_at, {export: switch})
    return ExportState(registered, export, switch, position, open_plan, {Series.PLAIN: 1})


def resumed(off_for: timedelta, at: datetime = END - MICROSECOND) -> ExportSwitch:
    return ExportSwitch(enabled=True, paused_at=at - off_for, resumed_at=at)


def plan(mode: Mode = Mode.CHANGES) -> Plan:
    return Plan(
        sync_id="acme",
        workspace_id=1,
        export="people",
        version=5,
        timestamp_unit="us",
        stem="people",
        generation=1,
        mode=mode,
        lower=None,
        upper=cut(),
        floor=None,
        first={Series.PLAIN: 1},
        rows_per_file=10,
        fingerprint="f",
        plan_id=7,
        state=PlanState.OPEN,
    )


def decided(given_state: ExportState, at: Cut | None = None, window: Window = WINDOW) -> Decision:
    driving = EXPORTS[given_state.export].source
    return decide(given_state, window, at or cut(window.end, table=driving), driving)


BEFORE = cut(END - timedelta(minutes=15), 1)
OFF = ExportSwitch(enabled=False, paused_at=END - DAY)

CASES: Mapping[str, tuple[ExportState, Cut, type[Decision], Mode | None]] = {
    "open plan": (state(open_plan=plan()), cut(), Resume, Mode.CHANGES),
    "open plan, off": (state(open_plan=plan(), switch=OFF), cut(), Resume, Mode.CHANGES),
    "open plan, covered": (state(open_plan=plan(), position=cut()), cut(), Resume, Mode.CHANGES),
    "open initial": (state(open_plan=plan(Mode.INITIAL)), cut(), Resume, Mode.INITIAL),
    "off": (state(switch=OFF, position=BEFORE), cut(), Off, None),
    "off, never sent": (state(switch=OFF), cut(), Off, None),
    "created at the window's end": (state(created_at=END), cut(), NotDue, None),
    "created after the window": (state(created_at=END + DAY), cut(), NotDue, None),
    "created just before": (state(created_at=END - MICROSECOND), cut(), Snapshot, Mode.INITIAL),
    "never sent": (state(), cut(), Snapshot, Mode.INITIAL),
    "never sent, was off for long": (
        state(switch=resumed(99 * DAY)),
        cut(),
        Snapshot,
        Mode.INITIAL,
    ),
    "never sent, no table": (state(), cut(version=None), Nothing, None),
    "position at the window's end": (state(position=cut()), cut(), Covered, None),
    "position beyond": (state(position=cut(END + DAY, 9)), cut(), Covered, None),
    "table unchanged": (state(position=cut(END - DAY, 2)), cut(), Nothing, None),
    "table gone": (state(position=BEFORE), cut(version=None), Refused, None),
    "table set back": (state(position=cut(END - DAY, 3)), cut(), Refused, None),
    "table changed": (state(position=BEFORE), cut(), Changes, Mode.CHANGES),
    "table made again": (
        state(position=Cut(END - DAY, {"people": TableCut("other", 2)})),
        cut(),
        Refused,
        None,
    ),
    "table new since": (
        state(position=cut(END - DAY, None)),
        cut(),
        Snapshot,
        Mode.INITIAL,
    ),
    "was off": (
        state(position=cut(END - 2 * DAY, 1), switch=resumed(DAY)),
        cut(),
        CatchUp,
        Mode.CATCH_UP,
    ),
    "was off, unchanged": (
        state(position=cut(END - 2 * DAY, 2), switch=resumed(DAY)),
        cut(),
        Nothing,
        None,
    ),
    "was off, caught up since": (
        state(position=BEFORE, switch=resumed(DAY, at=BEFORE.at)),
        cut(),
        Changes,
        Mode.CHANGES,
    ),
    "people off for 7 days": (
        state(position=cut(END - 8 * DAY, 1), switch=resumed(7 * DAY)),
        cut(),
        CatchUp,
        Mode.CATCH_UP,
    ),
    "people off for more than 7 days": (
        state(position=cut(END - 8 * DAY, 1), switch=resumed(7 * DAY + MICROSECOND)),
        cut(),
        Refused,
        None,
    ),
    "people off for long, unchanged": (
        state(position=cut(END - 9 * DAY, 2), switch=resumed(8 * DAY)),
        cut(),
        Refused,
        None,
    ),
    "people off for long, long ago": (
        state(position=BEFORE, switch=resumed(8 * DAY, at=END - 5 * DAY)),
        cut(),
        Changes,
        Mode.CHANGES,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_d6_each_branch(case: str) -> None:
    given_state, at, expected, mode = CASES[case]

    decision = decided(given_state, at)

    assert type(decision) is expected
    assert mode_of(decision) is mode
    assert decision.why.endswith(".")


@pytest.mark.parametrize("export", EXPORTS)
def test_d7_only_people_are_refused(export: str) -> None:
    table = EXPORTS[export].source
    old = cut(END - 9 * DAY, 1, table)

    decision = decided(state(export, old, resumed(8 * DAY)))

    assert isinstance(decision, Refused if export == "people" else CatchUp)


def test_d7_the_refusal_says_what_to_do() -> None:
    decision = decided(state(position=cut(END - 9 * DAY, 1), switch=resumed(8 * DAY)))

    assert isinstance(decision, Refused)
    assert "people" in decision.message
    assert "sync recreate acme" in decision.next_step
    assert "with all history" in decision.next_step


@pytest.mark.parametrize(
    ("export", "limited"), [("events", True), ("inbound", True), ("metrics", False)]
)
def test_d1_history_of_events_and_inbound_is_30_days_from_the_windows_end(
    export: str,
    limited: bool,  # noqa: FBT001 - a parameter of the case
) -> None:
    decision = decided(state(export))

    assert isinstance(decision, Snapshot)
    assert decision.floor == (END - 30 * DAY if limited else None)


@pytest.mark.parametrize("export", ["events", "inbound"])
@pytest.mark.parametrize(
    ("off_for", "floor"),
    [(30 * DAY, None), (30 * DAY + MICROSECOND, END - 30 * DAY), (300 * DAY, END - 30 * DAY)],
)
def test_d7_events_off_for_more_than_30_days_leave_a_gap(
    export: str, off_for: timedelta, floor: datetime | None
) -> None:
    old = cut(END - 301 * DAY, 1, export)

    decision = decided(state(export, old, resumed(off_for)))

    assert decision == CatchUp(old, cut(table=export), floor, why=decision.why)


def test_d7_other_exports_catch_up_without_a_gap() -> None:
    old = cut(END - 301 * DAY, 1, "metrics")

    decision = decided(state("metrics", old, resumed(300 * DAY)))

    assert isinstance(decision, CatchUp)
    assert decision.lower == old
    assert decision.floor is None


@pytest.mark.parametrize(
    ("cadence", "end", "due"),
    [
        (Cadence.HOUR, END, True),
        (Cadence.HOUR, END + timedelta(minutes=15), False),
        (Cadence.DAY, END, False),
        (Cadence.DAY, END + timedelta(hours=12), True),
    ],
)
def test_o5_a_sync_is_served_at_its_cadence(
    cadence: Cadence,
    end: datetime,
    due: bool,  # noqa: FBT001 - a parameter of the case
) -> None:
    window = Window(end - timedelta(minutes=15), end)

    decision = decided(state(cadence=cadence), window=window)

    assert isinstance(decision, Snapshot if due else NotDue)


def test_d6_changes_go_from_the_position_whatever_the_window() -> None:
    position = cut(END - 3 * DAY, 1)

    decision = decided(state(position=position))

    assert isinstance(decision, Changes)
    assert (decision.lower, decision.upper) == (position, cut())


TIMES = st.integers(0, 60 * 24 * 4).map(lambda quarter: END - timedelta(minutes=15 * quarter))
CUTS = st.builds(cut, TIMES, st.none() | st.integers(0, 3))
SWITCHES = st.builds(ExportSwitch, st.booleans(), st.none() | TIMES, st.none() | TIMES)
STATES: st.SearchStrategy[Any] = st.builds(
    state,
    export=st.sampled_from(sorted(EXPORTS)),
    position=st.none() | CUTS,
    switch=SWITCHES,
    created_at=TIMES,
    cadence=st.sampled_from(Feed.DATA_OUT.cadences),
    open_plan=st.none() | st.sampled_from(Mode).map(plan),
)


@given(STATES, TIMES, CUTS)
def test_d6_is_total_and_never_goes_back(given_state: ExportState, end: datetime, at: Cut) -> None:
    window = Window(end - timedelta(minutes=15), end)
    upper = replace(at, at=end)

    decision = decide(given_state, window, upper, "people")

    assert decision.why
    match decision:
        case Resume(plan=open_plan):
            assert open_plan is given_state.open_plan
        case Snapshot(upper=sent_up_to, late=late):
            position = given_state.position
            # Late: the table was not there yet at the position.
            assert "people" not in position.tables if late and position else position is None
            assert sent_up_to == upper
        case Changes(lower, sent_up_to) | CatchUp(lower, sent_up_to):
            assert lower is given_state.position
            assert lower.at < sent_up_to.at
            assert "people" in sent_up_to.tables
        case Covered(position):
            assert position.at >= end
        case Off():
            assert not given_state.switch.enabled
        case Nothing(upper=moved_to):
            assert moved_to == upper
        case NotDue() | Refused():
            assert given_state.switch.enabled
