"""No statement of a window walks through what grows with history: SQLite says how it finds rows."""

import re
from pathlib import Path
from typing import Any

from sqlalchemy import event

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline_tests.cost.counting import fill, small_world
from cio_pipeline_tests.world import window

GROW = {"plans", "files", "manifests", "quarantine", "cuts", "sync_history"}
"""Tables that get rows with windows and with changes of syncs."""

_WAITING = "one_unfinished_plan|unput_manifests|one_open_entry"
"""Indexes of the few rows that wait for something: these may be walked through."""

_SCAN = re.compile(rf"SCAN (\w+)\b(?! USING (COVERING )?INDEX ({_WAITING}))")


def scanned(root: Path) -> dict[str, set[str]]:
    """The statements of a window, and of a look of the sensor, that walk through a table."""
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
        world.ledger.errors.all()
        world.ledger.errors.of_window(window(1).end)
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
