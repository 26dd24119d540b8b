"""What the checks of a window cost beside the window that they look at, in one run."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.measure import measured
from benchmarks.product import NEXT, Product, fresh, just_after
from benchmarks.report import Report
from benchmarks.windows import copy_ledger, made_window, syncs_at
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.model.volumes import ALL, DAY, EVENT, HOUR, NOBODY, PERSON, ended

GOAL = 0.1
NAMES = 20
WEEKS = 5


def run(data: Path, scale: float) -> Report:
    """A busy window with five weeks of history behind it, and its checks."""
    syncs = syncs_at(scale)
    made = made_window(data, syncs, changes=True)
    with fresh(data / "product") as home:
        (home / "dagster").mkdir()
        (home / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        copy_ledger(made / "ledger.db", home / "ledger.db")
        rows = _remember(home / "ledger.db", syncs)
        product = Product(home, made / "source")
        found = product.run("checks:run_window_and_checks")
    window, each = found["window"], found["checks"]
    checks = sum(each.values())
    return Report(
        "checks",
        f"The checks of a window of {syncs} syncs x {len(EXPORTS)} exports, changes in each",
        f"less than {GOAL:g} of the window's CPU s",
        f"{checks / window:.3f} of {window:.1f} CPU s, {rows:,} rows of history",
        ("check", "CPU s"),
        [(name, f"{cost:.2f}") for name, cost in each.items()],
        {"syncs": syncs, "ratio": checks / window, "history": rows, **found},
    )


def run_window_and_checks() -> dict[str, Any]:
    """The window's job, and then each check once more, with facts of its own."""
    from cio_pipeline.definitions import defs  # noqa: PLC0415 - reads the environment
    from cio_pipeline.model.feeds import Feed  # noqa: PLC0415 - the same
    from cio_pipeline.pipeline.checking.checks import CHECKS  # noqa: PLC0415 - the same
    from cio_pipeline.pipeline.checking.scene import Scene  # noqa: PLC0415 - the same
    from cio_pipeline.settings import settings  # noqa: PLC0415 - the same
    from cio_pipeline.wiring import open_services  # noqa: PLC0415 - the same

    job = defs.resolve_job_def("data_out")
    with dg.DagsterInstance.get() as instance, measured() as window:
        job.execute_in_process(partition_key=NEXT.key, instance=instance)
    costs: dict[str, float] = {}
    found: dict[str, int] = {}
    scene = Scene(open_services(settings()).services, NEXT, Feed.DATA_OUT)
    for check in CHECKS:
        with measured() as cost:
            found[check.name] = len(list(check.find(scene)))
            check.note(scene)
        costs[check.name] = cost.cpu
    return {"window": window.cpu - sum(costs.values()), "checks": costs, "found": found}


def _remember(ledger: Path, syncs: int) -> int:
    """Rows of the hours and days that the window's are held against, for every export."""
    rows = list(_history(syncs, just_after()))
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.executemany("INSERT INTO volumes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        month = timedelta(days=40)
        connection.execute("UPDATE syncs SET created_at = created_at - ?", (_number(month),))
    return len(rows)


def _history(syncs: int, now: datetime) -> Iterator[tuple[Any, ...]]:
    ids = [f"w{number:05d}" for number in range(1, syncs + 1)]
    hour, day = ended(now, HOUR), ended(now, DAY)
    ends = [(HOUR, hour - n * DAY) for n in range(7 * WEEKS)]
    ends += [(DAY, day - n * DAY) for n in range(7 * WEEKS)]
    for length, end in ends:
        at = _number(end - _EPOCH), _number(end - _EPOCH - length)
        for sync_id in ids:
            for export in EXPORTS:
                yield _number(length), at[0], sync_id, export, ALL, 10, 1_000, at[1]
            for kind, number in _kinds() if length == DAY else ():
                yield _number(length), at[0], sync_id, "events", kind, number, 0, at[1]


def _kinds() -> Iterator[tuple[str, int]]:
    yield from ((PERSON, 95), (NOBODY, 5))
    yield from ((f"{EVENT}event_{n}", 5) for n in range(NAMES))


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _number(length: timedelta) -> int:
    return length // timedelta(microseconds=1)
