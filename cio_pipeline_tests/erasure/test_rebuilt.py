"""A ledger that was lost and rebuilt honours erasures: receipts, later files, replays (D4, D10)."""

from sqlalchemy import update

from cio_pipeline.ledger.schema import plans
from cio_pipeline.pipeline.erasure.receipt import check_receipt
from cio_pipeline.pipeline.recovery.catch_up import rebuild
from cio_pipeline_tests.erasure.test_erase import erased, sent, world
from cio_pipeline_tests.lifecycle.gone import STAYING, change, names, run, write
from cio_pipeline_tests.recovery.loss import without_ledger
from cio_pipeline_tests.world import World

__all__ = ["sent", "world"]


def rebuilt(world: World) -> World:
    syncs = [world.ledger.registry.get(one).sync for one in ("a", "b", "c")]
    again = without_ledger(world)
    rebuild(again.services, syncs)
    return again


def test_d4_whoever_was_erased_stays_so_after_a_rebuild(world: World) -> None:
    receipt = erased(world)
    again = rebuilt(world)
    assert {one.state for one in check_receipt(again.services, receipt)} == {"erased"}
    change(again, 3)
    write(again, 3, "new")
    run(again, 3)
    assert names(again, "leaving") == {}
    assert names(again, STAYING)
    assert all(again.verify(one).ok for one in ("a", "b", "c"))
    assert {one.state for one in check_receipt(again.services, receipt)} == {"erased"}


def test_d4_who_is_erased_again_after_a_rebuild_is_told_that_nothing_is_left(
    world: World,
) -> None:
    first = erased(world)
    again = rebuilt(world)
    before = again.manifests("a")
    second = erased(again)
    assert (second.subject, second.complete, second.files) == (first.subject, True, ())
    assert again.manifests("a") == before


def test_d4_files_of_a_contract_that_was_lost_with_the_ledger_are_erased_and_it_is_told(
    world: World,
) -> None:
    lost = update(plans).where(plans.c.sync_id == "a").values(contract="0123456789abcdef")
    world.ledger.database.write(lambda connection: connection.execute(lost))

    receipt = erased(world)

    assert names(world, "leaving") == {}
    assert any("lacks the data contract 0123456789abcdef" in one for one in receipt.notes)
