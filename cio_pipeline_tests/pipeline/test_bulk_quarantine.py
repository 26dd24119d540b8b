"""O1: very many rows that break the contract cost their own export, and it little."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from cio_pipeline.ledger import quarantine
from cio_pipeline.ledger.quarantine import MOST_ENTRIES, Quarantine
from cio_pipeline.pipeline.recovery.retry_quarantine import retry_quarantine
from cio_pipeline_tests.cost.counting import asked
from cio_pipeline_tests.pipeline.test_failures import committed
from cio_pipeline_tests.world import World, during, window

MANY = MOST_ENTRIES + 200
REASON = "attribute_value is no valid JSON"


def broken(number: int) -> dict[str, Any]:
    return {
        "internal_customer_id": "x",
        "attribute_name": f"a{number}",
        "attribute_value": "{broken",
        "timestamp": during(0),
    }


def world_of(root: Path, bad: int) -> World:
    world = World(root)
    world.sync()
    world.commit("people", {"internal_customer_id": "x"}, at=during(0))
    world.commit("attributes", *(broken(number) for number in range(bad)), at=during(0))
    return world


def test_o1_very_many_rows_are_told_by_reason_and_leave_one_by_one(tmp_path: Path) -> None:
    world = world_of(tmp_path, MANY)
    assert sum(one.quarantined for one in world.run(0)) == MANY
    assert world.ledger.quarantine.entries() == []
    (bulk,) = world.ledger.quarantine.bulk()
    assert (bulk.reason, bulk.identities, bulk.count) == (REASON, MANY, MANY)
    assert bulk.samples[0] == '["x","a0"]'

    mended = [broken(n) | {"attribute_value": '"gold"'} for n in range(150)]
    again = [broken(n) for n in range(150, 155)]
    for row in mended + again:
        row["timestamp"] = during(1)
    world.commit("attributes", *mended, *again, at=during(1))
    assert {one.rows for one in world.run(1, "attributes")} == {150}

    (bulk,) = world.ledger.quarantine.bulk()
    assert (bulk.identities, bulk.window_end) == (MANY - 155, window(0).end)
    assert len(world.ledger.quarantine.entries()) == 5, "still broken, of the window that said so"
    (outcome,) = retry_quarantine(world.services)
    assert (outcome.rows, outcome.error) == (0, None)
    held = world.ledger.quarantine.held(["a"], "attributes")
    assert held.height == MANY - 150, "those still broken stay, each once"


def test_o1_a_retry_sends_from_the_bulk_what_was_mended_in_place(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.sync()
    rows = [{"event_id": f"e{n}", "type": "odd", "processed_at": during(0)} for n in range(MANY)]
    world.commit("events", *rows, at=during(0))
    world.run(0)
    DeltaTable(f"{world.source_uri}/events").update(
        {"type": "'page'"}, commit_properties=committed(during(1))
    )
    world.run(1)
    (outcome,) = retry_quarantine(world.services)
    assert (outcome.rows, outcome.error) == (MANY, None)
    assert world.ledger.quarantine.pairs() == []
    assert retry_quarantine(world.services) == ()


def test_o1_later_windows_do_not_pay_for_the_bad_rows_of_other_exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """300,000 rows of one sync cost 9 CPU-s in every later window once, of any export."""
    seen: dict[str, int] = {}
    held = Quarantine.held

    def counted(*given: Any) -> pl.DataFrame:
        found = held(*given)
        seen[given[2]] = seen.get(given[2], 0) + found.height
        return found

    monkeypatch.setattr(Quarantine, "held", counted)
    statements: list[tuple[int, int]] = []
    for bad in (3, MANY):
        world = world_of(tmp_path / str(bad), bad)
        with asked(world) as (first, services):
            world.services = services
            world.run(0, "attributes")
        seen.clear()
        world.commit("people", {"internal_customer_id": "y"}, at=during(1))
        with asked(world) as (later, services):
            world.services = services
            world.run(1)
        statements.append((len(first.statements), len(later.statements)))
        assert seen.pop("people") == 0
        assert not any(seen.values()), "attributes did not change: theirs are not read either"
    (few, few_later), (many, many_later) = statements
    assert many <= few + 5, "one value, however many rows"
    assert many_later == few_later


def test_o1_the_bulk_is_read_back_as_it_was_written_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantine, "PIECE", 500)
    world = world_of(tmp_path, MANY)
    world.run(0)
    named = {f'["x","a{number}"]' for number in range(MANY)}
    assert set(world.ledger.quarantine.held(["a"], "attributes")["identity"]) == named
    (bulk,) = world.ledger.quarantine.bulk()
    assert bulk.identities == MANY
