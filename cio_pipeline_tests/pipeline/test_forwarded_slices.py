"""Calls and messages slice by slice: in the order in which they came, under numbers that go on."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cio_pipeline.model.errors import InvalidKey
from cio_pipeline.model.plans import Series
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.recovery.abandon import abandon
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline.pipeline.services import Services
from cio_pipeline_tests.calls import steps
from cio_pipeline_tests.messages.sending import Recorder, commit_messages, objects, row
from cio_pipeline_tests.pipeline.sliced import Broken, in_slices
from cio_pipeline_tests.world import NOON, World, during

COMMITS = 3
PER_COMMIT = 4
SLICE = 3


def call(number: int) -> dict[str, Any]:
    return steps.call_row("track", {"event": str(number)})


def calls(world: World) -> None:
    """Twelve calls in three commits; within each they were received the other way round."""
    for commit in range(COMMITS):
        numbers = range(commit * PER_COMMIT, (commit + 1) * PER_COMMIT)
        rows = [
            call(number) | {"received_at": NOON + timedelta(seconds=60 - number)}
            for number in numbers
        ]
        steps.commit(world, *rows, at=NOON + timedelta(seconds=commit))


def sent(world: World) -> list[int]:
    """The calls in the order of their files, and in each of its lines."""
    texts = [path.read_text() for path in steps.paths(world, "track")]
    return [int(json.loads(line)["event"]) for text in texts for line in text.splitlines()]


@pytest.mark.parametrize("rows", [1, 3, 5])
def test_c1_c3_calls_keep_their_order_over_slices(world: World, rows: int) -> None:
    steps.calls_sync(world)
    calls(world)
    (outcome,) = steps.run(world, 0, in_slices(world, rows))
    assert (outcome.error, outcome.rows) == (None, 12)
    assert sent(world) == list(range(12))
    assert len(steps.names(world)) >= 12 // rows
    assert world.verify().ok


def test_c1_calls_that_do_not_tell_their_arrival_are_sent_once(world: World) -> None:
    """A writer of its own: its commit is one slice, the others are not."""
    steps.calls_sync(world)
    calls(world)
    rows = [call(number) | {"arrival": None} for number in range(20, 30)]
    steps.commit(world, *rows, at=NOON + timedelta(seconds=30))
    steps.run(world, 0, in_slices(world, SLICE))
    assert sorted(sent(world)) == [*range(12), *range(20, 30)]
    assert sent(world)[:12] == list(range(12))


def test_c1_a_run_that_stops_goes_on_at_its_slice(world: World) -> None:
    sync = steps.calls_sync(world)
    calls(world)
    bucket = Broken(world.services.destinations(sync), 2)
    stopped = in_slices(world, SLICE, destinations=lambda _: bucket)
    (outcome,) = steps.run(world, 0, stopped)
    assert outcome.error
    (state,) = world.ledger.registry.states(["calls"], ["a"])
    assert state.open_plan
    assert state.open_plan.slice == 2
    world.now += 2 * TTL
    steps.commit(world, call(12), at=steps.window(1).start)
    steps.run(world, 1)
    assert sent(world) == list(range(13))
    assert world.verify().ok


def messages(world: World) -> None:
    """Twelve messages in three commits, of which every fourth has a key of its own."""
    for commit in range(COMMITS):
        numbers = range(commit * PER_COMMIT, (commit + 1) * PER_COMMIT)
        rows = [
            row(f"m{number}", json.dumps({"n": number}), at, metadata={"topic": f"key{number % 4}"})
            for at, number in enumerate(reversed(numbers))
        ]
        commit_messages(world, *rows, at=during(0, commit))


def prepared(world: World) -> tuple[Recorder, Services]:
    world.sync(feed="messages", key_template="metadata.topic")
    recorder = Recorder(world)
    return recorder, in_slices(world, SLICE, destinations=lambda _: recorder)


def test_m4_equal_keys_are_put_in_their_order_over_slices(world: World) -> None:
    recorder, services = prepared(world)
    messages(world)
    (outcome,) = world.run(0, "messages", services=services)
    assert (outcome.error, outcome.files, outcome.overwritten) == (None, 12, 8)
    of_key = [json.loads(body)["data"]["n"] for key, body in recorder.bodies if "key1" in key]
    assert of_key == [1, 5, 9]
    numbers = [file.sequence for file in world.ledger.manifests.files("a")]
    assert sorted(numbers) == list(range(1, 13))
    (state,) = world.ledger.registry.states(["messages"], ["a"])
    assert state.next_sequence[Series.PLAIN] == 13


def test_d8_objects_of_slices_are_put_again(world: World) -> None:
    _, services = prepared(world)
    messages(world)
    world.run(0, "messages", services=services)
    before = objects(world)
    assert len(before) == 4
    for key in before:
        (world.folder() / key).unlink()
    assert {one.error for one in restore(replace(world.services, owner="restore"))} == {None}
    assert objects(world) == before


def test_m4_messages_of_which_slices_were_delivered_can_be_given_up(world: World) -> None:
    """They are put in place of themselves; all other rows would be sent twice."""
    recorder, services = prepared(world)
    messages(world)
    refusing = Refusing(recorder, "key1")
    refused = replace(services, destinations=lambda _: refusing)
    (outcome,) = world.run(0, "messages", services=refused)
    assert outcome.error
    (state,) = world.ledger.registry.states(["messages"], ["a"])
    assert state.open_plan
    world.now += 2 * TTL
    abandon(world.services, "a", "messages")
    world.run(1, "messages", services=services)
    of_key = [json.loads(body)["data"]["n"] for key, body in recorder.bodies if "key2" in key]
    assert of_key[-3:] == [2, 6, 10]
    assert len(objects(world)) == 4


class Refusing:
    """A bucket that cannot hold a key the second time that it comes."""

    def __init__(self, inner: Any, key: str) -> None:
        self._inner, self._key, self._seen = inner, key, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def overwrite(self, key: str, *rest: Any) -> None:
        self._seen += self._key in key
        if self._key in key and self._seen > 1:
            raise InvalidKey("No such key.", "Another one.")
        self._inner.overwrite(key, *rest)
