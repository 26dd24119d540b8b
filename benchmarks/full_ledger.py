"""The sensor's look and a window's statements on a ledger of a year, against an empty one."""

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, text

from benchmarks.report import Report
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.ledger.open import Ledger, open_ledger
from cio_pipeline.ledger.statements import microseconds
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.destinations import LocalDestination
from cio_pipeline.model.registry import ExportSwitch
from cio_pipeline.model.sync import Sync

SYNCS, WINDOWS, PLANS_A_WINDOW = 1000, 35_040, 100
GOAL = 1.2
ROUNDS = 9
END = datetime(2026, 11, 28, tzinfo=UTC)
QUARTER = timedelta(minutes=15)

_NUMBERS = """
    INSERT INTO numbers WITH RECURSIVE up (n) AS (
        SELECT 0 UNION ALL SELECT n + 1 FROM up WHERE n < {windows} * {plans} - 1
    ) SELECT n FROM up"""
_MADE = (
    "CREATE TABLE numbers (n BIGINT PRIMARY KEY)",
    _NUMBERS,
    """
    INSERT INTO cuts (at, tables)
    SELECT {first} + n * {step}, '{{}}' FROM numbers WHERE n < {windows}""",
    """
    INSERT INTO attempts (lane, key, count, last_at)
    SELECT 'tick', 'window ' || n, 1, {first} + n * {step} FROM numbers WHERE n < {windows}""",
    """
    INSERT INTO plans (id, sync_id, workspace_id, export, version, timestamp_unit, stem,
        generation, mode, lower_at, upper_at, first, rows_per_file, fingerprint, state,
        opened_at, closed_at, slice)
    SELECT n + 1, 's' || (n % {syncs}), n % {syncs} + 1, 'people', 5, 'us', 'people', 1, 'changes',
        {first} + (n / {plans}) * {step}, {first} + (n / {plans}) * {step}, '{{}}', 1000000,
        'x', 'committed', 0, {first} + (n / {plans}) * {step}, 1
    FROM numbers""",
    """
    INSERT INTO files (plan_id, number, sync_id, key, series, sequence, rows, bytes, sha256,
        spool, manifest_ordinal)
    SELECT n + 1, 0, 's' || (n % {syncs}), 'people_v5_' || n, 'plain', n, 1, 1000, 'x', 'x',
        n / {syncs} + 1
    FROM numbers""",
    """
    INSERT INTO manifests (sync_id, ordinal, digest, body, put_at, bytes)
    SELECT 's' || (n % {syncs}), n / {syncs} + 1, 'x', '', {first}, 2000 FROM numbers""",
    "DROP TABLE numbers",
    """
    INSERT INTO positions (sync_id, export, generation, at, moved_at)
    SELECT sync_id, export, 1, (SELECT MAX(at) FROM cuts), 0 FROM switches""",
    "ANALYZE",
)


def run(data: Path, scale: float) -> Report:
    """Made ledgers of SQLite: one of a year, one of a single window."""
    syncs, windows = max(10, int(SYNCS * scale)), max(100, int(WINDOWS * scale))
    folder = data / "full-ledger"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    costs: list[dict[str, float]] = []
    for number in (1, windows):
        ledger = open_ledger(f"sqlite:///{folder / f'{number}.db'}")
        _fill(ledger, syncs, number)
        costs.append({what: _best(work) for what, work in _asked(ledger, syncs).items()})
        ledger.close()
    empty, full = costs
    ratios = {what: full[what] / took for what, took in empty.items()}
    return Report(
        "full_ledger",
        f"A ledger of {windows:,} windows and {syncs:,} syncs against one of one window",
        f"within {GOAL:g} times",
        f"{max(ratios.values()):.2f} times at most",
        ("", "one window, ms", "all windows, ms", "times"),
        [
            (what, f"{took * 1e3:.1f}", f"{full[what] * 1e3:.1f}", f"{ratios[what]:.2f}")
            for what, took in empty.items()
        ],
        {"syncs": syncs, "windows": windows, "empty": empty, "full": full, "ratios": ratios},
    )


def _fill(ledger: Ledger, syncs: int, windows: int) -> None:
    switches = {export: ExportSwitch(enabled=True) for export in EXPORTS}
    for number in range(syncs):
        place = LocalDestination(type="local", path=f"bucket/s{number}")
        one = Sync(id=f"s{number}", workspace_id=number + 1, destination=place)
        ledger.registry.put(one, switches, END - QUARTER)
    given = {
        "first": microseconds(END - windows * QUARTER),
        "step": QUARTER // timedelta(microseconds=1),
        "windows": windows,
        "syncs": syncs,
        "plans": min(PLANS_A_WINDOW, syncs),
    }

    def work(connection: Connection) -> None:
        for statement in _MADE:
            connection.execute(text(statement.format(**given)))

    with ledger.database.engine.begin() as connection:
        work(connection)


def _asked(ledger: Ledger, syncs: int) -> dict[str, Callable[[], object]]:
    ids = [f"s{number}" for number in range(syncs)]
    windows = [f"window {number}" for number in range(8)]
    end = END

    def look() -> None:
        ledger.registry.states(list(EXPORTS))
        ledger.errors.all()
        ledger.breakers.all()
        ledger.manifests.to_put(ids)
        ledger.attempts.counts("tick", windows)

    def window() -> None:
        nonlocal end
        stands = {(sync_id, "events"): end - QUARTER for sync_id in ids}
        ledger.registry.states(["events"])
        ledger.quarantine.held(ids, "events")
        ledger.plans.advance_unheld(stands, Cut(end, {}), end)
        end += QUARTER

    return {"the sensor's look": look, "an idle window of an export": window}


def _best(work: Callable[[], object]) -> float:
    """CPU seconds of the cheapest round."""
    found: list[float] = []
    for _ in range(ROUNDS):
        before = time.process_time()
        work()
        found.append(time.process_time() - before)
    return min(found)
