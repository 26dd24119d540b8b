"""O8 at its full size: 200 syncs in real S3 buckets, of which 45 are dead, refused or slow."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks.rows import numbered, rows
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.destinations.overlap import location
from cio_pipeline.model.breakers import BreakerState
from cio_pipeline.model.scope import Lane
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.lifecycle.apply import apply_syncs
from cio_pipeline.ports import Destination
from cio_pipeline.sources.tables import commit_rows
from cio_pipeline_tests.destinations.fault_proxy import Fault, proxy_before
from cio_pipeline_tests.destinations.servers import S3Server, moto_server, s3
from cio_pipeline_tests.faults.unreachable import blackhole
from cio_pipeline_tests.world import NOON, World, during

SYNCS = 200
EXPORTS = ("people", "broadcasts")
"""Two, since the exports of a sync share what is known of its destination."""

CONNECT_SECONDS = 5
"""The connect timeout of destinations (destinations/patience.py)."""

REFUSED = [f"s{number:03d}" for number in range(1, 21)]
DEAD = [f"s{number:03d}" for number in range(21, 41)]
SLOW = [f"s{number:03d}" for number in range(41, 46)]
GOOD = [f"s{number:03d}" for number in range(46, SYNCS + 1)]

KEY_REVOKED = Fault(answer=(403, "<Error><Code>InvalidAccessKeyId</Code></Error>"))
DELAYED = Fault(delay=3)


@dataclass
class Stores:
    """A bucket of all syncs; `elsewhere` is where a sync's requests go instead."""

    server: S3Server
    bucket: str
    elsewhere: dict[str, str] = field(default_factory=dict[str, str])

    def __call__(self, sync: Sync) -> Destination:
        url = self.elsewhere.get(sync.id)
        return s3(self.server.options(self.bucket, url, path=f"syncs/{sync.id}"))


@pytest.fixture
def stores() -> Iterator[Stores]:
    with moto_server() as server:
        yield Stores(server, server.bucket())


def prepared(root: Path, stores: Stores) -> World:
    """200 syncs whose first exports are done, and changes for each in windows 1 to 4."""
    world = World(root)
    made = [
        Sync.model_validate(
            {
                "id": f"s{number:03d}",
                "workspace_id": number,
                "exports": list(EXPORTS),
                "owner": "data@acme.example",
                "destination": {"type": "local", "path": f"bucket/s{number:03d}"},
            }
        )
        for number in range(1, SYNCS + 1)
    ]
    apply_syncs(world.services, made, lambda one: location(one.destination, world.root), NOON)
    world.services = world.as_run("run", destinations=stores)
    for number in range(5):
        for table in EXPORTS:
            declared = SOURCE_TABLES[table]
            some = numbered(SYNCS, 2 * number, 2)
            commit_rows(world.source_uri, declared, rows(declared, some, NOON), during(number))
    world.run(0, *EXPORTS)
    return world


def timed(world: World, number: int, sync_ids: list[str] | None = None) -> tuple[float, set[str]]:
    """Seconds that a tick takes, manifests and all, and the syncs that it could not serve."""
    start = time.monotonic()
    outcomes = world.run(number, *EXPORTS, sync_ids=sync_ids, lane=Lane.TICK)
    return time.monotonic() - start, {one.sync_id for one in outcomes if one.error is not None}


def position_of(world: World, sync_ids: list[str]) -> set[object]:
    states = world.ledger.registry.states(list(EXPORTS), sync_ids)
    return {state.position.at for state in states if state.position is not None}


@pytest.mark.slow
def test_o8_155_syncs_are_delivered_while_20_are_refused_20_dead_and_5_slow(
    tmp_path: Path, stores: Stores
) -> None:
    world = prepared(tmp_path, stores)
    alone, failed = timed(world, 1, GOOD)
    assert failed == set()

    with (
        blackhole() as nowhere,
        proxy_before(stores.server.url) as refusing,
        proxy_before(stores.server.url) as slow,
    ):
        refusing.lasting, slow.lasting = KEY_REVOKED, DELAYED
        stores.elsewhere = {
            **dict.fromkeys(REFUSED, refusing.url),
            **dict.fromkeys(DEAD, nowhere),
            **dict.fromkeys(SLOW, slow.url),
        }
        together, failed = timed(world, 2)
        requests = len(refusing.paths)
        again, _ = timed(world, 3)
    # Others of this machine may have come meanwhile: what they take, the good ones take alone, too.
    alone = max(alone, timed(world, 4, GOOD)[0])

    sys.stdout.write(
        f"\n155 alone {alone:.1f} s, with 45 others {together:.1f} s, then {again:.1f} s\n"
    )
    assert failed >= {*REFUSED, *DEAD}
    assert failed.isdisjoint(GOOD)
    assert together <= 1.5 * alone + CONNECT_SECONDS
    assert requests == len(refusing.paths), "who was refused is not asked again"
    breakers = world.ledger.breakers.all()
    assert {key for key, one in breakers.items() if one.state is BreakerState.STOPPED} == {*REFUSED}
    # Others can seem slow on a busy machine: they are served all the same.
    seeming = breakers.keys() - {*REFUSED, *DEAD, *SLOW}
    assert breakers.keys() >= {*REFUSED, *DEAD, *SLOW}
    assert all(breakers[sync_id].state is BreakerState.SLOW for sync_id in seeming)
    told = world.ledger.failing.of_window(during(3, 15))
    assert {sync_id for sync_id, _ in told} >= {*REFUSED}
    assert "data@acme.example" in told["s001", "people"]
    assert "the store does not know the access key" in told["s001", "people"]

    # Mended: refused ones are resumed by hand, dead and slow ones come by themselves.
    stores.elsewhere = {}
    for sync_id in REFUSED:
        close_breaker(world.ledger, sync_id)
    for lane in (Lane.TICK, Lane.SLOW):
        world.run(8, *EXPORTS, lane=lane)

    assert world.ledger.breakers.all().keys().isdisjoint(REFUSED)
    assert len(position_of(world, [*REFUSED, *DEAD, *SLOW, *GOOD])) == 1
    for sync_id in (*REFUSED[:2], *DEAD[:2], *SLOW[:2], *GOOD[:2]):
        report = world.verify(sync_id)
        assert report.ok, sync_id
        assert rows_of(world, sync_id) == {"people": 10, "broadcasts": 10}


def rows_of(world: World, sync_id: str) -> dict[str, int]:
    """Rows that the manifests list, by export: each row was committed once."""
    files = world.ledger.manifests.files(sync_id)
    return {name: sum(file.rows for file in files if file.export == name) for name in EXPORTS}
