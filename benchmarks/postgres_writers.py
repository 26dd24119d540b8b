"""What the triggers cost writers: pgbench's own transactions on its own tables, in turn."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from benchmarks.measure import measured
from benchmarks.postgres_server import Server, running_server
from benchmarks.product import fresh
from benchmarks.report import Report
from cio_pipeline.contracts.declare import ColumnType, SourceColumn, SourceTable, TableKind
from cio_pipeline.sources.postgres.names import Names
from cio_pipeline_tests.postgres import program
from cio_pipeline_tests.sources.postgres.databases import Made, new_database

SCALE, TRANSACTIONS, ROUNDS = 10, 1_000, 6
GOAL = 0.9
_AID = "\\set aid random(1, 100000 * :scale)\n"
SCRIPTS = {
    "tpcb-like": "",
    "simple-update": "",
    "one update": _AID + "UPDATE pgbench_accounts SET abalance = 1 + abalance WHERE aid = :aid;",  # noqa: S608 - our own
    "one insert": _AID + "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) "
    "VALUES (1, 1, :aid, 1, CURRENT_TIMESTAMP);",
}
"""Those without a text are pgbench's own: three updates, an insert and a question; less two of
the updates."""

_NUMBERS = {
    "pgbench_accounts": "aid bid abalance",
    "pgbench_history": "tid bid aid delta",
    "pgbench_tellers": "tid bid tbalance",
    "pgbench_branches": "bid bbalance",
}
_EMPTY = "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
_FIRES = "CREATE TRIGGER nothing AFTER {} ON pgbench_{} FOR EACH ROW EXECUTE FUNCTION nothing()"
WITHOUT = "without"
READ: Mapping[str, int] = {"accounts and history": 2, "all four tables": 4}
"""How many of the tables are read; a trigger that does nothing is beside them."""

Rates = dict[str, dict[str, float]]


def run(data: Path, scale: float) -> Report:
    """Each script with commits in memory, and with such as wait for the disk."""
    ratios: dict[str, dict[str, list[float]]] = {}
    with running_server() as server, fresh(data / "writers") as home:
        made = {WITHOUT: _tables(server, 0), **{k: _tables(server, n) for k, n in READ.items()}}
        made["an empty trigger"] = _tables(server, 0)
        fires = (_FIRES.format(*on) for on in (("UPDATE", "accounts"), ("INSERT", "history")))
        made["an empty trigger"].do(_EMPTY, *fires)
        for durable in (False, True):
            server.start_again(durable=durable)
            for name, script in SCRIPTS.items():
                (home / "script").write_text(script)
                how = ["-f", f"{home}/script"] if script else ["-b", name]
                called = f"{name}, fsync" if durable else name
                ratios |= {
                    f"{called}: {of}": one for of, one in _ratios(server, made, how, scale).items()
                }
    of = {name: median(one["rate"]) for name, one in ratios.items()}
    return Report(
        "postgres_writers",
        f"pgbench's rate with triggers, of that without, {ROUNDS} rounds in turn",
        f"{GOAL}",
        "; ".join(f"{name} {ratio:.2f}" for name, ratio in of.items()),
        ("transaction: read", "rate", "quarters", "by CPU", "quarters"),
        [(name, *_shown(one["rate"]), *_shown(one["cpu"])) for name, one in ratios.items()],
        {"ratios": ratios},
    )


def _tables(server: Server, read: int) -> Made:
    """What pgbench makes, of which the first few tables are read."""
    tables = {name: _declared(name, numbers) for name, numbers in list(_NUMBERS.items())[:read]}
    named = {"tables": {name: {"columns": {"workspace_id": 1}} for name in tables}}
    made = Made(new_database(server.cluster), tables, Names.model_validate(named))
    fill = [program("pgbench"), "-i", "-q", "-s", str(SCALE), made.url]
    subprocess.run(fill, check=True, capture_output=True)  # noqa: S603 - our own
    made.install()
    made.do("VACUUM ANALYZE", "CHECKPOINT")
    return made


def _declared(name: str, numbers: str) -> SourceTable:
    columns = [SourceColumn(one, ColumnType.INTEGER, True, "") for one in numbers.split()]  # noqa: FBT003 - `required`
    more = "mtime" if name == "pgbench_history" else "filler"
    kind = ColumnType.TIMESTAMP if more == "mtime" else ColumnType.STRING
    workspace = SourceColumn("workspace_id", ColumnType.INTEGER, True, "")  # noqa: FBT003 - the same
    last = SourceColumn(more, kind, False, "")  # noqa: FBT003 - the same
    identity = ("workspace_id", columns[0].name)
    return SourceTable(
        name, TableKind.MUTABLE, identity, None, (workspace, *columns, last), "pgbench's"
    )


def _ratios(
    server: Server, made: Mapping[str, Made], how: list[str], scale: float
) -> dict[str, dict[str, list[float]]]:
    rounds: list[Rates] = []
    each = max(100, int(TRANSACTIONS * scale))
    for number in range(ROUNDS + 1):
        order = sorted(made, reverse=bool(number % 2))
        found = {name: _written(server, made[name], how, each) for name in order}
        rounds += [found] if number else []  # the first fills caches
    return {
        name: {
            "rate": [one[name]["rate"] / one[WITHOUT]["rate"] for one in rounds],
            "cpu": [one[WITHOUT]["cpu"] / one[name]["cpu"] for one in rounds],
        }
        for name in made
        if name != WITHOUT
    }


def _written(server: Server, made: Made, how: list[str], each: int) -> dict[str, float]:
    options = ("-n", "-s", str(SCALE), "-t", str(each), *how)
    before = server.cpu()
    with measured() as cost:
        command = [program("pgbench"), *options, made.url]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    rate = re.search(r"tps = ([\d.]+)", done.stdout)
    assert rate is not None  # noqa: S101 - it always tells
    return {"cpu": cost.cpu + server.cpu() - before, "rate": float(rate[1])}


def _shown(ratios: list[float]) -> tuple[str, str]:
    ordered = sorted(ratios)
    first, last = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
    return f"{median(ordered):.2f}", f"{first:.2f} to {last:.2f}"
