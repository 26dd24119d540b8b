"""Contracts proposed from the data, and tried on it, before anything is sent (16.2)."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from cio_pipeline.conforming.agreeing import contradictions
from cio_pipeline.model.data_contract import DataContract
from cio_pipeline.pipeline.feeds.contract_inference import infer
from cio_pipeline.pipeline.feeds.contract_proposal import proposal
from cio_pipeline.pipeline.feeds.contract_trial import TriedExport, try_contract
from cio_pipeline.pipeline.syncs.contract_file import read_contract
from cio_pipeline_tests.calls import steps
from cio_pipeline_tests.calls.steps import call_row, calls_sync
from cio_pipeline_tests.data_contracts.test_window import CONTRACT, event, fill
from cio_pipeline_tests.world import NOON, World, during, window

ODD = [
    "a: b",
    "#x",
    "yes",
    "Größe 😀",
    "null",
    "1",
    "a\u2028b",
    "'\"",
    "-",
    "x\ny",
    "??",
    "!!",
    " ",
]
SPELLED = ["checkout_started", "Checkout Started", "Seen", "Checkout Started"]


def proposed(world: World) -> DataContract:
    until = world.now = window(0).end
    seen = infer(world.services, "a", until - timedelta(days=1), until)
    text = proposal(seen, ["for a test"], 5)
    contract, _ = read_contract(text, "proposed.yaml")
    assert not list(contradictions(contract, world.ledger.registry.get("a").sync))
    return contract


def tried(world: World, contract: DataContract) -> dict[str, TriedExport]:
    world.now = max(world.now, window(0).end)
    at = window(0)
    found = try_contract(world.services, "a", contract, at.start, at.end)
    return {one.export: one for one in found}


def more_events() -> list[dict[str, Any]]:
    texts = [
        '{"t":"2026-03-01","at":1772366400,"id":1772366400,"n":1,"m":"x","b":true,"z":null}',
        '{"t":"2026-03-01T10:00:00Z","at":1772366401,"id":2,"n":1.5,"m":1,"b":false,"o":{},"l":[]}',
    ]
    return [event(100 + number, "Seen", text) for number, text in enumerate(texts)]


def test_o1_o2_what_was_seen_is_what_is_proposed(world: World) -> None:
    world.sync("a", 1)
    fill(world)
    world.commit("events", *more_events(), at=during(0))
    events = proposed(world).exports["events"].events
    assert events is not None
    assert set(events) == {"Checkout Started", "Order Placed", "Page Burned", "Seen"}
    assert events["Checkout Started"].properties == {"cart_id": "string"}
    assert events["Seen"].model_dump() == {
        "spellings": (),
        "required": ("t", "at", "id", "n", "m", "b"),
        "properties": {
            "t": "iso8601",
            "at": "unix",
            "id": "integer",
            "n": "number",
            "b": "boolean",
            "o": "object",
            "l": "array",
        },
        "other_properties": "send",
    }


def test_all_that_was_seen_keeps_what_is_proposed(world: World) -> None:
    world.sync("a", 1)
    fill(world)
    odd = [event(200 + at, name, json.dumps({name: name})) for at, name in enumerate(ODD)]
    world.commit("events", *more_events(), *odd, at=during(0))
    contract = proposed(world)
    found = tried(world, contract)
    assert {name: one.held_back for name, one in found.items()} == dict.fromkeys(found, ())
    assert found["events"].kept == 8 + len(ODD)


def test_a_trial_says_what_a_window_then_does_and_sends_nothing(world: World) -> None:
    world.sync("a", 1)
    fill(world)
    before = {path: path.stat().st_mtime_ns for path in world.root.rglob("*.db")}
    found = tried(world, DataContract.model_validate(CONTRACT))
    assert {name: one.kept for name, one in found.items()} == {
        "people": 2,
        "events": 3,
        "attributes": 3,
    }
    assert [(one.rows, one.samples) for one in found["people"].held_back] == [(1, ('["p2"]',))]
    assert sum(one.rows for one in found["events"].held_back) == 3
    assert world.names() == []
    assert not list(world.root.glob("spool/*"))
    assert {path: path.stat().st_mtime_ns for path in world.root.rglob("*.db")} == before


def test_calls_are_proposed_and_tried(world: World) -> None:
    calls_sync(world)
    rows = [
        call_row("track", {"type": "track", "event": name, "properties": {"n": at}, "userId": "x"})
        for at, name in enumerate(SPELLED)
    ]
    steps.commit(world, *rows, at=NOON)
    contract = proposed(world)
    terms = contract.exports["calls"]
    assert terms.normalise
    assert terms.events is not None
    assert terms.events["Checkout Started"].properties == {"n": "integer"}
    assert tried(world, contract)["calls"] == TriedExport("calls", 4)
    other = {"exports": {"calls": {"events": {"Seen": {"required": ["id"]}}}}}
    held = tried(world, DataContract.model_validate(other))["calls"]
    assert (held.kept, [one.rows for one in held.held_back]) == (0, [3, 1])
    assert all(json.loads(name) for one in held.held_back for name in one.samples)


@pytest.mark.parametrize("name", ["sync-file.schema.json", "data-contract.schema.json"])
def test_the_schema_for_editors_knows_the_example_of_the_page(name: str) -> None:
    docs = Path(__file__).parents[2] / "docs"
    page = (docs / "contracts.md").read_text(encoding="utf-8")
    example, syncs = (block.split("```")[0] for block in page.split("```yaml")[1:3])
    DataContract.model_validate(yaml.safe_load(example))
    schema = json.loads((docs / name).read_text(encoding="utf-8"))
    assert yaml.safe_load(syncs)["syncs"][0]["contract"].endswith(".yaml")
    terms = schema["$defs"]["ExportTerms"]["properties"]
    assert set(yaml.safe_load(example)["exports"]["events"]) <= set(terms)
