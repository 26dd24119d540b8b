"""Initial exports in slices, some of which were delivered when the ledger was lost."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.plans import Mode
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.lifecycle.disable import disable, enable
from cio_pipeline.pipeline.lifecycle.order import Order, Report
from cio_pipeline.pipeline.lifecycle.purge import purge, recreate
from cio_pipeline.pipeline.recovery.abandon import abandon
from cio_pipeline.pipeline.recovery.catch_up import catch_up, rebuild
from cio_pipeline.pipeline.recovery.reconcile import Asked, reconcile
from cio_pipeline.pipeline.recovery.replay import Wanted, replay
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.pipeline.services import Services
from cio_pipeline_tests.crashes import Crash, watched
from cio_pipeline_tests.messages.sending import commit_messages, row
from cio_pipeline_tests.recovery.loss import DieAfter, backed_up, listed, restored, without_ledger
from cio_pipeline_tests.world import NOON, World, during, window

EXPORTS = ("people", "metrics")
ROWS = 7


def order(world: World, sync: Sync) -> Order:
    return Order(sync.id, world.now, "somebody", sure=True)


def in_slices(world: World) -> World:
    world.services = replace(world.services, slice_rows=2)
    return world


def history(world: World) -> Sync:
    """A sync, and seven people and metrics in its source."""
    sync = world.sync()
    people = [{"internal_customer_id": f"p{number}"} for number in range(ROWS)]
    metrics = [{"event_id": f"m{number}"} for number in range(ROWS)]
    world.commit("people", *people, at=during(0))
    world.commit("metrics", *metrics, at=during(0))
    world.now = window(0).end
    return sync


def one_slice(world: World, export: str) -> None:
    """Deliver one more slice: the run dies once it is committed."""
    services = watched(world.services, DieAfter("plans.commit"), "dying")
    with pytest.raises(Crash):
        run_export(services, export, window(0), Scope())


def begin(world: World, slices: int = 1) -> None:
    """Deliver and list some more slices of both exports."""
    for export in EXPORTS:
        for _ in range(slices):
            one_slice(world, export)
            world.now += TTL + timedelta(seconds=1)
    commit_window(world.services, window(0))


def finish(world: World) -> None:
    """Window 1: the rest of the history, and one more of each; every row is listed once."""
    world.commit("people", {"internal_customer_id": f"p{ROWS}"}, at=during(1))
    world.commit("metrics", {"event_id": f"m{ROWS}"}, at=during(1))
    world.now = max(world.now, window(1).end)
    for number in (0, 1, 1):
        world.run(number, *EXPORTS)
    people = listed(world, "people")["internal_customer_id"].to_list()
    assert sorted(people) == [f"p{number}" for number in range(ROWS + 1)]
    metrics = listed(world, "metrics")["event_id"].to_list()
    assert sorted(metrics) == [f"m{number}" for number in range(ROWS + 1)]
    report = world.verify()
    assert report.ok, report


def test_d10_a_rebuilt_ledger_goes_on_at_the_next_slice(world: World) -> None:
    sync = history(in_slices(world))
    begin(world)
    plans = [state.open_plan for state in world.ledger.registry.states(EXPORTS)]
    world = in_slices(without_ledger(world))

    (told,) = rebuild(world.services, [sync])

    assert (told.void, told.up_to) == (0, None)
    rebuilt = [state.open_plan for state in world.ledger.registry.states(EXPORTS)]
    for old, new in zip(plans, rebuilt, strict=True):
        assert old is not None
        assert new == replace(old, plan_id=new.plan_id if new else 0)
    finish(world)


def test_d10_a_window_that_was_sent_in_slices_is_one_window_after_a_rebuild(world: World) -> None:
    """Also for who recounts it, or sends it again: each slice has a manifest of its own."""
    sync = history(in_slices(world))
    world.run(0, *EXPORTS)
    world.commit("metrics", *({"event_id": f"n{number}"} for number in range(ROWS)), at=during(1))
    for _ in range(2):
        world.run(1, *EXPORTS)
    assert len(world.manifests()) > len(EXPORTS) + 1
    world = without_ledger(world)
    rebuild(world.services, [sync])
    day = Asked(NOON - timedelta(hours=12), NOON + timedelta(hours=12))

    assert reconcile(world.services, day) == []
    (done,) = replay(world.services, Wanted(sync.id, window(0).end, window(1).end))

    assert (done.outcome.rows, done.outcome.error) == (ROWS, None)
    assert reconcile(world.services, day) == []
    assert world.verify().ok


def test_d10_a_slice_that_no_manifest_lists_is_delivered_under_its_own_numbers(
    world: World,
) -> None:
    sync = history(in_slices(world))
    begin(world)
    one_slice(world, "people")
    world = in_slices(without_ledger(world))
    assert rebuild(world.services, [sync])[0].void == 0
    finish(world)
    assert not world.verify().warnings


@pytest.mark.parametrize("verbs", [(recreate,), (disable, enable), (disable, purge, enable)])
def test_d7_d10_what_a_lost_ledger_put_is_in_the_way_of_nobody_who_starts_over(
    world: World, verbs: tuple[Callable[[Services, Order], Report], ...]
) -> None:
    """The slice under way is given up: no manifest lists its files, and their rows are others."""
    sync = history(in_slices(world))
    begin(world)
    for export in EXPORTS:
        one_slice(world, export)
    world = in_slices(without_ledger(world))
    rebuild(world.services, [sync])
    world.commit("people", {"internal_customer_id": "p0", "email_addr": "x@y.z"}, at=during(1))
    world.now = window(1).end + TTL

    notes = [note for verb in verbs for note in verb(world.services, order(world, sync)).notes]

    left = ["metrics_v5_1_1_2.parquet", "people_v5_1_2.parquet"]
    for key in left:
        assert any(note.startswith(f"{key} was left in the bucket: ") for note in notes), notes
    world.now = window(2).end
    assert not [one.error for one in world.run(2, *EXPORTS) if one.error]
    assert {problem.key for problem in world.verify().problems} <= {*left}
    for key in left:
        (world.root / "bucket" / sync.id / key).unlink()
    report = world.verify()
    assert (report.problems, report.warnings) == ((), ())
    now = world.ledger.registry.get(sync.id).generation
    for export in EXPORTS:
        files = world.ledger.manifests.files(sync.id, now)
        assert sum(file.rows for file in files if file.export == export) == ROWS


@pytest.mark.parametrize("later", [0, 1, 2])
def test_d10_a_backup_made_between_slices_catches_up(world: World, later: int) -> None:
    history(in_slices(world))
    begin(world)
    backup = backed_up(world)
    if later:
        begin(world, later)
    world = in_slices(restored(world, backup))
    (told,) = catch_up(world.services)
    assert (told.error, told.void) == (None, 0)
    finish(world)


def test_d10_a_backup_made_between_slices_catches_up_when_all_were_sent(world: World) -> None:
    history(in_slices(world))
    begin(world)
    backup = backed_up(world)
    world.run(0, *EXPORTS)
    world = in_slices(restored(world, backup))
    (told,) = catch_up(world.services)
    assert (told.error, told.void) == (None, 0)
    assert {state.open_plan for state in world.ledger.registry.states(EXPORTS)} == {None}
    finish(world)


def test_d10_files_of_slices_are_restored(world: World) -> None:
    history(in_slices(world))
    begin(world, 2)
    before = {path.name: path.read_bytes() for path in world.folder().glob("*.parquet")}
    assert len(before) == 4
    for path in world.folder().glob("*.parquet"):
        path.unlink()
    assert {one.error for one in restore(world.services)} == {None}
    assert {path.name: path.read_bytes() for path in world.folder().glob("*.parquet")} == before
    finish(world)


def test_d6_an_initial_export_that_delivered_slices_cannot_be_abandoned(world: World) -> None:
    history(in_slices(world))
    begin(world)
    with pytest.raises(InvalidConfig, match="sent twice"):
        abandon(world.services, "a", "people")
    finish(world)


def test_d10_changes_in_slices_go_on_after_the_ledger_was_lost(world: World) -> None:
    sync = history(in_slices(world))
    world.run(0, *EXPORTS)
    more = [{"event_id": f"m{number}"} for number in range(ROWS, 2 * ROWS)]
    world.commit("metrics", *more, at=during(1))
    world.now = window(1).end
    old = None
    while old is None or not old.sent.files:
        dying = watched(world.services, DieAfter("plans.commit"), "dying")
        with pytest.raises(Crash):
            run_export(dying, "metrics", window(1), Scope())
        world.now += TTL + timedelta(seconds=1)
        (old,) = [state.open_plan for state in world.ledger.registry.states(["metrics"])]
    commit_window(world.services, window(1))
    assert (old.mode, old.slice < old.slices) == (Mode.CHANGES, True)
    world = in_slices(without_ledger(world))

    assert rebuild(world.services, [sync])[0].void == 0

    (new,) = [state.open_plan for state in world.ledger.registry.states(["metrics"])]
    assert new == replace(old, plan_id=new.plan_id if new else 0)
    world.run(1, *EXPORTS)
    metrics = listed(world, "metrics")["event_id"].to_list()
    assert sorted(metrics) == sorted(f"m{number}" for number in range(2 * ROWS))
    assert world.verify().ok
    assert not world.verify().warnings


@pytest.mark.parametrize("committed", [1, 2])
def test_d10_changes_in_slices_go_on_from_a_position_that_no_manifest_told(
    world: World, committed: int
) -> None:
    """Nothing came in window 1. A commit that names a time in it, but came later, is a change."""
    sync = history(in_slices(world))
    world.run(0, *EXPORTS)
    world.run(1, *EXPORTS)
    more = [{"event_id": f"m{number}"} for number in range(ROWS, 2 * ROWS)]
    world.commit("metrics", *more, at=during(committed))
    world.now = window(2).end
    old = None
    while old is None or not old.sent.files:
        dying = watched(world.services, DieAfter("plans.commit"), "dying")
        with pytest.raises(Crash):
            run_export(dying, "metrics", window(2), Scope())
        world.now += TTL + timedelta(seconds=1)
        (old,) = [state.open_plan for state in world.ledger.registry.states(["metrics"])]
    commit_window(world.services, window(2))
    world = in_slices(without_ledger(world))

    rebuild(world.services, [sync])

    (new,) = [state.open_plan for state in world.ledger.registry.states(["metrics"])]
    world.run(2, *EXPORTS)
    metrics = listed(world, "metrics")["event_id"].to_list()
    assert sorted(metrics) == sorted(f"m{number}" for number in range(2 * ROWS))
    assert new == replace(old, plan_id=new.plan_id if new else 0)
    assert world.verify().ok


def test_d10_a_late_first_window_in_slices_goes_on_after_the_ledger_was_lost(world: World) -> None:
    """M1: where messages began stands in no file, if several windows are sent as one."""
    sync = in_slices(world).sync(feed="messages")
    for number in range(3):
        ids = [f"m{number}-{one}" for one in range(2)]
        commit_messages(world, *(row(one) for one in ids), at=during(number))
    world.now = window(2).end
    dying = watched(world.services, DieAfter("plans.commit"), "dying")
    with pytest.raises(Crash):
        run_export(dying, "messages", window(2), Scope())
    world.now += TTL + timedelta(seconds=1)
    (old,) = [state.open_plan for state in world.ledger.registry.states(["messages"])]
    assert old is not None
    assert 0 < old.slice < old.slices
    commit_window(world.services, window(2))
    world = in_slices(without_ledger(world))

    assert rebuild(world.services, [sync])[0].void == 0

    (new,) = [state.open_plan for state in world.ledger.registry.states(["messages"])]
    assert new is not None
    assert (new.lower, new.slice, new.slices) == (old.lower, old.slice, old.slices)
    world.run(2, "messages")
    assert [file.sequence for file in world.ledger.manifests.files("a")] == list(range(1, 7))
    assert world.verify().ok


def test_d10_history_that_came_late_goes_on_after_the_ledger_was_lost(world: World) -> None:
    """D4: its table was not there in the first window, so its export has a position."""
    sync = in_slices(world).sync()
    world.commit("people", {"internal_customer_id": "p0"}, at=during(0))
    table, away = world.root / "source" / "metrics", world.root / "away"
    table.rename(away)
    world.run(0, *EXPORTS)
    away.rename(table)
    metrics = [f"m{number}" for number in range(ROWS)]
    world.commit("metrics", *({"event_id": one} for one in metrics), at=during(1))
    world.now = window(1).end
    dying = watched(world.services, DieAfter("plans.commit"), "dying")
    with pytest.raises(Crash):
        run_export(dying, "metrics", window(1), Scope())
    world.now += TTL + timedelta(seconds=1)
    (old,) = [state.open_plan for state in world.ledger.registry.states(["metrics"])]
    assert old is not None
    assert (old.mode, old.lower is None, old.slice) == (Mode.INITIAL, False, 1)
    commit_window(world.services, window(1))
    world = in_slices(without_ledger(world))

    assert rebuild(world.services, [sync])[0].void == 0

    (new,) = [state.open_plan for state in world.ledger.registry.states(["metrics"])]
    assert new is not None
    assert new.lower is not None
    # Here the table is older than it was said to be.
    assert new == replace(old, plan_id=new.plan_id, lower=new.lower)
    assert new.lower.at == window(0).end
    world.run(1, *EXPORTS)
    assert sorted(listed(world, "metrics")["event_id"]) == metrics
    assert world.verify().ok
