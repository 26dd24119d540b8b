"""O4, M4: the printed rights are enough for runs of every feed, also for those after a crash."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import pytest

from cio_pipeline.destinations.policy import az_commands, policy
from cio_pipeline.model.destinations import AzureDestination
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.ports import Destination
from cio_pipeline_tests.azurite import Container
from cio_pipeline_tests.crashes import Crash, watched
from cio_pipeline_tests.destinations.servers import S3Server, moto_server
from cio_pipeline_tests.destinations.test_azure import azure
from cio_pipeline_tests.destinations.test_s3_policy import armed, limited
from cio_pipeline_tests.pipeline.feeds import commit, run
from cio_pipeline_tests.recovery.loss import DieAfter
from cio_pipeline_tests.world import World


@dataclass
class Store:
    """A store, and how one gets a destination there with just the rights that are printed."""

    opened: Callable[[Feed], Destination]
    keys: Callable[[], list[str]]
    limits: Callable[[], AbstractContextManager[None]] = nullcontext


def on_s3() -> Iterator[Store]:
    with moto_server() as server:
        bucket = server.bucket()

        def opened(feed: Feed) -> Destination:
            options = server.options(bucket)
            sync = Sync(id="a", workspace_id=1, feed=feed, destination=options)
            (section,) = policy(sync)
            return limited(server, bucket, section.body)

        yield Store(opened, lambda: _keys(server, bucket), lambda: armed(server))


def _keys(server: S3Server, bucket: str) -> list[str]:
    found = server.admin.list_objects_v2(Bucket=bucket).get("Contents", [])
    return [one["Key"].removeprefix("customerio/prod/") for one in found]


def on_azure(container: Container) -> Iterator[Store]:
    def opened(feed: Feed) -> Destination:
        options = AzureDestination(type="azure", sas_url="env:SAS", path="p")
        rights = re.search(r"--permissions (\w+)", az_commands("a", options, feed))
        assert rights
        container.set_policy("cio-a", rights[1])
        return azure(container.policy_url("cio-a"), "p")

    names = container.client().list_blob_names
    yield Store(opened, lambda: [name.removeprefix("p/") for name in names()])


@pytest.fixture(params=["s3", "azure"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "s3":
        yield from on_s3()
    else:
        yield from on_azure(request.getfixturevalue("container"))


@pytest.mark.parametrize("feed", Feed)
def test_o4_the_printed_rights_are_enough_for_runs_and_for_those_after_a_crash(
    world: World, store: Store, feed: Feed
) -> None:
    world.sync("a", feed=feed)
    destination = store.opened(feed)
    world.services = replace(world.services, destinations=lambda _: destination)
    put = "destination.overwrite" if feed is Feed.MESSAGES else "destination.put"
    with store.limits():
        for number, effect in enumerate((put, "destination.put_bytes")):
            commit(world, feed, number)
            dying = watched(world.services, DieAfter(effect), f"dies {number}")
            with pytest.raises(Crash):
                run(world, feed, number, dying)
            world.now += TTL * 2
            outcomes = run(world, feed, number, world.as_run(f"heir {number}"))
            assert [one.error for one in outcomes if one.error] == []
        assert world.ledger.breakers.all() == {}
        assert world.ledger.manifests.unput(["a"]) == []
        assert feed is Feed.MESSAGES or world.verify().ok
    found = store.keys()
    assert [key for key in found if "_cio" in key] == ["_cio/1.manifest", "_cio/2.manifest"]
    assert len([key for key in found if "_cio" not in key and key != "cio-validate"]) == 2
