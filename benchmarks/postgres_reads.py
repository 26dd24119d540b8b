"""What reading PostgreSQL costs, by the CPU seconds of ours and of the server's processes."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import measured, peak_mib
from benchmarks.metrics_table import changes, workspaces
from benchmarks.postgres_server import Server, add_metrics, running_server
from benchmarks.product import BEFORE, NEXT, Product, fresh
from benchmarks.report import MILLION, Report, counted
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline_tests.postgres import program
from cio_pipeline_tests.sources.postgres.databases import Made

ROUNDS = 3
READ, HISTORIES, EXPORTED = 2, (1, 50), (1, 20)
"""Millions of rows."""

GOAL_RATE, GOAL_FLAT, GOAL_MIB = 0.8, 1.2, 1024
Cost = dict[str, Any]


def run_rate(data: Path, scale: float) -> Report:
    """A snapshot of metrics as frames, against a bare COPY of the same columns, in turn."""
    count = int(READ * MILLION * scale)
    with running_server() as server, fresh(data / "rate") as home:
        made = server.with_metrics(count, workspaces(scale))
        product = Product(home, made.url)
        works = {"COPY": lambda: _copied(made), "ours": lambda: _child(product, "read")}
        found = in_turn(server, works)
    bare, ours = found.values()
    ratios, clock, served = (
        [one[by] / other[by] for one, other in zip(bare, ours, strict=True)]
        for by in ("all", "wall", "server")
    )
    return Report(
        "postgres_rate",
        f"Reading {counted(count)} metrics rows from PostgreSQL",
        f"{GOAL_RATE} of the rate of a bare COPY (FORMAT binary)",
        f"{median(clock):.2f} by the clock ({min(clock):.2f} to {max(clock):.2f}), "
        f"{median(ratios):.2f} by CPU seconds of both sides, {median(served):.2f} by the server's",
        ("", "CPU s", "of the server", "s"),
        [row(name, costs) for name, costs in found.items()],
        {"rows": count, "rounds": found, "ratios": ratios, "clock": clock, "served": served},
    )


def run_history(data: Path, scale: float) -> Report:
    """A changeset on a short and on a long history, in turn."""
    sizes = [int(size * MILLION * scale) for size in HISTORIES]
    with running_server() as server, fresh(data / "history") as home:
        works = {counted(size): _window(server, home / str(size), size, scale) for size in sizes}
        found = in_turn(server, works)
    short, long = _of(found, *found)
    ratios = [much / little for little, much in zip(short, long, strict=True)]
    return Report(
        "postgres_history",
        f"A changeset of {counted(changes(scale))} rows on histories in PostgreSQL",
        f"flat within {GOAL_FLAT}",
        f"{median(ratios):.2f} times by CPU seconds ({min(ratios):.2f} to {max(ratios):.2f}) on "
        f"{sizes[1] // sizes[0]} times the rows",
        ("history", "CPU s", "of the server", "s"),
        [row(name, costs) for name, costs in found.items()],
        {"rounds": found, "ratios": ratios},
    )


def run_memory(data: Path, scale: float) -> Report:
    """Initial exports of two sizes, each in a process of its own; the mark is Linux' VmHWM."""
    sizes = [int(size * MILLION * scale) for size in EXPORTED]
    with running_server() as server:
        found = {
            size: first_export(
                server.with_metrics(size, workspaces(scale)), data / "memory", scale
            )()
            for size in sizes
        }
    peaks = [found[size]["peak"] for size in sizes]
    return Report(
        "postgres_memory",
        f"Peak memory of an initial export of metrics in PostgreSQL to {workspaces(scale)} syncs",
        f"flat, under {GOAL_MIB:,} MiB",
        f"{peaks[0]:,} and {peaks[1]:,} MiB",
        ("rows", "peak MiB", "files", "CPU s, ours"),
        [
            (counted(size), f"{one['peak']:,}", f"{one['files']:,}", f"{one['cpu']:.1f}")
            for size, one in found.items()
        ],
        {"exports": {str(size): one for size, one in found.items()}},
    )


