"""D10: a ledger that was lost is rebuilt from bucket and manifests."""

import pytest
from deltalake import DeltaTable

from cio_pipeline.model.errors import LedgerError, ManifestBroken
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.lifecycle.switches import switch_exports
from cio_pipeline.pipeline.recovery.catch_up import rebuild
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline_tests.crashes import Crash, watched
from cio_pipeline_tests.recovery.loss import (
    EXPORTS,
    DieBefore,
    change,
    each_row_once,
    go_on,
    without_ledger,
)
from cio_pipeline_tests.world import World, during, window


def stand(world: World) -> dict[str, object]:
    states = world.ledger.registry.states(EXPORTS)
    return {s.export: (s.position, s.next_sequence, s.switch.enabled) for s in states}


def test_d10_a_lost_ledger_is_rebuilt_and_the_next_windows_go_on(world: World) -> None:
    sync = world.sync()
    go_on(world, range(3))
    before = stand(world)
    world = without_ledger(world)

    (told,) = rebuild(world.services, [sync])

    assert (told.manifests, told.void, told.error) == (3, 0, None)
    assert stand(world) == before
    go_on(world, range(3, 5))
    each_row_once(world, 5)
    assert len(world.manifests()) == 5
    assert not world.verify().warnings


def test_d10_unmanifested_files_stay_and_their_numbers_become_void(world: World) -> None:
    sync = world.sync()
    go_on(world, range(2))
    change(world, 2)
    world.now = window(2).end
    for export in EXPORTS:
        run_export(world.services, export, window(2), Scope())
    unlisted = set(world.names())
    world = without_ledger(world)

    (told,) = rebuild(world.services, [sync])

    assert told.void == 4  # people, its chngs, events, metrics
    go_on(world, [3])
    each_row_once(world, 4)
    assert unlisted <= set(world.names())
    assert len(world.verify().warnings) == 4


def test_d10_numbers_beyond_a_hole_in_the_bucket_are_void_too(world: World) -> None:
    sync = world.sync()
    go_on(world, range(2))
    (world.folder() / "events_v5_1_5.parquet").write_bytes(b"put by a run that was lost")
    (world.folder() / "events_v5_1_999999999999.parquet").write_bytes(b"put by somebody else")
    world = without_ledger(world)

    assert rebuild(world.services, [sync])[0].void == 3

    go_on(world, [2])
    assert "events_v5_1_6.parquet" in world.names()
    (world.folder() / "events_v5_1_999999999999.parquet").unlink()  # verify would name it
    each_row_once(world, 3)


def test_d6_a_late_commit_is_not_lost_with_the_ledger(world: World) -> None:
    """The manifest tells the exact version: by its time the late commit belongs to window 0."""
    sync = world.sync()
    go_on(world, [0])
    world.commit("events", {"event_id": "e1", "processed_at": during(0)}, at=during(0, 6))
    world = without_ledger(world)
    rebuild(world.services, [sync])
    world.commit("people", {"internal_customer_id": "p1"}, at=during(1))
    world.commit("metrics", {"event_id": "m1"}, at=during(1))
    world.commit(
        "people",
        {"internal_customer_id": "p0", "email": "1@x.example", "updated_at": during(1)},
        at=during(1),
    )
    world.run(1, *EXPORTS)
    each_row_once(world, 2)


def test_d7_what_was_paused_stays_paused_and_catches_up_later(world: World) -> None:
    sync = world.sync()
    go_on(world, range(2))
    switch_exports(world.ledger.registry, "a", ["people"], during(2, 0), on=False)
    go_on(world, range(2, 4))
    world = without_ledger(world)

    rebuild(world.services, [sync])

    go_on(world, [4])
    assert "p4" not in world.read("people")["internal_customer_id"]
    switch_exports(world.ledger.registry, "a", ["people"], during(5, 0), on=True)
    go_on(world, [5])
    each_row_once(world, 6)


def test_d10_syncs_at_different_positions_are_rebuilt_together(world: World) -> None:
    syncs = [world.sync("a"), world.sync("b")]
    go_on(world, [0])
    go_on(world, [1, 2], ["a"])
    world = without_ledger(world)

    told = rebuild(world.services, syncs)

    assert [one.up_to for one in told] == [None, None]  # 12 exports never ran
    go_on(world, [3])
    each_row_once(world, 4, "a")
    each_row_once(world, 4, "b")


def test_d10_a_sync_that_was_never_served_starts_with_all_history(world: World) -> None:
    sync = world.sync()
    world = without_ledger(world)
    world.now = during(0)
    rebuild(world.services, [sync])
    go_on(world, [0])
    each_row_once(world, 1)


def test_d10_a_ledger_that_is_not_empty_is_refused(world: World) -> None:
    sync = world.sync()
    with pytest.raises(LedgerError, match="not empty"):
        rebuild(world.services, [sync])


def test_d10_a_broken_chain_is_refused_and_nothing_is_stored(world: World) -> None:
    syncs = [world.sync("a"), world.sync("b")]
    go_on(world, range(3))
    (world.folder("b") / "_cio" / "2.manifest").unlink()
    world = without_ledger(world)
    with pytest.raises(ManifestBroken, match="'b'"):
        rebuild(world.services, syncs)
    assert not world.ledger.registry.all()


def test_d10_files_without_manifests_are_refused(world: World) -> None:
    sync = world.sync(manifest=False)
    go_on(world, [0])
    world = without_ledger(world)
    with pytest.raises(ManifestBroken, match="no manifest"):
        rebuild(world.services, [sync])


def test_d10_the_bucket_of_another_sync_is_refused(world: World) -> None:
    world.sync("a")
    go_on(world, [0])
    world = without_ledger(world)
    other = world.sync("b", destination={"type": "local", "path": "bucket/a"})
    world = without_ledger(world)
    with pytest.raises(ManifestBroken, match="of sync 'a'"):
        rebuild(world.services, [other])


def test_d10_lost_and_altered_files_do_not_keep_a_ledger_from_being_rebuilt(world: World) -> None:
    sync = world.sync()
    go_on(world, range(2))
    (world.folder() / "events_v5_1_1.parquet").unlink()
    (world.folder() / "events_v5_1_2.parquet").write_bytes(b"x")
    world = without_ledger(world)
    assert rebuild(world.services, [sync])[0].error is None


def test_d10_a_rebuild_that_died_at_any_effect_is_run_again(world: World) -> None:
    sync = world.sync()
    go_on(world, range(2))
    world = without_ledger(world)
    for effect in ("cuts.store", "recovery.rebuild"):
        with pytest.raises(Crash):
            rebuild(watched(world.services, DieBefore(effect), "dying"), [sync])
        assert not world.ledger.registry.all()
    rebuild(world.services, [sync])
    go_on(world, [2])
    each_row_once(world, 3)


def test_d10_cuts_that_the_log_no_longer_tells_do_not_matter(world: World) -> None:
    """Only the last position must be known; older files can then not be encoded again."""
    sync = world.sync()
    go_on(world, range(4))
    for table in ("people", "events", "metrics"):
        delta = DeltaTable(f"{world.source_uri}/{table}")
        delta.create_checkpoint()
        log = world.root / "source" / table / "_delta_log"
        for version in range(3):
            (log / f"{version:020}.json").unlink()
    world = without_ledger(world)
    assert rebuild(world.services, [sync])[0].error is None
    go_on(world, [4])
    each_row_once(world, 5)
