"""Erasure from calls of every format and from messages, in every store: the other rows stay."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cio_pipeline.model.errors import InvalidConfig, PermissionMissing, UnknownPerson
from cio_pipeline.pipeline.erasure.erase import erase
from cio_pipeline.pipeline.recovery.replay import Wanted, replay
from cio_pipeline.ports import Destination
from cio_pipeline.verification.verify import verify
from cio_pipeline_tests.calls.steps import call_row, calls_sync, paths
from cio_pipeline_tests.calls.steps import commit as commit_calls
from cio_pipeline_tests.calls.steps import run as run_calls
from cio_pipeline_tests.calls.steps import window as call_window
from cio_pipeline_tests.destinations.servers import moto_server, s3
from cio_pipeline_tests.destinations.test_azure import azure
from cio_pipeline_tests.lifecycle.gone import person
from cio_pipeline_tests.messages.sending import TIME, commit_messages, objects, row
from cio_pipeline_tests.world import NOON, World, during

EMAIL = "ann@x.example"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.ledger.close()


def track(message: str, **fields: Any) -> dict[str, Any]:
    at = NOON + timedelta(seconds=len(message))
    payload = {"messageId": message, "event": "Seen", "properties": {"n": 1.10}, **fields}
    return call_row("track", payload, at=at)


CALLS = (
    track("m1", userId="ann-1", anonymousId="anon-7"),
    track("m22", anonymousId="anon-7", properties={"page": 'a "b", c\nd'}),
    track("m333", userId="bob", anonymousId="anon-8", properties={"page": 'a "b", c\nd', "x": ""}),
    track("m4444", userId="", properties={"to": EMAIL.upper()}),
    track("m55555", userId="ann-12", context={}, extra_="\\u00e9"),
)
THEIRS = ("m1", "m22", "m4444")


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of calls, as texts."""
    match path.suffix:
        case ".json":
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        case ".csv":
            return pl.read_csv(path, infer_schema=False).to_dicts()
        case _:
            return pl.read_parquet(path).to_dicts()


PERSONAL = {"user_id", "anonymous_id", "context", "extra", "properties"}


@pytest.mark.parametrize(
    "file_format", ["json", "csv", pytest.param("parquet", marks=pytest.mark.deep)]
)
def test_c3_calls_lose_what_is_personal_and_others_stay_as_they_are(
    world: World, file_format: str
) -> None:
    calls_sync(world, format=file_format)
    commit_calls(world, *CALLS, at=during(0))
    run_calls(world, 0)
    (path,) = paths(world, "track")
    raw, before = path.read_bytes(), read(path)
    # The customer's id, and an address that no people table knows.
    assert erase(world.services, 1, "ann-1", "ann").complete
    assert erase(world.services, 1, EMAIL, "ann").complete
    now = read(path)
    assert world.verify().ok
    assert [one["message_id"] for one in now] == [one["message_id"] for one in before]
    for old, new in zip(before, now, strict=True):
        if old["message_id"] in THEIRS:
            assert not any(new.get(name) for name in PERSONAL)
            kept = {name for name in old if name not in PERSONAL}
            assert {n: new[n] for n in kept} == {n: old[n] for n in kept}
        else:
            assert new == old
    if file_format != "parquet":
        lines = [line for line in raw.split(b"\n") if b"bob" in line or b"ann-12" in line]
        assert all(line in path.read_bytes() for line in lines)
    raw = path.read_bytes()
    assert erase(world.services, 1, "ann-1", "ann").complete
    assert path.read_bytes() == raw
    with pytest.raises(UnknownPerson):
        erase(world.services, 1, "ann-9", "ann")


