"""A run that dies under one contract is finished under it, whatever the contract says by then."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline.model.data_contract import DataContract
from cio_pipeline.model.manifests import parse_manifest
from cio_pipeline.model.plans import PlanState
from cio_pipeline.pipeline.recovery.catch_up import rebuild
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline_tests.crashes import Crash, Fuse, watched
from cio_pipeline_tests.data_contracts.test_window import CONTRACT, fill
from cio_pipeline_tests.world import World

OTHERS: list[dict[str, Any] | None] = [
    None,
    {"exports": {"events": {"leave_out": ["data"]}, "people": {"mask": ["email_addr"]}}},
]


class Dies(Fuse):
    """Dies at the first effect of a name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def burn(self, name: str, effect: Any) -> Any:
        if name == self.name:
            raise Crash(name)
        return effect()


def sent(world: World) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in world.folder().glob("*.parquet")}


def begun(root: Path) -> World:
    world = World(root)
    world.services = replace(world.services, secret=lambda _: "pepper")
    world.sync("a", 1, contract=CONTRACT)
    fill(world)
    return world


@pytest.mark.parametrize("contract", OTHERS)
@pytest.mark.parametrize("spool", ["kept", "lost"])
@pytest.mark.parametrize("at", ["plans.seal", "destination.put"])
def test_d5_bytes_are_those_of_the_contract_that_the_plan_was_made_under(
    tmp_path: Path, at: str, spool: str, contract: dict[str, Any] | None
) -> None:
    whole = begun(tmp_path / "whole")
    whole.run(0, "people", "events")
    world = begun(tmp_path / "dying")
    for export in ("people", "events"):
        with pytest.raises(Crash):
            world.run(0, export, services=watched(world.services, Dies(at), "run 1"))
    plans = [one.open_plan for one in world.ledger.registry.states(["people", "events"])]
    wanted = PlanState.OPEN if at == "plans.seal" else PlanState.SEALED
    assert {plan and plan.state for plan in plans} == {wanted}
    assert sent(world) == {}
    world.sync("a", 1, contract=contract)
    if spool == "lost":
        shutil.rmtree(world.root / "spool")
    world.now = world.now.replace(hour=23)
    outcomes = world.run(0, "people", "events", services=world.as_run("run 2"))
    assert [one.error for one in outcomes] == [None] * len(outcomes)
    assert sent(world) == sent(whole)
    assert world.verify().ok


def test_another_salt_is_told_and_the_first_one_finishes_the_plan(tmp_path: Path) -> None:
    world = begun(tmp_path)
    with pytest.raises(Crash):
        world.run(0, "people", services=watched(world.services, Dies("destination.put"), "run 1"))
    shutil.rmtree(world.root / "spool")
    world.now = world.now.replace(hour=23)
    other = world.as_run("run 2", secret=lambda _: "other")
    (failed,) = world.run(0, "people", services=other)
    assert failed.error is not None
    assert failed.error.kind == "DigestMismatch"
    assert "the salt that it was hashed with" in failed.error.next_step
    world.now = world.now.replace(minute=59)
    (fine,) = world.run(0, "people", services=world.as_run("run 3"))
    assert fine.error is None
    assert len(sent(world)) == 1


def test_a_ledger_that_was_rebuilt_goes_on_under_the_sync_file_s_contract(tmp_path: Path) -> None:
    world = begun(tmp_path)
    world.run(0, "people", "events")
    before = sent(world)
    sync = world.ledger.registry.get("a").sync
    world.ledger.close()
    (world.root / "ledger.db").unlink()
    world = World(tmp_path, now=world.now)
    world.services = replace(world.services, secret=lambda _: "pepper")
    rebuild(world.services, [sync])
    name = next(name for name in before if name.startswith("events"))
    (world.folder() / name).unlink()

    restore(world.services, ["a"])
    assert sent(world) == before


def test_d10_manifests_name_the_contract_and_a_rebuilt_ledger_takes_it_from_there(
    tmp_path: Path,
) -> None:
    """Where the sync file has another one by now, nobody guesses under which a file was made."""
    world = begun(tmp_path)
    world.run(0, "people", "events", "metrics")
    before = sent(world)
    sync = world.ledger.registry.get("a").sync
    body = (world.folder() / "_cio" / "1.manifest").read_bytes()
    told = {file.export: file.contract for file in parse_manifest(body).files}
    assert sync.contract is not None
    assert told == {one: sync.contract.digests.get(one) for one in told}
    assert {one for one, name in told.items() if name is None} == {"metrics"} & told.keys()
    world.ledger.close()
    (world.root / "ledger.db").unlink()
    world = World(tmp_path, now=world.now)
    world.services = replace(world.services, secret=lambda _: "pepper")
    other = DataContract.model_validate(OTHERS[1])
    rebuild(world.services, [sync.model_copy(update={"contract": other})])
    name = next(name for name in before if name.startswith("events"))
    (world.folder() / name).unlink()

    (failed,) = restore(world.services, ["a"])
    assert str(told["events"]) in str(failed.error)
    world.sync("a", 1, contract=CONTRACT)
    (fine,) = restore(world.services, ["a"])
    assert fine.error is None
    assert sent(world) == before


def test_d10_files_of_before_the_contract_are_restored_after_a_rebuild_as_they_were(
    tmp_path: Path,
) -> None:
    """A manifest that names none says that there was none."""
    world = World(tmp_path)
    world.services = replace(world.services, secret=lambda _: "pepper")
    world.sync("a", 1)
    fill(world)
    world.run(0, "people", "events")
    before = sent(world)
    sync = world.sync("a", 1, contract=CONTRACT)
    world.ledger.close()
    (world.root / "ledger.db").unlink()
    world = World(tmp_path, now=world.now)
    world.services = replace(world.services, secret=lambda _: "pepper")
    rebuild(world.services, [sync])
    for name in before:
        (world.folder() / name).unlink()

    restored = restore(world.services, ["a"])

    assert [one.error for one in restored] == [None] * len(before)
    assert sent(world) == before
