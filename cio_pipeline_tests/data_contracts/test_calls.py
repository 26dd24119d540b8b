"""A sync of calls with a data contract, in each format (16.2, O1, O2)."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline_tests.calls import steps
from cio_pipeline_tests.calls.reading import read_csv, read_json, read_parquet
from cio_pipeline_tests.calls.steps import NOON, call_row, calls_sync
from cio_pipeline_tests.world import World

READ = {"json": read_json, "csv": read_csv, "parquet": read_parquet}
CONTRACT: dict[str, Any] = {
    "salt": "env:SALT",
    "exports": {
        "calls": {
            "required": ["user_id"],
            "leave_out": ["context", "anonymous_id", "sent_at"],
            "hash": ["user_id"],
            "mask": ["name"],
            "normalise": True,
            "events": {
                "Checkout Started": {"required": ["id"], "properties": {"total": "integer"}},
            },
        }
    },
}
ODD = "Checkout\u2028Started"
WHO = {"anonymousId": "x", "userId": "one@acme.example", "context": {"ip": "10.0.0.1"}}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("track", {"messageId": "1", "event": "checkout_started", "properties": {"id": "a"}, **WHO}),
    (
        "track",
        {"messageId": "2", "event": ODD, "properties": {"id": "a"}, **WHO},
    ),
    ("track", {"messageId": "3", "event": "Checkout Started", "properties": {}, **WHO}),
    ("track", {"messageId": "4", "event": "Checkout Started", **WHO}),
    ("track", {"messageId": "5", "event": "Checkout Started", "properties": [], **WHO}),
    ("track", {"messageId": "6", "event": "Burned", "properties": {"id": "a"}, **WHO}),
    (
        "track",
        {"messageId": "7", "event": "Checkout Started", **WHO}
        | {"properties": {"id": "a", "total": 1.5}},
    ),
    ("track", {"messageId": "8", "event": "Checkout Started", "properties": {"id": "a"}}),
    ("page", {"messageId": "9", "name": "Jane's page", **WHO, "anonymousId": 7, "sentAt": "soon"}),
    ("identify", {"messageId": "10", "traits": {"email": "one@acme.example"}}),
    ("identify", {"messageId": "11", "userId": None, "anonymousId": "x", "traits": {}}),
    ("track", {"messageId": "12", "properties": {"id": "a"}, **WHO}),
    ("track", {"messageId": "13", "event": None, "properties": {"id": "a"}, **WHO}),
    ("track", {"messageId": "14", "event": "", "properties": {"id": "a"}, **WHO}),
]


@pytest.mark.parametrize("format_", READ)
def test_o1_o2_calls_are_held_to_the_contract(world: World, format_: str) -> None:
    world.services = replace(world.services, secret=lambda _: "pepper")
    calls_sync(world, format=format_, contract=CONTRACT)
    rows = [call_row(kind, {"type": kind, **payload}) for kind, payload in CALLS]
    steps.commit(world, *rows, at=NOON)
    assert [one.error for one in steps.run(world, 0)] == [None]
    found = [
        row
        for kind in ("track", "page", "identify")
        for path in steps.paths(world, kind)
        for row in READ[format_](path)
    ]
    by_id = {row["message_id"]: row for row in found}
    assert sorted(by_id, key=int) == ["1", "2", "9", "10"]
    user = hashlib.sha256(b"pepperone@acme.example").hexdigest()
    assert {row["user_id"] for row in found} == {user}
    for name in ("1", "2"):
        assert by_id[name]["event_text"] == "Checkout Started"
        assert by_id[name]["event"] == "checkout_started"
    assert by_id["9"]["name"] == "J***"
    assert all(row.get(name) is None for row in found for name in ("context", "anonymous_id"))
    held = world.ledger.quarantine.entries(["a"])
    of = {
        row["call_id"]: payload["messageId"] for row, (_, payload) in zip(rows, CALLS, strict=True)
    }
    reasons = {of[one.identity.strip('[]"')]: one.reason for one in held}
    required = "properties.id of 'Checkout Started' is required by the data contract"
    assert reasons == {
        "3": required,
        "4": required,
        "5": required,
        "6": "event_text is none of the events of the data contract",
        "7": "properties.total of 'Checkout Started' is not an integer",
        "8": "user_id is required by the data contract and empty",
        "11": "user_id is required by the data contract and empty",
        **dict.fromkeys(
            ["12", "13", "14"], "event_text is none of the events of the data contract"
        ),
    }
    texts = [_text(path) for path in world.folder().glob("2184.*") if format_ != "parquet"]
    assert not any("10.0.0.1" in text or "soon" in text or "Jane" in text for text in texts)
    assert all("sentAt" not in str(row.get("extra")) for row in found)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("format_", READ)
def test_a_contract_that_asks_nothing_of_them_changes_no_byte(world: World, format_: str) -> None:
    contract = {"exports": {"calls": {"required": ["message_id"]}}}
    calls_sync(world, "a", format=format_, contract=contract)
    calls_sync(world, "b", format=format_)
    rows = [call_row(kind, {"type": kind, **payload}) for kind, payload in CALLS]
    steps.commit(world, *rows, at=NOON)
    steps.run(world, 0)
    files = {
        sync_id: {path.name: path.read_bytes() for path in world.folder(sync_id).glob("2184.*")}
        for sync_id in "ab"
    }
    assert files["a"]
    assert files["a"] == files["b"]


@pytest.mark.parametrize("format_", READ)
def test_what_is_hidden_is_not_sent_in_a_column_that_is_made_of_it(
    world: World, format_: str
) -> None:
    terms = {"leave_out": ["traits"], "mask": ["event_text"]}
    calls_sync(world, format=format_, contract={"exports": {"calls": terms}})
    traits = {"email": "jane@acme.example"}
    calls = [
        ("track", {"messageId": "1", "userId": "u", "event": "Jane Burned"}),
        ("identify", {"messageId": "2", "anonymousId": "x", "traits": traits}),
        ("identify", {"messageId": "3", "userId": "jane@acme.example", "traits": traits}),
        ("identify", {"messageId": "4", "userId": "u", "traits": traits}),
    ]
    steps.commit(world, *(call_row(k, {"type": k, **p}) for k, p in calls), at=NOON)
    assert [one.error for one in steps.run(world, 0)] == [None]
    (track,) = (row for path in steps.paths(world, "track") for row in READ[format_](path))
    assert (track["event_text"], track["event"]) == ("J***", "j")
    users = {
        row["message_id"]: row.get("user_id") or None
        for path in steps.paths(world, "identify")
        for row in READ[format_](path)
    }
    assert users == {"2": None, "3": None, "4": "u"}
    sent = "".join(str(READ[format_](path)) for path in world.folder().glob("2184.*"))
    assert "jane" not in sent.lower()
