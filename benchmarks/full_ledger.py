"""The sensor's look and a window's statements on a ledger of a year, against an empty one.

On SQLite and, where its programs are, on a PostgreSQL of its own, whose CPU time counts, too.
"""

import itertools
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, text

from benchmarks.report import Report
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.ledger.open import Ledger, open_ledger
from cio_pipeline.ledger.statements import microseconds
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.destinations import LocalDestination
from cio_pipeline.model.plans import Mode, Plan, SealedFile, SealedPlan, Series
from cio_pipeline.model.registry import ExportSwitch, Pair
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import data_out_window
from cio_pipeline.pipeline.planning.plan_export import draft
from cio_pipeline_tests.postgres import bin_folder, running_cluster

SYNCS, WINDOWS, PLANS_A_WINDOW = 1000, 35_040, 100
GOAL = 1.2
ROUNDS = 20
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


@dataclass(frozen=True)
class Kept:
    """Where a ledger is kept: a new URL by name, and CPU seconds that its server took so far."""

    name: str
    url: Callable[[str], str]
    server: Callable[[], float] = lambda: 0.0


_NUMBERED_ON = "SELECT setval(pg_get_serial_sequence('plans', 'id'), (SELECT MAX(id) FROM plans))"


def run(data: Path, scale: float) -> Report:
    """Made ledgers: one of a year, one of a single window, in each database."""
    syncs, windows = max(10, int(SYNCS * scale)), max(100, int(WINDOWS * scale))
    folder = data / "full-ledger"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    empty: dict[str, float] = {}
    full: dict[str, float] = {}
    with _databases(folder) as databases:
        for kept in databases:
            ledgers = [open_ledger(kept.url(f"ledger_{number}")) for number in (1, windows)]
            for ledger, number in zip(ledgers, (1, windows), strict=True):
                _fill(ledger, syncs, number)
            both = [_asked(ledger, syncs) for ledger in ledgers]
            for what in both[0]:
                name = f"{what}, {kept.name}"
                empty[name], full[name] = _costs([one[what] for one in both], kept.server)
            for ledger in ledgers:
                ledger.close()
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


@contextmanager
def _databases(folder: Path) -> Generator[list[Kept]]:
    sqlite = Kept("SQLite", lambda name: f"sqlite:///{folder / name}.db")
    if bin_folder() is None:
        yield [sqlite]
        return
    with running_cluster() as cluster:
        server = int((cluster.folder / "data" / "postmaster.pid").read_text().split()[0])
        yield [
            sqlite,
            Kept("PostgreSQL", lambda _: cluster.new_schema(), lambda: _cpu_of_backends(server)),
        ]


def _cpu_of_backends(parent: int) -> float:
    """What a server's processes took that answer to somebody: those that tidy up come and go."""
    found = (_stat(path) for path in Path("/proc").glob("[0-9]*/stat"))
    ticks = sum(user + kernel for of, user, kernel in found if of == parent)
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(path: Path) -> tuple[int, int, int]:
    """Parent, ticks in programs and in the kernel; zeros for who answers nobody, or has ended."""
    try:
        answers = b"[local]" in (path.parent / "cmdline").read_bytes()
        fields = path.read_text().rpartition(")")[2].split()
    except OSError:
        return 0, 0, 0
    if not answers:
        return 0, 0, 0
    return int(fields[1]), int(fields[11]), int(fields[12])


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
        if not ledger.database.is_sqlite:
            connection.execute(text(_NUMBERED_ON))

    ledger.database.write(work)


def _asked(ledger: Ledger, syncs: int) -> dict[str, Callable[[], object]]:
    ids = [f"s{number}" for number in range(syncs)]
    windows = [f"window {number}" for number in range(8)]
    ends = (END + number * QUARTER for number in itertools.count())

    def look() -> None:
        ledger.registry.states(list(EXPORTS))
        ledger.failing.all()
        ledger.breakers.all()
        ledger.manifests.waiting()
        ledger.attempts.counts("tick", windows)

    def idle() -> None:
        end = next(ends)
        stands = {(sync_id, "events"): end - QUARTER for sync_id in ids}
        ledger.registry.states(["events"])
        ledger.quarantine.held(ids, "events")
        ledger.plans.advance_unheld(stands, Cut(end, {}), end)

    busy = _busy(ledger, ids[:PLANS_A_WINDOW])
    return {
        "the sensor's look": look,
        "an idle window of an export": idle,
        f"a window with {min(syncs, PLANS_A_WINDOW)} files": lambda: next(busy),
    }


def _busy(ledger: Ledger, ids: list[str]) -> Iterator[None]:
    """A window at each step, from claim to the manifests' put, all but files and puts."""
    pairs: list[Pair] = [(sync_id, "people") for sync_id in ids]
    for number in itertools.count():
        end = END + number * QUARTER
        lease, _ = ledger.leases.claim(pairs, "benchmark", end, QUARTER)
        states = ledger.registry.states(["people"], ids)
        ledger.quarantine.held(ids, "people")
        drafts = [draft(state, Mode.CHANGES, Cut(end, {})) for state in states]
        plans = ledger.plans.open(lease, drafts, end)
        ledger.plans.seal(lease, [_sealed(plan, end) for plan in plans], end)
        ledger.plans.deliver(lease, plans)
        delivered = ledger.plans.delivered()
        ledger.manifests.waiting()
        ledger.plans.commit(lease, delivered, data_out_window(end), end, listing=ids)
        waiting = ledger.manifests.waiting().unput
        put = [(key, number) for key, number, _ in ledger.manifests.unput(waiting)]
        ledger.manifests.mark_put(put, end)
        ledger.leases.release(lease)
        yield


def _sealed(plan: Plan, end: datetime) -> SealedPlan:
    sequence = plan.first[Series.PLAIN]
    key = f"people_of_{end:%Y%m%d%H%M}"
    file = SealedFile(key, Series.PLAIN, sequence, None, 1, 1000, "x", end, end, "x")
    return SealedPlan(plan, (file,), (), ())


def _costs(works: list[Callable[[], object]], server: Callable[[], float]) -> list[float]:
    """CPU seconds of each, done in turn: of the cheapest round, with what a server took for one."""
    found: list[list[float]] = [[] for _ in works]
    served = [0.0 for _ in works]
    for number in range(ROUNDS + 1):
        for place, work in enumerate(works):
            of_server, before = server(), time.process_time()
            work()
            took = time.process_time() - before
            if number:  # the first round fills caches
                found[place].append(took)
                served[place] += (server() - of_server) / ROUNDS
    return [min(ours) + theirs for ours, theirs in zip(found, served, strict=True)]
