"""Commits whose time lies ahead of our clock: somebody else's mistake, or on purpose (D6)."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from cio_pipeline.model.cuts import LOOKS, Cut, Waiting
from cio_pipeline.sources.delta import DeltaSource
from cio_pipeline_tests.sources.test_cuts import entry
from cio_pipeline_tests.sources.things import cut_at, minute, put, rows, source

YEAR = timedelta(days=365)


def foreign(found: DeltaSource, at: float | datetime) -> int:
    """A commit of somebody else, whose clock says `at`; returns its version."""
    time = at if isinstance(at, datetime) else minute(at)
    table = Path(found.uri) / "things"
    write_deltalake(table, rows({"x": "1"}), mode="append", schema_mode="merge")
    opened = DeltaTable(table)
    log = entry(Path(found.uri), opened.version())
    told = opened.history(1)[0]["timestamp"]
    log.write_text(log.read_text().replace(str(told), str(int(time.timestamp() * 1000))))
    return opened.version()


def decided(found: DeltaSource, at: float, after: Cut | None = None, late: float = 0.5) -> Cut:
    """The cut of the window that ends at a minute, decided a little later."""
    return cut_at(found, at, after, now=minute(at + late))


@pytest.mark.parametrize("ahead", [timedelta(minutes=1), timedelta(hours=2), YEAR])
def test_d6_a_clock_ahead_of_ours_stalls_nothing(tmp_path: Path, ahead: timedelta) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=5)
    foreign(found, minute(10) + ahead)
    put(found, {"b": "1"}, at=12)
    first = decided(found, 15)
    second = decided(found, 30, first)
    assert second.tables["things"].version == 3
    assert second.waiting("things") is None


def test_d6_first_seen_is_the_same_for_all_windows(tmp_path: Path) -> None:
    """A commit belongs to the window in which it was first seen, whoever decides, and when."""
    found = source(tmp_path)
    put(found, {"a": "1"}, at=5)
    first = decided(found, 15)
    foreign(found, minute(20) + YEAR)
    second = decided(found, 30, first)
    assert second.tables["things"].version == 1, "seen at 30.5: not before 30"
    third = decided(found, 45, second)
    assert third.tables["things"].version == 2
    assert decided(found, 45, second, late=300) == third, "decided again, much later"
    assert decided(found, 60, third).tables["things"].version == 2


def test_d6_all_commits_of_a_clock_ahead_that_were_seen_come_together(tmp_path: Path) -> None:
    """One a window would never catch up with a writer whose every commit is ahead."""
    found = source(tmp_path)
    for n in range(5):
        foreign(found, minute(10 + n) + YEAR)
    first = decided(found, 15)
    assert first.tables["things"].version == 0
    foreign(found, minute(20) + YEAR)
    second = decided(found, 30, first)
    assert second.tables["things"].version == 5
    assert decided(found, 45, second).tables["things"].version == 6


def test_d6_windows_decided_late_have_what_was_not_seen_before_the_next(tmp_path: Path) -> None:
    found = source(tmp_path)
    foreign(found, minute(5) + YEAR)
    reached: list[int] = []
    after: Cut | None = None
    for at in (15, 30, 45):  # an outage: all are decided at minute 50
        after = cut_at(found, at, after, now=minute(50))
        reached.append(after.tables["things"].version)
    after = cut_at(found, 60, after, now=minute(60.5))
    assert [*reached, after.tables["things"].version] == [0, 0, 0, 1]


@pytest.mark.parametrize("lag", [0, 1, 2, 5])
def test_d6_windows_that_are_always_late_have_what_was_first_seen_before_their_end(
    tmp_path: Path, lag: int
) -> None:
    """Each window is decided `lag` windows after its end; a writer is ahead all the time."""
    found = source(tmp_path)
    after: Cut | None = None
    for n in range(1, 3 * lag + 5):
        now = minute(15 * (n + lag) + 1)
        assert foreign(found, now + YEAR) == n
        again = after
        after = cut_at(found, minute(15 * n), again, now=now)
        assert after.tables["things"].version == max(0, n - lag - 1)
        assert cut_at(found, minute(15 * n), again, now=now + YEAR) == after, "decided again"


def test_d6_what_is_kept_of_earlier_looks_is_bounded_and_still_catches_up(tmp_path: Path) -> None:
    found = source(tmp_path)
    after: Cut | None = None
    lag = LOOKS + 4
    for n in range(1, 2 * lag + 3):
        now = minute(15 * (n + lag) + 1)
        foreign(found, now + YEAR)
        after = cut_at(found, minute(15 * n), after, now=now)
        assert len(after.rest["things"].earlier) <= LOOKS
        assert after.tables["things"].version >= n - 2 * lag
    assert after is not None
    assert after.tables["things"].version >= LOOKS


def test_d6_looks_from_before_a_window_count_as_one(tmp_path: Path) -> None:
    """Else each window behind a time ahead on purpose would add one."""
    found = source(tmp_path)
    put(found, {"a": "1"}, at=1000)
    after: Cut | None = None
    for n in range(1, 8):
        foreign(found, minute(15 * n) + YEAR)
        after = decided(found, 15 * n, after)
        assert len(after.rest["things"].earlier) < 2
    last = decided(found, 1005, decided(found, 990, after, late=900), late=900)
    assert last.tables["things"].version == 8


def test_a_time_ahead_on_purpose_waits_and_is_told_with_what_waits_behind_it(
    tmp_path: Path,
) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=5)
    first = decided(found, 15)
    until = minute(20) + YEAR
    put(found, {"b": "1"}, at=(until - minute(0)) / timedelta(minutes=1))
    put(found, {"c": "1"}, at=22)
    foreign(found, 24)
    second = decided(found, 30, first)
    assert second.tables["things"].version == 1
    assert second.waiting("things") == Waiting(2, 3, until, minute(22))
    told = str(second.waiting("things"))
    assert "Version 2 is dated 2027-01-01 00:20 UTC by its cio.committed_at" in told
    assert "2 later commits" in told
    assert "since 2026-01-01 00:22" in told
    third = decided(found, 45, second)
    assert third.tables["things"].version == 1, "however often it was seen"
    after = cut_at(found, until + timedelta(minutes=10), third, now=until + timedelta(minutes=11))
    assert after.tables["things"].version == 4


def test_what_waits_is_late_since_it_was_first_seen_if_its_own_clock_is_ahead(
    tmp_path: Path,
) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=1000)
    foreign(found, minute(10) + YEAR)
    first = decided(found, 15)
    for cut in (first, decided(found, 30, first)):
        assert cut.waiting("things") == Waiting(1, 2, minute(1000), minute(15.5))


def test_a_time_ahead_on_purpose_with_nothing_behind_it_keeps_nothing_back(tmp_path: Path) -> None:
    found = source(tmp_path)
    put(found, {"a": "1"}, at=100)
    cut = decided(found, 15)
    assert cut.waiting("things") == Waiting(1, 1, minute(100), None)
    assert "late" not in str(cut.waiting("things"))


def test_a_time_of_a_later_window_does_not_wait(tmp_path: Path) -> None:
    """Windows are decided one after the other; what the next one has is nothing to be told."""
    found = source(tmp_path)
    put(found, {"a": "1"}, at=16)
    assert cut_at(found, 15, now=minute(20)).waiting("things") is None
