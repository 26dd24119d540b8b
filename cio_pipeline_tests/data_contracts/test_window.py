"""A sync with a data contract through the whole product (16.2, O1, O2)."""

import hashlib
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq
import pytest

from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.recovery.retry_quarantine import retry_quarantine
from cio_pipeline.pipeline.syncs.validate import tried_out
from cio_pipeline_tests.world import World, during

CONTRACT: dict[str, Any] = {
    "salt": "env:SALT",
    "exports": {
        "people": {"required": ["customer_id"], "hash": ["email_addr"]},
        "events": {
            "leave_out": ["source_uas"],
            "normalise": True,
            "events": {
                "Checkout Started": {
                    "required": ["cart_id"],
                    "properties": {"cart_id": "string", "total": "number"},
                },
                "Order Placed": {},
            },
        },
        "attributes": {"values": {"email": "mask", "ssn": "leave_out"}},
    },
}


@pytest.fixture
def secret_world(world: World) -> World:
    world.services = replace(world.services, secret={"env:SALT": "pepper"}.__getitem__)
    return world


def event(number: int, name: str, properties: str, **more: Any) -> dict[str, Any]:
    return {
        "workspace_id": 1,
        "event_id": f"e{number}",
        "internal_customer_id": "p1",
        "name": name,
        "type": "event",
        "properties": properties,
        "timestamp": during(0),
        "processed_at": during(0),
        **more,
    }


def fill(world: World) -> None:
    person = {"workspace_id": 1, "deleted": False, "suppressed": False}
    world.commit(
        "people",
        {**person, "internal_customer_id": "p1", "id": "one", "email": "one@acme.example"},
        {**person, "internal_customer_id": "p2", "id": None, "email": None},
        {**person, "internal_customer_id": "p3", "id": None, "email": "one@acme.example"},
        at=during(0),
    )
    world.commit(
        "attributes",
        {"workspace_id": 1, "internal_customer_id": "p1", "attribute_name": "email"}
        | {"attribute_value": '"one@acme.example"'},
        {"workspace_id": 1, "internal_customer_id": "p1", "attribute_name": "ssn"}
        | {"attribute_value": '"078"'},
        {"workspace_id": 1, "internal_customer_id": "p1", "attribute_name": "plan"}
        | {"attribute_value": '"gold"'},
        at=during(0),
    )
    world.commit(
        "events",
        event(1, "checkout_started", '{"cart_id":"c","total":5}', source_uas=["Mozilla"]),
        event(2, "Checkout Started", '{"total":5}'),
        event(3, "Checkout Started", '{"cart_id":"c","total":"5"}'),
        event(4, "Page Burned", "{}"),
        event(5, "Order Placed", '{"any":1}'),
        event(6, "/home", "{}", type="page"),
        at=during(0),
    )


def test_o1_o2_a_window_holds_rows_to_the_contract(secret_world: World) -> None:
    world = secret_world
    world.sync("a", 1, contract=CONTRACT)
    world.sync("b", 1)
    fill(world)
    outcomes = world.run(0, "people", "events", "attributes")
    assert all(one.error is None for one in outcomes)
    hashed = hashlib.sha256(b"pepperone@acme.example").hexdigest()
    people = world.read("people").sort("internal_customer_id")
    assert people.select("customer_id", "email_addr").rows() == [("one", hashed), (hashed, hashed)]
    events = world.read("events").sort("event_id")
    assert events.select("event_id", "name").rows() == [
        ("e1", "Checkout Started"),
        ("e5", "Order Placed"),
        ("e6", "/home"),
    ]
    assert events["source_uas"].to_list() == [[], [], []]
    values = dict(world.read("attributes").select("attribute_name", "attribute_value").iter_rows())
    assert values == {"email": "o***@acme.example", "ssn": "", "plan": "gold"}
    held = world.ledger.quarantine.entries(["a"])
    assert sorted((one.export, one.identity, one.reason) for one in held) == [
        ("events", '["e2"]', "data.cart_id of 'Checkout Started' is required by the data contract"),
        ("events", '["e3"]', "data.total of 'Checkout Started' is not a number"),
        ("events", '["e4"]', "name is none of the events of the data contract"),
        ("people", '["p2"]', "customer_id is required by the data contract and empty"),
    ]
    assert world.read("events", "b").height == 6
    assert world.ledger.quarantine.entries(["b"]) == []


