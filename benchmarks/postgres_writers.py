"""What the triggers cost writers: pgbench with them and without, in turn."""

import subprocess
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measure import measured
from benchmarks.postgres_server import Server, running_server
from benchmarks.product import fresh
from benchmarks.report import Report
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline_tests.postgres import program
from cio_pipeline_tests.sources.postgres.databases import Made, new_database

PEOPLE, TRANSACTIONS, CLIENTS, ROUNDS = 100_000, 4_000, 2, 8
GOAL = 0.9
_KEY = "workspace_id = :id % 10 AND internal_customer_id = 'p' || :id"
SCRIPTS = {
    "insert": """
INSERT INTO people (workspace_id, internal_customer_id, email, updated_at)
  VALUES (:id % 10, 'n' || :id || random(), 'n@example.com', now());
""",
    "update": f"""
UPDATE people SET email = 'n' || :id, updated_at = now() WHERE {_KEY};
""",  # noqa: S608 - our own
    "both, and two more": f"""
BEGIN;
SELECT email FROM people WHERE {_KEY};
UPDATE people SET updated_at = now() WHERE {_KEY};
INSERT INTO people (workspace_id, internal_customer_id, email)
  VALUES (:id % 10, 'n' || :id || random(), 'n@example.com');
SELECT count(*) FROM people WHERE {_KEY};
COMMIT;
""",  # noqa: S608 - our own
}
"""One transaction each; the last is like pgbench's own, which asks, writes and asks again."""

_MADE = """
INSERT INTO people (workspace_id, internal_customer_id, email, updated_at)
SELECT g % 10, 'p' || g, 'p' || g || '@example.com', now() FROM generate_series(1, {0}) g"""


def run(data: Path, scale: float) -> Report:
    """Each script, without and with triggers, and once more with commits that wait for the disk."""
    ratios: dict[str, dict[str, list[float]]] = {}
    count = int(PEOPLE * max(scale, 0.1))
    with running_server() as server, fresh(data / "writers") as home:
        tables = {name: _people(server, count) for name in ("without", "with")}
        tables["with"].install()
        for durable in (False, True):
            tables["with"].do(
                f"ALTER SYSTEM SET fsync = {durable}", "SELECT pg_reload_conf()", "CHECKPOINT"
            )
            for name, script in SCRIPTS.items():
                (home / "script").write_text(f"\\set id random(1, {count}){script}")
                called = f"{name}, fsync" if durable else name
                ratios[called] = _ratios(server, tables, home / "script", scale)
    of = {name: median(one["cpu"]) for name, one in ratios.items()}
    return Report(
        "postgres_writers",
        f"The rate of {CLIENTS} writers with triggers, of that without, {ROUNDS} rounds in turn",
        f"{GOAL}",
        "; ".join(f"{name} {ratio:.2f}" for name, ratio in of.items()) + ", by CPU seconds",
        ("one transaction", "by CPU", "quarters", "by the clock", "quarters"),
        [(name, *_shown(one["cpu"]), *_shown(one["wall"])) for name, one in ratios.items()],
        {"ratios": ratios},
    )


def _people(server: Server, people: int) -> Made:
    made = Made(new_database(server.cluster), {"people": SOURCE_TABLES["people"]})
    made.create()
    made.do(_MADE.format(people), "CREATE INDEX ON people (email)", "VACUUM ANALYZE people")
    return made


def _ratios(
    server: Server, tables: dict[str, Made], script: Path, scale: float
) -> dict[str, list[float]]:
    rounds: list[dict[str, dict[str, float]]] = []
    each = max(100, int(TRANSACTIONS * scale))
    for number in range(ROUNDS + 1):
        order = sorted(tables, reverse=bool(number % 2))
        found = {name: _written(server, tables[name], script, each) for name in order}
        rounds += [found] if number else []  # the first fills caches
    return {by: [one["without"][by] / one["with"][by] for one in rounds] for by in ("cpu", "wall")}


def _written(server: Server, made: Made, script: Path, each: int) -> dict[str, float]:
    options = ("-n", "-t", str(each), "-c", str(CLIENTS), "-f", script)
    before = server.cpu()
    with measured() as cost:
        command = [program("pgbench"), *options, made.url]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own
    return {"cpu": cost.cpu + server.cpu() - before, "wall": cost.wall}


def _shown(ratios: list[float]) -> tuple[Any, ...]:
    ordered = sorted(ratios)
    first, last = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
    return f"{median(ordered):.2f}", f"{first:.2f} to {last:.2f}"