def in_turn(server: Server, works: Mapping[str, Callable[[], Cost]]) -> dict[str, list[Cost]]:
    """The costs of each, round by round; `all` is with what the server took meanwhile."""
    found: dict[str, list[Cost]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            before = server.cpu()
            cost = work()
            cost["server"] = server.cpu() - before
            cost["all"] = cost["server"] + cost["cpu"]
            found[name].append(cost)
    return found


def _of(found: Mapping[str, list[Cost]], *names: str) -> list[list[float]]:
    return [[cost["all"] for cost in found[name]] for name in names]


def row(name: str, costs: list[Cost]) -> tuple[str, ...]:
    """The cheapest round of a table's line."""
    best = min(costs, key=lambda cost: cost["all"])
    return (name, f"{best['all']:.2f}", f"{best['server']:.2f}", f"{best['wall']:.2f}")


def _child(product: Product, function: str, **given: Any) -> Cost:
    told = {"folder": str(product.home), "source": product.source, **given}
    return product.run(f"postgres_reads:{function}", **told)


def _copied(made: Made) -> Cost:
    names = ", ".join(column.name for column in SOURCE_TABLES["metrics"].columns)
    asked = f"COPY (SELECT {names} FROM metrics) TO STDOUT (FORMAT binary)"  # noqa: S608
    command = [program("psql"), made.url, "-c", asked]
    with measured() as cost:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
    return {"cpu": cost.cpu, "wall": cost.wall}


def read(folder: str, source: str) -> Cost:
    """All rows of metrics as frames."""
    services, table = Product(Path(folder), source).services(), SOURCE_TABLES["metrics"]
    at = services.source.look(table, BEFORE.end, None, BEFORE.end).reached
    assert at is not None  # noqa: S101 - the table is there
    rows = 0
    with measured() as cost:
        frame = services.source.snapshot(table, at)
        for batch in frame.collect_batches(engine="streaming", maintain_order=True):
            rows += batch.height
    return {"cpu": cost.cpu, "wall": cost.wall, "rows": rows, "peak": peak_mib()}


def _window(server: Server, home: Path, size: int, scale: float) -> Callable[[], Cost]:
    """What runs a window with changes, each time from the same position."""
    syncs = workspaces(scale)
    made = server.with_metrics(size, syncs)
    prepared = Product(home / "prepared", made.url)
    prepared.home.mkdir(parents=True)
    _child(prepared, "prepare", syncs=syncs, delivered=True)
    add_metrics(made, syncs, size, changes(scale))
    made.do("ANALYZE metrics", "CHECKPOINT")

    def work() -> Cost:
        with fresh(home / "run") as run:
            shutil.copytree(prepared.home, run, dirs_exist_ok=True)
            return _child(Product(run, made.url), "export", window=NEXT.key)

    return work


def first_export(made: Made, home: Path, scale: float) -> Callable[[], Cost]:
    """What runs an initial export."""

    def work() -> Cost:
        with fresh(home):
            product = Product(home, made.url)
            _child(product, "prepare", syncs=workspaces(scale), delivered=False)
            return _child(product, "export", window=BEFORE.key)

    return work


def prepare(folder: str, source: str, syncs: int, *, delivered: bool) -> Cost:
    """Register the syncs, as if all had been sent or nothing."""
    product = Product(Path(folder), source)
    product.register(syncs, ["metrics"])
    if delivered:
        product.count_as_delivered(["metrics"])
    return {}


def export(folder: str, source: str, window: str) -> Cost:
    """A window's export."""
    services = Product(Path(folder), source).services()
    chosen: Window = next(one for one in (BEFORE, NEXT) if one.key == window)
    with measured() as cost:
        outcomes = run_export(services, "metrics", chosen, Scope())
    failed = [one.error for one in outcomes if one.error]
    if failed:
        raise RuntimeError(failed[0])
    return {
        "cpu": cost.cpu,
        "wall": cost.wall,
        "peak": peak_mib(),
        "files": sum(one.files for one in outcomes),
        "rows": sum(one.rows for one in outcomes),
    }
