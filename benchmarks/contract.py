"""What a data contract costs: a window of many syncs, and rows of one export."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.measure import in_child, measured
from benchmarks.product import NOON, Product, fresh
from benchmarks.report import MILLION, Report, counted
from benchmarks.rows import numbered, rows
from benchmarks.windows import copy_ledger, made_window, syncs_at
from cio_pipeline.changesets.build import build
from cio_pipeline.conforming.columns import InForce
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import CURRENT_VERSION
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.files.encode import encode
from cio_pipeline.files.spool import Spool
from cio_pipeline.model.data_contract import DataContract, ExportTerms
from cio_pipeline.model.plans import Mode

ROUNDS = 2
GOAL = 1.1
ROWS = MILLION
_NAMES = [f"name {number}" for number in range(50)]
_CHECKED = {"required": ["plan"], "properties": {"plan": "string", "total": "integer"}}

TERMS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "names of events": ("events", {"events": {name: {} for name in _NAMES}}),
    "names with two properties": ("events", {"events": dict.fromkeys(_NAMES, _CHECKED)}),
    "a required column": ("people", {"required": ["customer_id"]}),
    "a masked column": ("people", {"mask": ["email_addr"]}),
    "a hashed column": ("people", {"hash": ["email_addr"]}),
    "a column left out": ("people", {"leave_out": ["email_addr"]}),
}


def run(data: Path, scale: float) -> Report:
    """A window without, with one contract for all syncs, with one of its own for each."""
    syncs = syncs_at(scale)
    made = made_window(data, syncs, changes=True)
    kinds = ("none", "equal", "own")
    turns = [{kind: _window(data, made, kind) for kind in kinds} for _ in range(ROUNDS)]
    best = {kind: min(one[kind]["cpu"] for one in turns) for kind in kinds}
    ratio = {kind: best[kind] / best["none"] for kind in kinds}
    count = int(ROWS * scale)
    by_row = in_child("contract:measure_rows", folder=str(data), count=count)
    return Report(
        "contract",
        f"A window of {syncs} syncs x {len(EXPORTS)} exports with data contracts; "
        f"{counted(count)} rows of one export",
        f"{GOAL} of the CPU s of the window without, for equal contracts",
        f"{ratio['equal']:.2f} with equal contracts, {ratio['own']:.2f} with one for each sync",
        ("", "CPU s", "of that without"),
        [
            *((f"window: {kind}", f"{best[kind]:.1f}", f"{ratio[kind]:.2f}") for kind in kinds),
            *((what, f"{cpu:.2f}", f"{cpu / plain:.2f}") for what, cpu, plain in by_row),
        ],
        {"syncs": syncs, "rounds": turns, "ratio": ratio, "rows": by_row},
    )


def _window(data: Path, made: Path, kind: str) -> dict[str, Any]:
    with fresh(data / "product") as home:
        (home / "dagster").mkdir()
        (home / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        (home / "salt").write_text("pepper")
        copy_ledger(made / "ledger.db", home / "ledger.db")
        product = Product(home, made / "source")
        if kind != "none":
            product.run("contract:give", folder=str(home), source=str(made / "source"), kind=kind)
        found: dict[str, Any] = product.run("window_run:run_window")
        return found


def give(folder: str, source: str, kind: str) -> None:
    """Every sync gets a contract: an equal one, or one that says something else each."""
    registry = Product(Path(folder), Path(source)).services().ledger.registry
    for number, one in enumerate(registry.all()):
        contract = _contract(f"file:{folder}/salt", number if kind == "own" else 0)
        registry.put(one.sync.model_copy(update={"contract": contract}), {}, NOON)


def _contract(salt: str, number: int) -> DataContract:
    names = {**dict.fromkeys(_NAMES, _CHECKED), f"of sync {number}": {}}
    return DataContract.model_validate(
        {
            "salt": salt,
            "exports": {
                "people": {"hash": ["email_addr"], "required": ["customer_id"]},
                "events": {"events": names, "leave_out": ["source_uas"]},
                "attributes": {"values": {f"a{number}": "mask"}},
                "deliveries": {"leave_out": ["subject_id"]},
            },
        }
    )


def measure_rows(folder: str, count: int) -> list[tuple[str, float, float]]:
    """CPU seconds of many rows of an export as files, under terms and without."""
    plain = {export: _cost(Path(folder), export, None, count) for export in ("events", "people")}
    return [
        (
            f"{export}: {what}",
            _cost(Path(folder), export, ExportTerms.model_validate(terms), count),
            plain[export],
        )
        for what, (export, terms) in TERMS.items()
    ]


def _cost(folder: Path, name: str, terms: ExportTerms | None, count: int) -> float:
    export, file = EXPORTS[name], folder / f"contract-{name}-{count}.parquet"
    if not file.exists():
        at = NOON - timedelta(days=3)
        rows(SOURCE_TABLES[export.source], numbered(10, 0, count // 10), at).write_parquet(file)
    best: list[float] = []
    for _ in range(ROUNDS):
        made = build(
            export,
            CURRENT_VERSION,
            "us",
            Mode.INITIAL,
            pl.scan_parquet(file),
            joins={},
            workspaces=range(1, 11),
            floor=None,
            terms=InForce(terms, b"pepper") if terms else None,
        )
        with fresh(folder / "spool") as spool, measured() as cost:
            encode(
                made.rows,
                made.rejected,
                export,
                CURRENT_VERSION,
                "us",
                rows_per_file=export.rows_per_file,
                spool=Spool(spool),
                folder="rows",
                total=made.total,
            )
        best.append(cost.cpu)
    return min(best)