def test_d2_files_have_the_schema_that_they_have_without_a_contract(secret_world: World) -> None:
    world = secret_world
    world.sync("a", 1, contract=CONTRACT)
    world.sync("b", 1)
    fill(world)
    world.run(0, "people", "events", "attributes")
    for stem in ("people", "events", "attributes"):
        ours, plain = (
            pq.ParquetFile(next(world.folder(sync_id).glob(f"{stem}_v5*.parquet")))
            for sync_id in ("a", "b")
        )
        assert ours.schema.equals(plain.schema)
        assert ours.schema_arrow.equals(plain.schema_arrow, check_metadata=True)
        assert ours.metadata.metadata == plain.metadata.metadata


def test_d10_syncs_of_equal_terms_share_bytes_and_others_do_not(secret_world: World) -> None:
    world = secret_world
    other = {**CONTRACT, "exports": {**CONTRACT["exports"], "events": {"leave_out": ["data"]}}}
    for sync_id, contract in (("a", CONTRACT), ("b", CONTRACT), ("c", other), ("d", None)):
        world.sync(sync_id, 1, contract=contract)
    fill(world)
    world.run(0, "people", "events")

    def digests(stem: str) -> list[str]:
        found = [next(world.folder(one).glob(f"{stem}_v5_1_*")).read_bytes() for one in "abcd"]
        return [hashlib.sha256(one).hexdigest() for one in found]

    people, events = digests("people"), digests("events")
    assert people[0] == people[1] == people[2] != people[3]
    assert events[0] == events[1]
    assert len(set(events)) == 3


def test_a_retry_sends_what_a_wider_contract_allows(secret_world: World) -> None:
    world = secret_world
    world.sync("a", 1, contract=CONTRACT)
    fill(world)
    world.run(0, "people", "events")
    wider = {**CONTRACT["exports"]["events"], "other_events": "send"}
    world.sync("a", 1, contract={**CONTRACT, "exports": {**CONTRACT["exports"], "events": wider}})
    done = retry_quarantine(world.services, ["a"])
    assert all(one.error is None for one in done)
    assert world.read("events").sort("event_id")["event_id"].to_list() == ["e1", "e4", "e5", "e6"]
    assert len(world.ledger.quarantine.entries(["a"])) == 3


def test_a_salt_that_cannot_be_read_stops_its_own_exports_alone(world: World) -> None:
    world.sync("a", 1, contract=CONTRACT)
    world.sync("b", 1)
    fill(world)
    outcomes = {(one.sync_id, one.export): one.error for one in world.run(0, "people", "events")}
    failed = outcomes["a", "people"]
    assert failed is not None
    assert failed.kind == "SecretMissing"
    assert [error for pair, error in outcomes.items() if pair != ("a", "people")] == [None] * 3
    world.services = replace(world.services, secret=lambda _: "pepper")
    world.run(1, "people")
    assert world.read("people").height == 2


def test_messages_pass_on_payloads_and_have_no_contract() -> None:
    with pytest.raises(ValueError, match="contract is an option of data-out and calls"):
        Sync.model_validate(
            {
                "id": "m",
                "workspace_id": 1,
                "feed": "messages",
                "contract": CONTRACT,
                "destination": {"type": "local", "path": "x"},
            }
        )


def test_a_salt_that_is_missing_is_told_as_the_sync_is_validated(secret_world: World) -> None:
    sync = secret_world.sync("a", 1, contract=CONTRACT)
    opened = secret_world.services.destinations
    (fine,) = tried_out(opened, [sync], secret_world.services.secret)
    (lacking,) = tried_out(opened, [sync])
    assert (fine.ok, lacking.ok) == (True, False)
    assert lacking.permissions[-1].name == "read the salt"
    assert "env:SALT" in lacking.permissions[-1].detail
