"""D6, D10: the whole product on tables in PostgreSQL."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline_tests.calls.steps import call_row, calls_sync, commit, names, paths
from cio_pipeline_tests.calls.steps import run as run_calls
from cio_pipeline_tests.crashes import Fuse
from cio_pipeline_tests.faults.prepared import end_state, prepare, require_whole
from cio_pipeline_tests.messages.test_sending import (
    test_messages_with_equal_keys_are_put_in_their_order_and_told,
)
from cio_pipeline_tests.pipeline.test_crash_points import run, sync_nothing, whole_run
from cio_pipeline_tests.pipeline.test_slices import (
    test_d5_slices_send_all_rows_once_under_contiguous_parts,
)
from cio_pipeline_tests.recovery.test_rebuild import (
    test_d10_syncs_at_different_positions_are_rebuilt_together,
)
from cio_pipeline_tests.sources.postgres.databases import Made
from cio_pipeline_tests.world import NOON, World

# Run once more, on tables in PostgreSQL; others are in `test_again`.
__all__ = [
    "test_d5_slices_send_all_rows_once_under_contiguous_parts",
    "test_d10_syncs_at_different_positions_are_rebuilt_together",
    "test_messages_with_equal_keys_are_put_in_their_order_and_told",
]


@pytest.mark.slow
@pytest.mark.parametrize("export", ["people", "attributes", "deliveries"])
def test_d6_a_crash_at_any_effect_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, product: Made, export: str
) -> None:
    """And what is encoded again is what was sealed, though the tables have gone on since."""
    sync_nothing(monkeypatch)
    prepared = prepare(World(tmp_path / "prepared", database=product), export)
    undisturbed = prepared.copy(tmp_path / "undisturbed")
    numbers = whole_run(undisturbed, export)
    expected = end_state(undisturbed, export)
    for at in numbers:
        world = prepared.copy(tmp_path / str(at))
        fuse = Fuse(at)
        assert not run(world, export, fuse, "first")
        world.now += TTL + timedelta(seconds=1)
        shutil.rmtree(world.root / "spool", ignore_errors=True)

        assert run(world, export, Fuse(), "second")

        try:
            assert end_state(world, export) == expected
            require_whole(world)
        except AssertionError as error:
            raise AssertionError(f"died before effect {at}, {fuse.names[-1]}") from error
        world.ledger.close()
        shutil.rmtree(world.root)


@pytest.mark.slow
@pytest.mark.parametrize("export", ["people", "deliveries", "events"])
def test_d10_what_was_sealed_comes_out_again_though_the_table_went_on(
    tmp_path: Path, product: Made, export: str
) -> None:
    """A run dies before its first put, the spool is lost, all rows change; and a restore later."""
    prepared = prepare(World(tmp_path / "prepared", database=product), export)
    whole, table = Fuse(), EXPORTS[export].source
    assert run(prepared.copy(tmp_path / "whole"), export, whole, "whole")
    world = prepared.copy(tmp_path / "died")
    fuse = Fuse(whole.names.index("destination.put") + 1)
    assert not run(world, export, fuse, "first")
    world.now += TTL + timedelta(seconds=1)
    product.do(
        f"UPDATE {table} SET internal_customer_id = internal_customer_id || '-other'",  # noqa: S608
        f"DELETE FROM {table} WHERE workspace_id = 2",  # noqa: S608 - our own names
        f"VACUUM FULL {table}",
    )
    shutil.rmtree(world.root / "spool", ignore_errors=True)

    assert run(world, export, Fuse(), "second")

    require_whole(world)
    before = end_state(world, export)["a"]
    for path in world.folder().glob("*.parquet"):
        path.unlink()
    assert not [one.error for one in restore(world.services, None) if one.error]
    assert end_state(world, export)["a"] == before


def test_c1_what_came_after_a_sync_was_registered_is_sent_by_its_first_run(
    tmp_path: Path, product: Made
) -> None:
    """A position of before cannot be taken later: it is taken when the sync is registered."""
    world = World(tmp_path, database=product)
    commit(world, call_row("track", {"event": "before"}), at=NOON)
    calls_sync(world)
    commit(world, call_row("track", {"event": "a"}), at=NOON)
    run_calls(world, 0)
    assert names(world) == ["2184.13699.1.track.json"]
    assert "before" not in paths(world, "track")[0].read_text()
