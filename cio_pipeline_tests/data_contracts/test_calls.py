"""A sync of calls with a data contract, in each format (16.2, O1, O2)."""

import hashlib
import json
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


PHONE = "+43 660 1234567"
HIDING = {"phone": "mask", "email": "hash", "notes": "leave_out"}
OPEN = {"n": "1.10", "deep": {"phone": "x"}}


@pytest.mark.parametrize("format_", READ)
def test_d4_single_properties_and_traits_are_hidden_wherever_a_call_has_them(
    world: World, format_: str
) -> None:
    """Also in a member of a type that has no column for it, and in the id that is made of one."""
    world.services = replace(world.services, secret=lambda _: "pepper")
    terms = {"values": HIDING, "events": {"Order": {"properties": {"phone": "string"}}}}
    contract = {"salt": "env:SALT", "exports": {"calls": terms}}
    calls_sync(world, format=format_, contract=contract)
    secret = {"phone": PHONE, "email": "jane@acme.example", "notes": "jane said", **OPEN}
    calls = [
        ("track", {"messageId": "1", "userId": "u", "event": "Order", "properties": secret}),
        ("page", {"messageId": "2", "userId": "u", "properties": {"phone": True, **OPEN}}),
        ("identify", {"messageId": "3", "anonymousId": "x", "traits": secret}),
        ("identify", {"messageId": "4", "userId": "jane@acme.example", "traits": secret}),
        ("group", {"messageId": "5", "userId": "u", "groupId": "g", "traits": secret}),
        ("track", {"messageId": "6", "userId": "u", "event": "Order", "traits": secret}),
        ("identify", {"messageId": "7", "userId": "u", "properties": secret}),
    ]
    steps.commit(world, *(call_row(k, {"type": k, **p}) for k, p in calls), at=NOON)
    assert [one.error for one in steps.run(world, 0)] == [None]
    found = {
        row["message_id"]: row
        for kind in ("track", "page", "identify", "group")
        for path in steps.paths(world, kind)
        for row in READ[format_](path)
    }
    assert sorted(found) == ["1", "2", "3", "4", "5", "6", "7"]
    email = hashlib.sha256(b"pepperjane@acme.example").hexdigest()
    shown = {"phone": "+***", "email": email, **OPEN}
    held = {"1": "properties", "2": "properties", "3": "traits", "4": "traits", "5": "traits"}
    sent = {number: _object(found[number][column]) for number, column in held.items()}
    assert sent == {**dict.fromkeys("1345", shown), "2": {"phone": "***", **OPEN}}
    assert [found[number]["user_id"] for number in "345"] == [email, email, "u"]
    texts = "".join(str(row) for row in found.values())
    assert not any(secret in texts for secret in ("jane", PHONE))


def _object(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


@pytest.mark.parametrize("format_", READ)
@pytest.mark.parametrize("column", ["traits", "name", "group_id", "previous_id", "properties"])
def test_d4_what_is_hidden_is_not_in_extra_of_types_without_such_a_column(
    world: World, format_: str, column: str
) -> None:
    calls_sync(world, format=format_, contract={"exports": {"calls": {"leave_out": [column]}}})
    member = {"group_id": "groupId", "previous_id": "previousId"}.get(column, column)
    its = {member: {"a": "jane"} if column in {"traits", "properties"} else "jane"}
    kinds = ("identify", "track", "page", "screen", "group", "alias")
    rows = [call_row(kind, {"type": kind, "userId": "u", **its}) for kind in kinds]
    steps.commit(world, *rows, at=NOON)
    assert [one.error for one in steps.run(world, 0)] == [None]
    found = [r for kind in kinds for path in steps.paths(world, kind) for r in READ[format_](path)]
    assert len(found) == len(kinds)
    assert "jane" not in str(found)
