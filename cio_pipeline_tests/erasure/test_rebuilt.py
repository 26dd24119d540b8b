"""A ledger that was lost and rebuilt honours erasures: receipts, later files, replays (D4, D10)."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from sqlalchemy import update

from cio_pipeline.ledger.schema import plans
from cio_pipeline.pipeline.erasure.receipt import check_receipt
from cio_pipeline.pipeline.recovery.catch_up import catch_up, rebuild
from cio_pipeline_tests.erasure.test_erase import erased, sent, world
from cio_pipeline_tests.lifecycle.gone import (
    EVERYBODY,
    STAYING,
    change,
    names,
    person,
    row,
    run,
    write,
)
from cio_pipeline_tests.recovery.loss import backed_up, restored, without_ledger
from cio_pipeline_tests.world import World, during

__all__ = ["sent", "world"]


def rebuilt(world: World, ids: Iterable[str] = "abc") -> World:
    syncs = [world.ledger.registry.get(one).sync for one in ids]
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


@pytest.mark.parametrize(("order", "way"), [("ab", "rebuilt"), ("ba", "set back")])
def test_d4_syncs_whose_files_never_named_who_was_erased_do_not_begin_to_after_a_loss(
    tmp_path: Path, order: str, way: str
) -> None:
    """Nor exports that had no file so far."""
    world, tables = World(tmp_path / "world"), ("people", "events", "inbound", "subjects")
    exports = {"a": ["people", "events"], "b": ["events", "inbound", "subjects"]}
    world.commit("people", *(person(name, 0) for name in EVERYBODY), at=during(0))
    for table in ("events", "inbound"):
        world.commit(table, row(table, STAYING, "old", 0), at=during(0))
    for number, one in enumerate(order):
        world.sync(one, 1, version=5, exports=exports[one], at=during(number))
        world.run(number, *tables)
    world.commit("people", person("leaving", 2, deleted=True), at=during(2))
    world.run(2, *tables)
    copy = backed_up(world)
    erased(world)

    again = rebuilt(world, "ab") if way == "rebuilt" else restored(world, copy)
    if way == "set back":
        assert not [one.error for one in catch_up(again.services) if one.error]
    _b_says_later(again, tables)


@pytest.mark.parametrize(("away", "moved"), [(True, True), (False, False)])
def test_d4_nor_where_the_sync_that_was_rewritten_does_not_catch_up_with_them(
    tmp_path: Path, *, away: bool, moved: bool
) -> None:
    """Its bucket is away, or nobody asks for it; theirs has manifests since the backup, or none."""
    world, tables = World(tmp_path / "world"), ("people", "events", "inbound", "subjects")
    world.commit("people", *(person(name, 0) for name in EVERYBODY), at=during(0))
    for table in ("events", "inbound"):
        world.commit(table, row(table, STAYING, "old", 0), at=during(0))
    world.sync("a", 1, version=5, exports=["people"], at=during(0))
    world.sync("b", 1, version=5, exports=["events", "inbound", "subjects"], at=during(0))
    world.run(0, *tables)
    copy = backed_up(world)
    world.commit("people", person("leaving", 2, deleted=True), at=during(2))
    if moved:
        world.commit("events", row("events", STAYING, "new", 2), at=during(2))
    world.run(2, *tables)
    erased(world)

    again = restored(world, copy)
    if away:
        again.folder("a").rename(tmp_path / "away")
    done = {one.sync_id: one.error for one in catch_up(again.services, None if away else ["b"])}
    assert (done["b"], "a" in done) == (None, away)
    _b_says_later(again, tables)


def _b_says_later(again: World, tables: Iterable[str]) -> None:
    """Rows about who was erased come late, and `b` sends them."""
    for table in (one for one in tables if one != "people"):
        again.commit(table, row(table, "leaving", "late", 3), at=during(3))
    again.run(3, *tables)

    assert again.read("inbound", "b").height > 1
    assert names(again, "leaving") == {}
