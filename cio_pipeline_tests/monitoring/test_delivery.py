from datetime import UTC, datetime, timedelta

import pytest

from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.destinations import LocalDestination
from cio_pipeline.model.feeds import Cadence
from cio_pipeline.model.plans import Mode, Plan, PlanState, Series
from cio_pipeline.model.registry import ExportState, ExportSwitch, RegisteredSync
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import Window
from cio_pipeline.monitoring.delivery import (
    DeliveryReport,
    delivery_report,
    markdown_table,
    problem_rows,
    summary_rows,
)

END = datetime(2026, 3, 1, 12, 15, tzinfo=UTC)
WINDOW = Window(END - timedelta(minutes=15), END)
BEFORE, AFTER = Cut(WINDOW.start, {}), Cut(END + timedelta(days=1), {})
OFF = ExportSwitch(enabled=False, paused_at=END)


def state(
    sync_id: str = "acme",
    position: Cut | None = None,
    *,
    export: str = "people",
    enabled: bool = True,
    created_at: datetime = END - timedelta(days=9),
    cadence: Cadence = Cadence.QUARTER_HOUR,
    running: Mode | None = None,
) -> ExportState:
    sync = Sync(
        id=sync_id,
        workspace_id=1,
        owner=f"{sync_id}@x.example",
        cadence=cadence,
        destination=LocalDestination(type="local", path="bucket"),
    )
    switch = ExportSwitch(enabled=True) if enabled else OFF
    registered = RegisteredSync(sync, 1, created_at, {export: switch})
    plan = None if running is None else open_plan(sync_id, export, running)
    return ExportState(registered, export, switch, position, plan, {Series.PLAIN: 1})


def open_plan(sync_id: str, export: str, mode: Mode) -> Plan:
    return Plan(
        sync_id=sync_id,
        workspace_id=1,
        export=export,
        version=5,
        timestamp_unit="us",
        stem=export,
        generation=1,
        mode=mode,
        lower=None,
        upper=BEFORE,
        floor=None,
        first={Series.PLAIN: 1},
        rows_per_file=10,
        fingerprint="f",
        plan_id=1,
        state=PlanState.OPEN,
    )


def report(*states: ExportState, **errors: str) -> DeliveryReport:
    return delivery_report(
        "people", WINDOW, states, {(sync, "people"): text for sync, text in errors.items()}
    )


def counts(found: DeliveryReport) -> list[int]:
    return [number for _, number in summary_rows(found)]


@pytest.mark.parametrize(
    ("given", "expected", "passed"),
    [
        (state(position=Cut(END, {})), [1, 0, 0, 0, 0], True),
        (state(position=AFTER), [0, 1, 0, 0, 0], True),
        (state(), [0, 0, 1, 0, 0], True),
        (state(running=Mode.INITIAL), [0, 0, 1, 0, 0], True),
        (state(position=BEFORE), [0, 0, 0, 0, 1], False),
        (state(position=BEFORE, running=Mode.CHANGES), [0, 0, 0, 0, 1], False),
        (state(enabled=False), [0] * 5, True),
        (state(created_at=END), [0] * 5, True),
        (state(cadence=Cadence.HOUR), [0] * 5, True),
        (state(export="events"), [0] * 5, True),
    ],
)
def test_o1_how_a_sync_stands(given: ExportState, expected: list[int], *, passed: bool) -> None:
    found = report(given)

    assert counts(found) == expected
    assert found.due == sum(expected)
    assert found.passed is passed


@pytest.mark.parametrize(
    ("position", "failed"), [(None, True), (BEFORE, True), (Cut(END, {}), False), (AFTER, False)]
)
def test_o1_an_error_fails_unless_a_later_delivery_overtook_it(
    position: Cut | None, *, failed: bool
) -> None:
    found = report(state(position=position), acme="no such folder")

    assert found.passed is not failed
    assert found.failed == ((("acme", "acme@x.example", "no such folder"),) if failed else ())


def test_o8_one_failing_sync_does_not_hide_the_others() -> None:
    found = report(
        state("late", BEFORE), state("bad", BEFORE), state("good", Cut(END, {})), bad="forbidden"
    )

    assert found.delivered == ("good",)
    assert [row[0] for row in problem_rows(found)] == ["bad", "late"]
    assert not found.passed


def test_o3_problems_name_the_owner() -> None:
    ((sync, owner, text),) = problem_rows(report(state(position=BEFORE), acme="forbidden"))

    assert (sync, owner, text) == ("acme", "acme@x.example", "forbidden")


def test_a_cell_of_a_table_stays_a_cell() -> None:
    table = markdown_table(("sync", "problem"), [("a", "b | c\nd"), ("e", 1)])

    assert table.splitlines() == [
        "| sync | problem |",
        "| --- | --- |",
        "| a | b \\| c d |",
        "| e | 1 |",
    ]


def test_an_empty_table_has_a_header() -> None:
    assert markdown_table(("sync",), []) == "| sync |\n| --- |"


def test_o1_the_report_reads_well() -> None:
    failed = report(state("bad", BEFORE), state("good", Cut(END, {})), bad="forbidden")
    passed = report(state("good", Cut(END, {})))

    assert "| bad | bad@x.example | forbidden |" in failed.markdown().splitlines()
    assert "| delivered | 1 |" in failed.markdown().splitlines()
    assert "owner" not in passed.markdown()
