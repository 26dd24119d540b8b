"""Two processes on one window at the same time, on a SQLite file and on PostgreSQL."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cio_pipeline_tests.waiting import PATIENCE, until
from cio_pipeline_tests.world import World, during, window

ROUNDS = 15
SYNCS = {"a": 1, "b": 2}


class Racer:
    """A process that runs windows of any world."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cio_pipeline_tests.faults.racer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, world: World, number: int, **order: Any) -> None:
        assert self.process.stdin
        where = {"root": str(world.root), "ledger_url": world.ledger_url}
        order = {**where, "owner": self.owner, "window": number, **order}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def result(self) -> dict[str, Any]:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def stop(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = ""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_cluster").new_schema()
    world = World(tmp_path / "world", url)
    for sync_id, workspace in SYNCS.items():
        world.sync(sync_id, workspace)
    yield world
    world.ledger.close()


@pytest.fixture(scope="module")
def racers() -> Iterator[tuple[Racer, Racer]]:
    pair = (Racer("run 1"), Racer("run 2"))
    yield pair
    for racer in pair:
        racer.stop()


def commit(world: World, number: int) -> None:
    rows = [
        {"internal_customer_id": f"p{number}", "workspace_id": workspace}
        for workspace in SYNCS.values()
    ]
    world.commit("people", *rows, at=during(number))


def files(world: World) -> list[str]:
    return sorted(str(path.relative_to(world.root)) for path in world.root.rglob("bucket/**/*"))


@pytest.mark.slow
def test_two_processes_deliver_each_window_once(shared: World, racers: tuple[Racer, Racer]) -> None:
    owners = {racer.owner for racer in racers}
    for number in range(ROUNDS):
        commit(shared, number)
        for racer in racers:
            racer.start(shared, number, seed=f"{number} {racer.owner}")
        results = [racer.result() for racer in racers]
        assert not [one for one in results if "raised" in one], results
        # Who comes between delivery and commit finds all delivered, tells it, and puts nothing.
        assert {sync for one in results for sync in one["sent"]} == {"a", "b"}, results
        sent = [path for path in files(shared) if path.endswith(".parquet")]
        assert len(sent) == len(SYNCS) * (number + 1), sent
        assert not [error for one in results for error in one["errors"]], results
        for one, racer in zip(results, racers, strict=True):
            assert not set(one["sent"]) & {sync for sync, _ in one["busy"]}
            assert {owner for _, owner in one["busy"]} <= owners - {racer.owner}
            assert not [error for *_, error in one["written"] if error], results

    shared.now = window(ROUNDS).end
    shared.run(ROUNDS - 1, "people", services=shared.as_run("last"))
    for sync_id in SYNCS:
        expected = [f"p{number}" for number in range(ROUNDS)]
        assert sorted(shared.read("people", sync_id)["internal_customer_id"]) == sorted(expected)
        report = shared.verify(sync_id)
        assert report.ok, report
        assert (report.files, report.warnings) == (ROUNDS, ())


@pytest.mark.slow
def test_the_second_process_says_who_holds_the_lease_and_leaves_nothing(
    shared: World, racers: tuple[Racer, Racer]
) -> None:
    first, second = racers
    commit(shared, 0)
    holding = shared.root / "holding"
    first.start(shared, 0, wait=str(holding))
    until("the lease of the first", PATIENCE, holding.exists)
    before = files(shared)
    plans = [state.open_plan for state in shared.ledger.registry.states(["people"])]

    second.start(shared, 0, seed="2")
    assert second.result() == {
        "busy": [["a", "run 1"], ["b", "run 1"]],
        "sent": [],
        "errors": [],
        "written": [],
    }

    assert files(shared) == before == []
    assert [state.open_plan for state in shared.ledger.registry.states(["people"])] == plans
    holding.unlink()
    assert first.result()["sent"] == ["a", "b"]
    assert [len(shared.names(sync)) for sync in SYNCS] == [1, 1]
    assert [len(shared.manifests(sync)) for sync in SYNCS] == [1, 1]
    assert all(shared.verify(sync).ok for sync in SYNCS)
