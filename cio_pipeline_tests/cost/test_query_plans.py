"""No statement of a window walks through what grows with history: SQLite says how it finds rows."""

import re
from pathlib import Path
from typing import Any

from sqlalchemy import event

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline_tests.cost.counting import fill, small_world
from cio_pipeline_tests.world import window

GROW = {"plans", "files", "manifests", "quarantine", "cuts", "sync_history", "rewrites"}
"""Tables that get rows with windows, with changes of syncs and with erasures."""

_WAITING = "one_unfinished_plan|unput_manifests|one_open_entry"
"""Indexes of the few rows that wait for something: these may be walked through."""

_SCAN = re.compile(rf"SCAN (\w+)\b(?! USING (COVERING )?INDEX ({_WAITING}))")


def scanned(root: Path) -> dict[str, set[str]]:
    """The statements of a window, of a look of the sensor and of a clean-up that walk a table."""
    world = small_world(root, 2, "people", 5, "people", "deliveries")
    fill(world, "people", 2, range(3, 7), window=1)
    engine = world.ledger.database.engine
    asked: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, text: str, given: Any, *_: Any) -> None:
        asked.setdefault(text, given)

    event.listen(engine, "before_cursor_execute", note)
    try:
        assert world.run(1, "people", "deliveries")
        world.ledger.registry.states(list(EXPORTS))
        world.ledger.looks.reached("people")
        world.ledger.manifests.expired("s1", world.now, (1, world.now))
        world.ledger.failing.all()
        world.ledger.failing.of_window(window(1).end)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    found: dict[str, set[str]] = {}
    with engine.connect() as connection:
        for text, given in asked.items():
            if text.split()[0] not in {"SELECT", "UPDATE", "DELETE"}:
                continue
            one = given[0] if isinstance(given, list) else given
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", one):
                for match in _SCAN.finditer(row[3]):
                    found.setdefault(match[1], set()).add(text)
    return found


def test_no_statement_of_a_window_walks_through_history(tmp_path: Path) -> None:
    found = scanned(tmp_path)
    assert "syncs" in found, "all of them are read: the plans are understood"
    walked = {table: found[table] for table in GROW & found.keys()}
    assert not walked


def test_manifests_that_wait_are_found_among_a_years(tmp_path: Path) -> None:
    """O2: also where SQLite knows how long the chains are; it then prefers to walk them."""
    world = small_world(tmp_path, 2, "people", 5, "people", "deliveries")
    engine = world.ledger.database.engine
    syncs = [one.sync.id for one in world.ledger.registry.all()]
    asked: list[tuple[str, Any]] = []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2:4]))
    with engine.begin() as connection:
        for sync_id in syncs:
            connection.exec_driver_sql(
                "WITH RECURSIVE n (o) AS (SELECT 1000 UNION ALL SELECT o + 1 FROM n WHERE o < 3000)"
                " INSERT INTO manifests (sync_id, ordinal, digest, body, put_at)"
                " SELECT ?, o, 'd', x'00', '2026-01-01 00:00:00' FROM n",
                (sync_id,),
            )
        connection.exec_driver_sql("ANALYZE")
    asked.clear()

    assert not world.ledger.manifests.waiting().unput
    assert not world.ledger.manifests.unput(syncs)

    looks = [(text, given) for text, given in asked if "FROM manifests" in text]
    assert len(looks) == 2
    with engine.connect() as connection:
        for text, given in looks:
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given).all()
            on_manifests = [row[3] for row in steps if "manifests" in row[3]]
            assert on_manifests
            assert all("unput_manifests" in step for step in on_manifests), text