@pytest.mark.parametrize("given", [EMAIL, EMAIL.title()])
def test_d4_calls_are_found_by_a_hash_of_the_address_that_they_had(
    world: World, given: str
) -> None:
    """Of a property, a trait, and the id that is made of it; in lower case, as SDKs send it."""
    world.services = replace(world.services, secret=lambda _: "pepper")
    terms = {"values": {"email": "hash"}}
    calls_sync(world, contract={"salt": "env:SALT", "exports": {"calls": terms}})
    identify = {"messageId": "i1", "anonymousId": "x", "traits": {"email": EMAIL}}
    calls = (
        call_row("identify", identify),
        track("m1", userId="bob", properties={"email": EMAIL}),
        track("m22", userId="bob", properties={"email": "bob@x.example"}),
    )
    commit_calls(world, *calls, at=during(0))
    run_calls(world, 0)
    (sent,), (named,) = paths(world, "track"), paths(world, "identify")
    digest = sha256(f"pepper{EMAIL}".encode()).hexdigest()
    assert [path.read_text().count(digest) for path in (sent, named)] == [1, 2]
    assert erase(world.services, 1, given, "ann").complete
    assert not any(digest in path.read_text() for path in (sent, named))
    assert read(sent)[1]["properties"]["email"] == sha256(b"pepperbob@x.example").hexdigest()


def test_c1_an_alias_tells_another_name(world: World) -> None:
    calls_sync(world)
    alias = call_row("alias", {"messageId": "a1", "userId": "ann-1", "previousId": "ann-0"})
    commit_calls(world, alias, track("m1", userId="ann-0"), at=during(0))
    run_calls(world, 0)
    erase(world.services, 1, "ann-1", "ann")
    (sent,), (named,) = paths(world, "track"), paths(world, "alias")
    assert b"ann" not in sent.read_bytes() + named.read_bytes()


MESSAGES = (
    row("m1", f'{{"consumerRef":"ann-1","result":[{{"raw":{{"mail":"{EMAIL}"}}}}]}}'),
    row("m2", '{"consumerRef":"bob","result":[{"fields":{"id":"ann-1"}}]}', 2),
    row("m3", '{"result":[{"fields":{"mail":"ANN@x.example"}}]}', 3, metadata={"objectName": "d"}),
)


def test_m1_messages_lose_their_payload(world: World) -> None:
    world.sync(feed="messages")
    commit_messages(world, *MESSAGES, at=during(0))
    world.run(0, "messages")
    before = objects(world)
    assert erase(world.services, 1, EMAIL, "ann").complete
    now = objects(world)
    assert now == before | {f"{TIME}_{n}.json": b'{"data": {}}' for n in ("m1", "m3")}
    assert world.verify().ok
    # A later message under a key that was rewritten is what lies there then (M4).
    commit_messages(world, row("m1", '{"new":1}', 4), at=during(1))
    world.run(1, "messages")
    assert objects(world)[f"{TIME}_m1.json"] == b'{"data": {"new":1}}'
    assert world.verify().ok


@pytest.fixture(params=["s3", "azure"])
def store(request: pytest.FixtureRequest) -> Iterator[Destination]:
    if request.param == "azure":
        yield azure(request.getfixturevalue("container").sas_url("racwl"))
    else:
        with moto_server() as server:
            yield s3(server.options(server.bucket()))


def test_d8_stores_are_rewritten_with_the_rights_of_a_run(world: World, store: Destination) -> None:
    """The metadata of a message stays (M1)."""
    services = world.as_run("run", destinations=lambda _: store)
    world.sync(feed="messages")
    commit_messages(world, *MESSAGES, at=during(0))
    world.run(0, "messages", services=services)
    key = f"{TIME}_m3.json"
    told = _metadata(store, key)
    assert told
    assert erase(services, 1, EMAIL, "ann").complete
    assert store.get(key) == b'{"data": {}}'
    assert _metadata(store, key) == told
    assert verify(store).ok


def _metadata(store: Any, key: str) -> dict[str, str]:
    if hasattr(store, "opened"):
        found = (
            store.opened().client().head_object(Bucket=store.options.bucket, Key=store.name(key))
        )
        return {**found["Metadata"], "type": found["ContentType"]}
    found = store._told_of(key)
    return {**found.metadata, "type": found.content_type}


