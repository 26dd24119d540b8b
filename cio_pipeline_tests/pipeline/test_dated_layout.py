"""D9: `layout: dated` puts files under their stem and the day that their window ended."""

from pathlib import Path

import pytest

from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.recovery.abandon import abandon
from cio_pipeline.pipeline.recovery.catch_up import rebuild
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.verification.report import ProblemKind
from cio_pipeline_tests.crashes import Crash, watched
from cio_pipeline_tests.recovery.loss import (
    DieAfter,
    change,
    each_row_once,
    go_on,
    without_ledger,
)
from cio_pipeline_tests.world import World, window

LAST_OF_THE_DAY = 47
"""The window that ends at midnight: its files are of the day that begins."""


def keys(world: World) -> list[str]:
    folder = world.folder()
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.parquet"))


def test_d9_every_kind_of_file_lies_under_its_stem_and_the_day_of_its_windows_end(
    world: World,
) -> None:
    world.sync(layout="dated")
    go_on(world, [0, 1, LAST_OF_THE_DAY])

    assert keys(world) == [
        "events/dt=2026-03-01/events_v5_1_1.parquet",
        "events/dt=2026-03-01/events_v5_1_2.parquet",
        "events/dt=2026-03-02/events_v5_1_3.parquet",
        "metrics/dt=2026-03-01/metrics_v5_1_1_1.parquet",
        "metrics/dt=2026-03-01/metrics_v5_1_2.parquet",
        "metrics/dt=2026-03-02/metrics_v5_1_3.parquet",
        "people/dt=2026-03-01/people_v5_1_1.parquet",
        "people/dt=2026-03-01/people_v5_1_2.parquet",
        "people/dt=2026-03-01/people_v5_chngs_1_1.parquet",
        "people/dt=2026-03-02/people_v5_1_3.parquet",
        "people/dt=2026-03-02/people_v5_chngs_1_2.parquet",
    ]
    report = world.verify()
    assert report.ok
    assert not report.warnings
    assert report.files == 11


def test_d9_a_file_in_the_folder_of_another_day_is_named(world: World) -> None:
    world.sync(layout="dated")
    go_on(world, [0])
    lies = world.folder() / "people/dt=2026-03-01/people_v5_1_1.parquet"
    other = world.folder() / "people/dt=2026-03-02/people_v5_1_2.parquet"
    other.parent.mkdir()
    other.write_bytes(lies.read_bytes() + b" ")
    lies.rename(lies.parent.parent / lies.name)

    kinds = {(one.kind, one.key.rpartition("/")[0]) for one in world.verify().problems}

    assert kinds == {(ProblemKind.MISSING, "people/dt=2026-03-01"), (ProblemKind.DOUBLED, "people")}


def test_d9_d10_files_are_restored_into_their_folders(world: World) -> None:
    world.sync(layout="dated")
    go_on(world, range(2))
    before = keys(world)
    for key in before[::2]:
        (world.folder() / key).unlink()
    assert [one.error for one in restore(world.services)] == [None] * len(before[::2])
    assert keys(world) == before
    each_row_once(world, 2)


def test_d9_d10_a_lost_ledger_goes_on_in_the_same_layout(world: World) -> None:
    sync = world.sync(layout="dated")
    go_on(world, range(2))
    again = without_ledger(world)
    rebuild(again.services, [sync])
    go_on(again, [2])
    each_row_once(again, 3)
    assert "people/dt=2026-03-01/people_v5_1_3.parquet" in keys(again)


@pytest.mark.parametrize("then", ["given up", "resumed"])
def test_d9_a_plan_under_way_is_given_up_or_resumed_where_its_files_lie(
    world: World, then: str
) -> None:
    world.sync(layout="dated")
    go_on(world, range(2))
    change(world, 2)
    world.now = window(2).end
    dying = watched(world.services, DieAfter("destination.put"), "dying")
    with pytest.raises(Crash):
        run_export(dying, "people", window(2), Scope())
    world.now += 2 * TTL
    assert [one.kind for one in world.verify().warnings] == [ProblemKind.UNLISTED]

    if then == "given up":
        found = abandon(world.services, "a", "people")
        assert all(Path(key).parent == Path("people/dt=2026-03-01") for key in found.removed)
        assert len(found.removed) == 1
    go_on(world, [3])

    each_row_once(world, 4)
    assert not world.verify().warnings
