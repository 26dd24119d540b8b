"""O8: a destination that may be asked only so often gets all in the end, and holds up nobody."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cio_pipeline.destinations.open import open_destination
from cio_pipeline.files.spool import sha256_of
from cio_pipeline.model.breakers import BreakerState
from cio_pipeline.model.scope import Lane
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.delivering import deliver
from cio_pipeline_tests.pipeline.stuck import given_up_when_others_ended
from cio_pipeline_tests.world import World, during

PLACES: dict[str, dict[str, Any]] = {
    "local": {"type": "local", "path": "bucket"},
    "s3": {"type": "s3", "bucket": "acme"},
    "azure": {"type": "azure", "sas_url": "env:SAS"},
}


def sync(place: dict[str, Any], **options: Any) -> Sync:
    fields = {"id": f"paced-{place['type']}", "workspace_id": 1}
    return Sync.model_validate({**fields, "destination": {**place, **options}})


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_every_kind_of_store_can_be_paced(place: dict[str, Any]) -> None:
    assert sync(place, puts_per_second=2.5).destination.puts_per_second == 2.5
    assert sync(place).destination.puts_per_second is None
    for wrong in (0, -1, "fast", 1e6):
        with pytest.raises(ValidationError, match="puts_per_second"):
            sync(place, puts_per_second=wrong)


def test_all_that_is_put_takes_its_turn_however_many_put_at_a_time(tmp_path: Path) -> None:
    """Files, manifests and messages; opened anew for each plan, as runs do."""
    paced = sync(PLACES["local"], puts_per_second=50)
    file = tmp_path / "file"
    file.write_bytes(b"x")
    digest = sha256_of(file)

    def put(number: int) -> None:
        destination = open_destination(paced, tmp_path)
        match number % 3:
            case 0:
                destination.put(f"{number}", file, digest)
            case 1:
                destination.put_bytes(f"{number}", b"x")
            case _:
                destination.overwrite(f"{number}", b"x", {})
                destination.make_durable([f"{number}"])

    begun = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put, range(30)))
    assert time.monotonic() - begun >= 29 / 50
    assert len(list(open_destination(paced, tmp_path).list())) == 30


@pytest.mark.parametrize("budget", [deliver.BYTES_IN_FLIGHT, 1], ids=["roomy", "one file"])
def test_o8_others_do_not_wait_for_a_store_that_may_be_asked_only_now_and_then(
    world: World, monkeypatch: pytest.MonkeyPatch, budget: int
) -> None:
    """Not even where the files of all do not fit into memory at a time."""
    monkeypatch.setattr(deliver, "BYTES_IN_FLIGHT", budget)
    exports = ["people", "events"]
    for sync_id, workspace in (("rare", 1), ("b", 2), ("c", 3)):
        place: dict[str, Any] = {"type": "local", "path": f"bucket/{sync_id}"}
        if sync_id == "rare":
            place["puts_per_second"] = 0.2
        world.sync(sync_id, workspace, exports=exports, destination=place)
    world.run(0, *exports)
    for workspace in (1, 2, 3):
        world.commit("people", {"workspace_id": workspace}, at=during(1, workspace))
        world.commit("events", {"workspace_id": workspace}, at=during(1, workspace))
    given_up_when_others_ended(monkeypatch, deliver, lambda one: one.plan.sync_id == "rare")

    tick = world.run(1, *exports, lane=Lane.TICK)

    assert {one.sync_id for one in tick if one.error} == {"rare"}
    assert world.ledger.breakers.all()["rare"].state is BreakerState.SLOW
    assert [len(world.names(one)) for one in ("b", "c")] == [2, 2]
    world.run(1, *exports, lane=Lane.SLOW)
    assert len(world.names("rare")) == 2
    assert all(world.verify(one).ok for one in ("rare", "b", "c"))