def test_d8_a_missing_right_is_named_and_nothing_is_half_done(world: World) -> None:
    class Refusing:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def replace(self, *_: Any) -> None:
            raise PermissionMissing(
                "Cannot write 'x': the right s3:PutObject is missing.", "Add it."
            )

    opened = world.services.destinations
    refusing = world.as_run("run", destinations=lambda sync: Refusing(opened(sync)))
    world.sync(feed="messages")
    commit_messages(world, *MESSAGES, at=during(0))
    world.run(0, "messages")
    before = objects(world)
    receipt = erase(refusing, 1, EMAIL, "ann")
    assert not receipt.complete
    assert all("s3:PutObject" in one.why for one in receipt.left)
    assert objects(world) == before
    assert world.verify().ok
    assert erase(world.services, 1, EMAIL, "ann").complete
    assert objects(world) != before
    assert world.verify().ok


def test_d4_calls_that_only_mention_a_person_tell_no_other_name_of_theirs(world: World) -> None:
    """Whoever mentions an address, or shares a device, keeps all other calls."""
    mentions = track("m1", userId="bob", properties={"invited": EMAIL})
    device = track("m22", userId="eve", anonymousId="anon-7")
    others = [track("m333", userId="bob"), track("m4444", userId="eve", anonymousId="anon-9")]
    theirs = call_row("identify", {"userId": "ann-1", "anonymousId": "anon-7"}, at=NOON)
    calls_sync(world)
    commit_calls(world, mentions, device, *others, theirs, at=during(0))
    run_calls(world, 0)
    (path,) = paths(world, "track")
    before = read(path)
    assert erase(world.services, 1, "ann-1", "ann").complete
    assert read(path) == before
    assert erase(world.services, 1, EMAIL, "ann").complete
    now = read(path)
    assert "user_id" not in now[0]
    assert now[1:] == before[1:]


def test_d4_calls_of_whom_was_erased_are_not_sent_again(world: World) -> None:
    calls_sync(world)
    for number in (0, 1):
        commit_calls(
            world, track(f"m{number}", userId=f"ann-{number}"), at=call_window(number).start
        )
        run_calls(world, number)
    assert erase(world.services, 1, "ann-0", "ann").complete
    first, second = call_window(0), call_window(1)
    with pytest.raises(InvalidConfig, match="erased"):
        replay(world.services, Wanted("a", first.start, second.end))
    assert len(paths(world, "track")) == 2
    replay(world.services, Wanted("a", second.start, second.end))
    assert len(paths(world, "track")) == 3


@pytest.mark.parametrize(
    "payload",
    [
        '{"to":"Ann X <Ann@x.example>"}',
        '{"text":"Write to ann@x.example."}',
        '{"url":"https://y.example/?mail=ann%40x.example&n=1"}',
        '{"by":{"ann@x.example":1}}',
        '{"by":[{"customer_id":4711}]}',
    ],
)
def test_m1_a_person_is_found_wherever_a_payload_names_them(world: World, payload: str) -> None:
    """In calls, too, where the text holds their address."""
    others = ('{"to":"joann@x.example"}', '{"to":"ann@x.example.org"}', '{"n":4711}')
    world.commit("people", {**person("ann", 0), "id": "4711", "email": EMAIL, "deleted": True},
                 at=during(0))  # fmt: skip
    world.sync(feed="messages")
    calls_sync(world, "c")
    rows = [row(f"m{n}", text, n + 1) for n, text in enumerate((payload, *others))]
    commit_messages(world, *rows, at=during(0))
    seen = [
        track("m" * (n + 1), userId="bob", properties=json.loads(text))
        for n, text in enumerate((payload, *others))
    ]
    commit_calls(world, *seen, at=during(0))
    world.run(0, "messages")
    run_calls(world, 0)
    (path,) = paths(world, "track", "c")
    before, told = objects(world), read(path)
    assert erase(world.services, 1, "4711", "ann").complete
    assert objects(world) == before | {f"{TIME}_m0.json": b'{"data": {}}'}
    assert read(path)[1:] == told[1:]
    assert ("properties" in read(path)[0]) is ("@" not in payload and "%40" not in payload)
