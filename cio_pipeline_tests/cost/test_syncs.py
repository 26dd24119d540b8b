"""Many syncs cost one scan, and a number of queries that does not grow with them."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.opened import opened_below
from cio_pipeline.ledger.statements import chunks
from cio_pipeline.model.scope import Lane, Scope
from cio_pipeline.monitoring.delivery import delivery_report
from cio_pipeline.pipeline.checking.delivery import delivery_of
from cio_pipeline.pipeline.delivering import deliver
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline_tests.cost.counting import Asked, asked, data_files, fill, small_world
from cio_pipeline_tests.world import window

FEW, MANY = deliver.MANY, 20

MOST_STATEMENTS = 121
"""Of a window of one export, its manifests included; each transaction begins with one."""

MOST_IDLE_STATEMENTS = 292
"""Of a window of 15 exports in which nothing changed, each transaction's beginning included."""


@dataclass(frozen=True)
class Ran:
    """What a window asked for, how often it opened data files, and how many files it sent."""

    asked: Asked
    opened: int
    files: int

    @property
    def in_bulk(self) -> list[str]:
        """The effects that come neither with a file nor with a chain."""
        own = {"destination", "source"}
        return sorted(name for name in self.asked.effects if name.partition(".")[0] not in own)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Ran]:
    """A window with new and changed people in each workspace, by number of syncs."""
    return {syncs: busy(tmp_path_factory.mktemp(f"syncs{syncs}"), syncs) for syncs in (FEW, MANY)}


def busy(root: Path, syncs: int) -> Ran:
    world = small_world(root, syncs, "people", 5, "people")
    fill(world, "people", syncs, range(3, 7), window=1)
    with opened_below(Path(world.source_uri)) as opened, asked(world) as (found, services):
        outcomes = world.run(1, "people", services=services)
    assert len(outcomes) == syncs
    return Ran(found, len(data_files(opened)), sum(outcome.files for outcome in outcomes))


def test_one_scan_serves_all_workspaces_of_a_cohort(ran: dict[int, Ran]):
    assert ran[FEW].asked.reads == ran[MANY].asked.reads == ["source.changes"]
    assert ran[FEW].opened == ran[MANY].opened
    assert ran[MANY].files == 2 * MANY, "one of new people and one of changed ones each"


def test_all_is_asked_in_bulk(ran: dict[int, Ran]):
    assert ran[FEW].in_bulk == ran[MANY].in_bulk
    assert "leases.lost" in ran[FEW].in_bulk, "leases are checked before puts, for all at once"


def test_a_window_is_looked_at_once_and_each_step_is_one_transaction(ran: dict[int, Ran]):
    asked_for = Counter(ran[MANY].asked.effects)
    steps = (
        "registry.states",
        *(f"plans.{step}" for step in ("open", "seal", "deliver", "commit")),
    )
    assert {name: asked_for[name] for name in steps} == dict.fromkeys(steps, 1)
    assert not asked_for["plans.advance"], "there is nobody without anything to send"
    assert len(range(0, 1000, deliver.KEEP_EVERY)) == 2, "times that it is kept for 1,000 syncs"


def test_its_statements_are_few_and_do_not_grow_with_syncs(ran: dict[int, Ran]):
    few, many = (Counter(ran[syncs].asked.statements) for syncs in (FEW, MANY))
    assert few.total() <= MOST_STATEMENTS
    assert few == many, "also where everybody's gone people are looked for: nobody is gone"


def idle(root: Path, syncs: int) -> Asked:
    world = small_world(root, syncs, "people")
    with asked(world) as (found, services):
        outcomes = world.run(1, services=services)
    assert not outcomes
    return found


def test_an_idle_window_takes_the_same_statements_for_any_number_of_syncs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # As if a statement took no more than a few: with 10,000 syncs none is said piece by piece.
    monkeypatch.setattr(chunks, "__defaults__", (FEW // 2,))
    few = idle(tmp_path / "few", FEW).statements
    assert few == idle(tmp_path / "many", MANY).statements
    assert len(few) <= MOST_IDLE_STATEMENTS


def test_an_idle_window_encodes_nothing_and_claims_nothing_d6(tmp_path: Path):
    world = small_world(tmp_path / "world", FEW, "people")
    with opened_below(Path(world.source_uri)) as opened, asked(world) as (found, services):
        world.run(1, services=services)

    assert not data_files(opened)
    assert not found.reads
    assert not {"spool.folder", "plans.open", "plans.seal", "plans.advance"} & {*found.effects}
    assert not [text for text in found.statements if "UPDATE leases" in text]
    states = world.ledger.registry.states(["people"])
    assert [state.position.at for state in states if state.position] == [window(1).end] * FEW


def test_whose_files_lie_in_their_buckets_is_told_before_the_commit_without_states(tmp_path: Path):
    world = small_world(tmp_path, FEW, "people", 5, "people")
    fill(world, "people", FEW, range(3, 7), window=1)
    world.now = window(1).end
    run_export(world.services, "people", window(1), Scope(None, Lane.ALL))

    with asked(world) as (found, services):
        report = delivery_of(services.ledger, "people", window(1))

    states = world.ledger.registry.states(["people"])
    assert all(state.open_plan for state in states), "nothing is committed yet"
    assert report == delivery_report("people", window(1), states, {})
    assert len(report.delivered) == FEW
    selects = [text for text in found.statements if text.startswith("SELECT")]
    assert len(selects) == 3, "how far their files go, all syncs, and errors"


def test_who_was_served_is_told_by_positions_alone_o1(tmp_path: Path):
    world = small_world(tmp_path, FEW, "people", 5, "people")
    world.run(1, "people")

    with asked(world) as (found, services):
        report = delivery_of(services.ledger, "people", window(1))
        earlier = delivery_of(services.ledger, "people", window(0))

    assert len(report.delivered) == len(earlier.empty_or_covered) == FEW
    asked_for = [text for text in found.statements if text.startswith("SELECT")]
    assert len(asked_for) == 2 * 3, "how far their files go, all syncs, and errors"
    assert not [text for text in asked_for if "plans.fingerprint" in text], "no plan is read"
    late = delivery_of(world.ledger, "people", window(2))
    states = world.ledger.registry.states(["people"])
    assert late == delivery_report("people", window(2), states, {})
    assert len(late.late) == FEW
