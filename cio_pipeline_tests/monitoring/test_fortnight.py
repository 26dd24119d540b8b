"""Fourteen days with known anomalies, at three sizes: all are found; and fourteen clean ones."""

from datetime import datetime, timedelta

import pytest

from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.looks import SeenColumns
from cio_pipeline.model.volumes import ALL, DAY, EVENT, HOUR, KEPT, PERSON, Volume
from cio_pipeline.monitoring.drift import drifted
from cio_pipeline.monitoring.identity import lost_identity
from cio_pipeline.monitoring.volume import (
    FEWEST,
    Judged,
    clocks_changed,
    compared_with,
    odd_volumes,
)
from cio_pipeline_tests.monitoring.fortnight import (
    BEGIN,
    EXPORTS,
    ROWS_A_DAY,
    Changed,
    Fortnight,
    as_ever,
    day,
    within,
)

SIZES = pytest.mark.parametrize("size", ROWS_A_DAY)
SEEDS = pytest.mark.parametrize("seed", range(4))


def anomalies(export: str, kind: str, at: datetime) -> float:
    """Half of the deliveries on a Wednesday, all metrics twice on a Thursday, an event gone."""
    if (export, kind) == ("deliveries", ALL) and within(at, 10):
        return 0.5
    if (export, kind) == ("metrics", ALL) and within(at, 11):
        return 2.0
    if kind == EVENT + "signed_up" and at >= day(12):
        return 0.0
    return 1.0


def told(findings: list[Finding], export: str, number: int) -> list[Finding]:
    """What was found of an export in a day."""
    return [
        one
        for one in findings
        if one.export == export
        and one.window_end is not None
        and day(number) < one.window_end <= day(number + 1)
    ]


@SIZES
@SEEDS
def test_o1_fourteen_clean_days_give_one_false_alarm_at_most(size: str, seed: int) -> None:
    found = list(Fortnight(ROWS_A_DAY[size], seed).found())

    assert len(found) <= 1, [one.says for one in found]


@SIZES
@SEEDS
def test_o1_half_double_and_silent_are_found_within_the_day(size: str, seed: int) -> None:
    found = list(Fortnight(ROWS_A_DAY[size], seed, anomalies).found())

    half, double, silent = (
        told(found, *where) for where in (("deliveries", 10), ("metrics", 11), ("events", 12))
    )
    assert half
    assert double
    assert [one.about for one in silent if one.about] == ["event signed_up"]
    assert all(one.severity is Severity.WARNING and one.owner for one in found)
    expected = {id(one) for one in (*half, *double)}
    # What is left of the events after one of them went is less, too.
    others = [one for one in found if id(one) not in expected and one.export != "events"]
    assert len(others) <= 1, [(one.export, one.says) for one in others]


@SIZES
@SEEDS
@pytest.mark.parametrize("earlier", [1, -1, 0])
def test_o1_clocks_that_change_give_one_false_alarm_at_most(
    size: str, seed: int, earlier: int
) -> None:
    """What used to come in an hour (UTC) comes in one beside it; mornings are steep."""
    changed = Fortnight(ROWS_A_DAY[size], seed, earlier=timedelta(hours=earlier), swing=0.95)

    assert len(found := list(changed.found())) <= 1, [one.says for one in found]


@pytest.mark.parametrize(
    ("on", "changed"),
    [
        ("2026-02-20", False),
        ("2026-03-12", True),
        ("2026-04-20", True),
        ("2026-06-15", False),
        ("2026-09-20", False),
        ("2026-10-10", True),
        ("2026-11-29", True),
        ("2027-01-10", False),
    ],
)
def test_clocks_change_twice_a_year_on_other_days_elsewhere(on: str, *, changed: bool) -> None:
    end = datetime.fromisoformat(f"{on}T07:00Z")
    assert clocks_changed(end, compared_with(end, HOUR, end - KEPT)) == changed


def test_o1_too_little_history_judges_nothing() -> None:
    """The first days of a deployment, and of a sync."""
    end = day(3)
    assert len(compared_with(end, DAY, BEGIN)) < FEWEST
    volumes = {end: {("s", "people", ALL): Volume(1, 1, end - DAY)}}
    assert list(odd_volumes(end, DAY, volumes, [Judged(("s", "people"), None, BEGIN)])) == []


def test_o1_the_same_weekday_is_taken_once_there_are_enough_of_it() -> None:
    end = BEGIN + timedelta(weeks=5) + HOUR
    assert compared_with(end, HOUR, BEGIN) == [end - timedelta(weeks=n) for n in range(1, 6)]
    saturday = day(13)
    weekend = compared_with(saturday, DAY, BEGIN)
    assert all((one - DAY).weekday() < 5 for one in weekend)


@pytest.mark.parametrize("since_begins", [True, False])
def test_o1_what_came_in_one_piece_after_an_outage_is_not_judged(*, since_begins: bool) -> None:
    """Neither the hour that has it all, nor the one before it that has nothing."""
    end = day(9) + HOUR
    usual = {
        end - n * DAY: {("s", "people", ALL): Volume(1_000, 1, end - n * DAY - HOUR)}
        for n in range(1, 8)
    }
    key, judged = ("s", "people", ALL), [Judged(("s", "people"), None, BEGIN)]
    outage = Volume(5_000, 1, end - 5 * HOUR)
    at = end if since_begins else end + HOUR
    assert list(odd_volumes(end, HOUR, usual | {at: {key: outage}}, judged)) == []
    whole = Volume(5_000, 1, end - HOUR)
    assert len(list(odd_volumes(end, HOUR, usual | {end: {key: whole}}, judged))) == 1


@SIZES
@SEEDS
def test_o1_identity_that_is_lost_is_found_within_the_day_and_never_on_clean_ones(
    size: str, seed: int
) -> None:
    def lost(export: str, kind: str, at: datetime) -> float:
        return 0.5 if (export, kind) == ("deliveries", PERSON) and at >= day(9) else 1.0

    def found(changed: Changed) -> list[Finding]:
        days = Fortnight(ROWS_A_DAY[size], seed, changed).days
        pairs = [(("s", export), "o@x.example") for export in EXPORTS]
        return [
            one
            for end in sorted(days)
            for one in lost_identity(end, {at: days[at] for at in days if at <= end}, pairs)
        ]

    first, *_ = found(lost)
    assert (first.export, first.window_end) == ("deliveries", day(10))
    assert len(found(as_ever)) <= 1


def test_o1_columns_that_came_or_are_of_another_type_are_found_at_once_and_once() -> None:
    """Fourteen days of looks, four an hour: a new column on day 5, another type on day 9."""
    seen, told = SeenColumns("events", {"name": "string", "at": "timestamp"}, None, BEGIN), []
    for number in range(14 * 96):
        at = BEGIN + number * timedelta(minutes=15)
        columns = {"name": "string", "at": "long" if at >= day(9) else "timestamp"}
        seen = seen.followed_by(columns | ({"plan": "string"} if at >= day(5) else {}), at)
        told += [
            (at, one) for one in drifted([seen], at, {"events": frozenset({"name", "at"})}, {})
        ]

    times = [at for at, _ in told]
    new, retyped = (one for at, one in told if at in {day(5), day(9)})
    assert min(times) == day(5)
    assert all(within(at, 5) or within(at, 9) for at in times)
    assert (new.severity, retyped.severity) == (Severity.WARNING, Severity.ERROR)
    assert "plan is new (string)" in new.says
    assert "at was timestamp, is long" in retyped.says
