"""M4, D6: objects are delivered once they are durable, and named by nobody who lost the lease."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from threading import Lock

from cio_pipeline.model.errors import DestinationUnavailable
from cio_pipeline_tests.messages.sending import Recorder, commit_messages, objects, row
from cio_pipeline_tests.world import World, during


class Forgetful(Recorder):
    """Its folders cannot be made durable until it is mended."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.mended = False
        self.durable: set[str] = set()

    def make_durable(self, keys: Iterable[str]) -> None:
        some = list(keys)
        if not self.mended:
            raise DestinationUnavailable("The folder does not answer.", "It is tried again.")
        super().make_durable(some)
        self.durable.update(some)


def test_messages_are_delivered_once_their_names_are_durable_d6(world: World) -> None:
    world.sync(feed="messages")
    forgetful = Forgetful(world)
    services = replace(world.services, destinations=lambda _: forgetful)
    commit_messages(world, *(row(f"m{n:02}", arrival=n) for n in range(40)), at=during(0))
    (outcome,) = world.run(0, "messages", services=services)
    assert str(outcome.error).startswith("DestinationUnavailable: The folder does not answer.")
    assert not world.ledger.plans.delivered()
    assert not world.manifests()

    forgetful.mended = True
    (outcome,) = world.run(0, "messages", services=replace(services, owner="run 2"))
    assert (outcome.error, outcome.files) == (None, 40)
    assert forgetful.durable == objects(world).keys()


class Overtaken(Recorder):
    """Another run, which took this one's place, has put later objects before these have names."""

    def __init__(self, world: World, take_over: Callable[[], None]) -> None:
        super().__init__(world)
        self.take_over: Callable[[], None] | None = take_over

    def overwrite(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        super().overwrite(key, body, metadata)
        if self.take_over is not None:
            take_over, self.take_over = self.take_over, None
            take_over()


def test_m4_a_run_that_lost_its_lease_names_nothing_over_later_objects(world: World) -> None:
    world.sync(feed="messages", key_template="data.k")
    commit_messages(world, row("m0", '{"k":"a","n":0}'), at=during(0))

    def take_over() -> None:
        world.now += timedelta(minutes=10)
        world.run(0, "messages", services=world.as_run("heir"))
        commit_messages(world, row("m1", '{"k":"a","n":1}', 1), at=during(1))
        world.run(1, "messages", services=world.as_run("heir"))

    overtaken = Overtaken(world, take_over)
    (outcome,) = world.run(
        0, "messages", services=replace(world.services, destinations=lambda _: overtaken)
    )
    assert str(outcome.error).startswith("LeaseLost")
    assert objects(world) == {"a": b'{"data": {"k":"a","n":1}}'}


def test_m4_objects_whose_unfinished_files_another_run_removed_are_put_again(
    world: World,
) -> None:
    world.sync(feed="messages")
    once = Lock()

    class Raced(Recorder):
        def make_durable(self, keys: Iterable[str]) -> None:
            its = list(keys)
            if once.acquire(blocking=False):
                (self.root / f"{its[0]}#1").unlink()
            super().make_durable(its)

    raced = Raced(world)
    commit_messages(world, *(row(f"m{n:02}", arrival=n) for n in range(40)), at=during(0))
    (outcome,) = world.run(
        0, "messages", services=replace(world.services, destinations=lambda _: raced)
    )
    assert (outcome.error, len(objects(world))) == (None, 40)


def test_m2_a_key_that_is_another_ones_folder_is_named_and_all_others_are_put(
    world: World,
) -> None:
    world.sync(feed="messages", key_template="data.k")
    keys = ["a", "a/b", *(f"c{n}" for n in range(40))]
    rows = [row(f"m{n:02}", json.dumps({"k": key}), n) for n, key in enumerate(keys)]
    commit_messages(world, *rows, at=during(0))
    (outcome,) = world.run(0, "messages")
    assert str(outcome.error).startswith("InvalidKey: Cannot write 'a")
    assert "1 keys" in str(outcome.error)
    found = objects(world)
    assert {key for key in found if not key.startswith("a")} == set(keys[2:])
    assert len(found) == 41
