"""Several runs on one spool, as shards on one machine: none takes what another one needs."""

import hashlib
import shutil
from dataclasses import dataclass, replace
from typing import Any

import pytest

from cio_pipeline.files.spool import Spool
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.breaker import close_breaker
from cio_pipeline.pipeline.committing.commit import sweep_spool
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline_tests.crashes import watched
from cio_pipeline_tests.pipeline.sliced import Broken
from cio_pipeline_tests.world import World, during, window


@dataclass
class Meanwhile:
    """Another run comes to its end before every seal."""

    world: World

    def burn(self, name: str, effect: Any) -> Any:
        if name == "plans.seal":
            sweep_spool(self.world.as_run("another"))
        return effect()


def people(workspace: int, *names: str) -> list[dict[str, Any]]:
    return [{"internal_customer_id": name, "workspace_id": workspace} for name in names]


@pytest.mark.parametrize("first", ["few", "many"])
def test_o8_what_a_run_still_reads_is_not_swept_by_another(world: World, first: str) -> None:
    """The changes that all share lie in a folder of the first plan, which may be through early."""
    syncs = {"few": 1, "many": 2} if first == "few" else {"many": 2, "few": 1}
    names = [f"p{number:02}" for number in range(30)]
    for place, (sync_id, workspace) in enumerate(syncs.items()):
        world.sync(f"{place}-{sync_id}", workspace, exports=["people"])
    world.commit("people", *people(1, "x"), *people(2, "x"), at=during(0))
    world.run(0, "people")
    world.commit("people", *people(1, "y"), *people(2, *names), at=during(1))
    world.now = window(1).end

    services = watched(replace(world.services, slice_rows=5), Meanwhile(world), "run 1")
    outcomes = run_export(services, "people", window(1), Scope())

    assert [one.error for one in outcomes] == [None, None]
    assert sum(one.rows for one in outcomes) == 31
    sweep_spool(world.services)
    assert world.services.spool.folders() == ()


@pytest.mark.parametrize("lost", ["discarded", "of another machine"])
def test_d2_a_run_whose_machine_is_gone_is_finished_without_its_spool(
    world: World, lost: str
) -> None:
    """Sealed, and put in part: what another machine encodes has the sealed digests."""
    world.sync("a", 1, exports=["people"])
    world.sync("b", 2, exports=["people"])
    world.commit("people", *people(1, "x"), *people(2, "x"), at=during(0))
    opened = world.services.destinations
    gone = world.as_run(
        "gone", destinations=lambda one: Broken(opened(one), 0) if one.id == "b" else opened(one)
    )
    assert [one.error is None for one in world.run(0, "people", services=gone)] == [True, False]
    states = world.ledger.registry.states(["people"])
    sealed = world.ledger.plans.sealed([one.open_plan for one in states if one.open_plan])
    (digests,) = [[file.sha256 for file in files] for files in sealed.values()]
    close_breaker(world.ledger, "b")

    heir = world.services
    if lost == "discarded":
        shutil.rmtree(heir.spool.root)
    else:
        heir = replace(heir, spool=Spool(world.root / "west"))
    world.run(1, "people", services=replace(heir, owner="heir"))

    (file,) = world.folder("b").glob("*.parquet")
    assert [hashlib.sha256(file.read_bytes()).hexdigest()] == digests
    assert all(world.verify(one).ok for one in "ab")
    assert [len(world.names(one)) for one in "ab"] == [1, 1]
