from dataclasses import replace
from datetime import timedelta

import pytest

from cio_pipeline.model.breakers import Breaker, BreakerState
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.destinations import LocalDestination
from cio_pipeline.model.failures import Failing
from cio_pipeline.model.feeds import Cadence, Feed
from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.plans import Mode
from cio_pipeline.model.registry import ExportState, ExportSwitch
from cio_pipeline.model.sync import Sync
from cio_pipeline.monitoring.delays import LATE, delayed
from cio_pipeline_tests.monitoring.test_delivery import AFTER, BEFORE, END, WINDOW, state

LONG_AGO = Cut(END - timedelta(days=2), {})
MESSAGES = Sync(
    id="beta",
    workspace_id=1,
    feed=Feed.MESSAGES,
    key_template='metadata."event-id"',
    destination=LocalDestination(type="local", path="b"),
)
RESUMED = replace(state(), switch=ExportSwitch(enabled=True, resumed_at=END - LATE))
"""Turned on for the first time, long after its sync was registered."""


def found(*states: ExportState, **failing: str) -> list[Finding]:
    errors = {
        (sync_id, "people"): Failing(WINDOW.start, END, 1, "Refused", message)
        for sync_id, message in failing.items()
    }
    return list(delayed(WINDOW, states, errors, {}, ()))


@pytest.mark.parametrize(
    "given",
    [
        state(position=Cut(END, {})),
        state(position=AFTER),
        state(created_at=END - LATE),
        state(created_at=END - LATE, running=Mode.INITIAL),
        state(created_at=END - timedelta(days=2), cadence=Cadence.DAY),
        RESUMED,
        state(position=BEFORE, cadence=Cadence.HOUR),
        state(position=BEFORE, enabled=False),
    ],
)
def test_o1_who_has_all_or_waits_for_its_first_files_for_a_while_is_not_late(
    given: ExportState,
) -> None:
    assert found(given) == []


def test_o1_first_files_that_do_not_come_are_told_with_all_that_may_keep_them() -> None:
    """Of a run that is killed each time, for memory or with its machine, nothing else tells."""
    hours = state(created_at=END - timedelta(hours=2), running=Mode.INITIAL)
    days = state("beta", export="people", running=Mode.INITIAL)
    messages = replace(days, registered=replace(days.registered, sync=MESSAGES), open_plan=None)

    queued, forgotten = found(hours, days)
    (refused,) = found(hours, acme="no such folder")
    (unserved,) = found(messages)

    assert queued.severity is Severity.WARNING
    assert forgotten.severity is refused.severity is unserved.severity is Severity.ERROR
    assert queued.says.startswith("people: nothing was delivered since 2026-03-01 10:15 UTC, due")
    assert "lane `initial`" in queued.cause
    assert refused.cause == "no such folder"
    assert "No run served it" in unserved.cause
    assert list(delayed(WINDOW, [hours], {}, {}, {("acme", "people")})) == []


def test_o1_a_sync_is_late_once_however_many_exports_are() -> None:
    """One finding: its incident is the sync's, not that of each export (O3)."""
    late = [state(position=BEFORE, export=name) for name in ("people", "events", "a", "b")]

    (one,) = found(*late)

    assert (one.sync_id, one.owner, one.export) == ("acme", "acme@x.example", None)
    assert one.severity is Severity.WARNING
    assert one.says.startswith("people, events, a and 1 more: delivered up to 2026-03-01 12:00")
    assert "No run served it" in one.cause
    assert one.incident == found(*late[:1])[0].incident


def test_o1_the_cause_of_a_delay_is_its_breaker_its_error_or_a_run_that_is_missing() -> None:
    late = state(position=BEFORE)
    stopped = Breaker("acme", BreakerState.STOPPED, 1, END, END, "run", "Refused", "wrong key")

    (failed,) = found(late, acme="no such folder")
    (broken,) = delayed(WINDOW, [late], {}, {"acme": stopped}, ())

    assert (failed.cause, failed.command) == (
        "no such folder",
        "cio-pipeline export --now --sync acme",
    )
    assert broken.cause == "Its breaker is stopped: wrong key"
    assert broken.command == "cio-pipeline sync resume acme"
    assert list(delayed(WINDOW, [late], {}, {}, {("acme", "people")})) == []
    slow = replace(stopped, state=BreakerState.SLOW, until=END + timedelta(hours=1))
    assert "slow" in next(delayed(WINDOW, [late], {}, {"acme": slow}, ())).cause


def test_o1_who_stands_still_for_long_wants_somebody_now() -> None:
    (one,) = found(state(position=LONG_AGO))
    (daily,) = found(
        state(position=Cut(END - timedelta(hours=20), {}), cadence=Cadence.QUARTER_HOUR)
    )

    assert one.severity is daily.severity is Severity.ERROR
