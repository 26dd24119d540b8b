"""D6 on S3 (moto) and Azure (Azurite): a run that dies leaves what a whole one leaves.

It sends new people, a `chngs` file, an initial export of metrics in parts, and a manifest. It dies
before the first and before the last effect of each kind on the store, or on what is known of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.ports import Destination
from cio_pipeline.verification.verify import verify
from cio_pipeline_tests.crashes import Crash, Fuse, watched
from cio_pipeline_tests.destinations.servers import moto_server, s3
from cio_pipeline_tests.destinations.test_azure import azure
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during

CHANGING = {
    "destination.announce",
    "destination.put",
    "destination.put_bytes",
    "plans.open",
    "plans.seal",
    "plans.deliver",
    "plans.commit",
    "manifests.mark_put",
}
"""What the store sees, and what the ledger knows of it; all else is tried on local folders."""

FILES = {
    "people_v5_1_2.parquet",
    "people_v5_chngs_1_1.parquet",
    "metrics_v5_1_1_1.parquet",
    "metrics_v5_1_1_2.parquet",
}


@dataclass(frozen=True)
class Store:
    """A place in a store, whose owner may also put it back to what it was."""

    destination: Destination

    def objects(self) -> dict[str, bytes]:
        found = self.destination
        return {one.key: found.get(one.key) for one in found.list()}

    def files(self) -> dict[str, bytes]:
        """Without manifests, which tell the time of the run."""
        return {key: body for key, body in self.objects().items() if "_cio" not in key}

    def put_back(self, before: Mapping[str, bytes]) -> None:
        for key in self.objects():
            if key not in before:
                self.destination.delete(key)


@pytest.fixture(params=["s3", "azure"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "azure":
        yield Store(azure(request.getfixturevalue("container").sas_url("racwdl")))
    else:
        with moto_server() as server:
            yield Store(s3(server.options(server.bucket())))


def run(world: World, store: Store, fuse: Fuse, owner: str) -> bool:
    """Run window 1; whether it got to the end."""
    services = world.as_run(
        owner, destinations=lambda _: store.destination, slice_rows=1, announced={}
    )
    try:
        world.run(1, "people", "metrics", services=watched(services, fuse, owner))
    except Crash:
        return False
    return True


def prepared(root: Path, store: Store) -> World:
    """People were sent; one of them changed, one is new, and metrics were never sent."""
    world = World(root)
    world.sync("a")
    world.commit("people", person("ann"), person("bob"), at=during(0))
    for number in (0, 1):
        world.commit("metrics", {"event_id": f"m{number}"}, at=during(number))
    services = world.as_run("before", destinations=lambda _: store.destination)
    world.run(0, "people", services=services)
    world.commit("people", person("bob", 5, 1), person("eve", 5, 1), at=during(1))
    return world


def points(names: list[str]) -> list[int]:
    """The numbers of the first and the last effect of each kind that changes something."""
    found: dict[str, list[int]] = {}
    for at, name in enumerate(names, 1):
        if name in CHANGING:
            found.setdefault(name, []).append(at)
    return sorted({at for numbers in found.values() for at in (numbers[0], numbers[-1])})


def test_d6_a_crash_at_each_kind_of_effect_leaves_what_a_whole_run_leaves(
    tmp_path: Path, store: Store
) -> None:
    start = prepared(tmp_path / "prepared", store)
    before, whole = store.objects(), Fuse()
    world = start.copy(tmp_path / "whole")
    assert run(world, store, whole, "whole")
    expected = store.files()
    assert expected.keys() - before.keys() == FILES
    assert set(whole.names) >= CHANGING
    for at in points(whole.names):
        store.put_back(before)
        world = start.copy(tmp_path / str(at))
        assert not run(world, store, Fuse(at), "first")
        world.now += TTL + timedelta(seconds=1)
        assert run(world, store, Fuse(), "second")
        effect = f"died before effect {at}, {whole.names[at - 1]}"
        assert store.files() == expected, effect
        assert verify(store.destination).problems == (), effect
        world.ledger.close()
