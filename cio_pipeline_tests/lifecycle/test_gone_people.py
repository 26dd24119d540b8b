"""D4: whoever was gone before the first files of an export is named by no later file, while gone.

Every column of every file is searched for whatever tells who they are.
"""

from pathlib import Path
from unittest.mock import Mock

import pytest
from sqlalchemy import delete

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.ledger.schema import gone_people
from cio_pipeline.model.errors import VersionGone
from cio_pipeline.pipeline.lifecycle.purge import recreate
from cio_pipeline.pipeline.lifecycle.switches import pause, resume
from cio_pipeline.pipeline.planning import rows as anonymous
from cio_pipeline.pipeline.recovery.catch_up import rebuild
from cio_pipeline.pipeline.recovery.restore import restore
from cio_pipeline.pipeline.recovery.retry_quarantine import retry_quarantine
from cio_pipeline_tests.lifecycle.gone import (
    ABOUT_PEOPLE,
    EVERYBODY,
    GONE,
    LATER,
    STAYING,
    attribute,
    change,
    live,
    names,
    person,
    remove,
    row,
    run,
    told,
    update,
    write,
)
from cio_pipeline_tests.lifecycle.test_switches import apply
from cio_pipeline_tests.recovery.loss import without_ledger
from cio_pipeline_tests.world import World, during


@pytest.fixture(scope="module")
def first_files(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Some are gone, and both versions were sent their first files."""
    world = World(tmp_path_factory.mktemp("first") / "world")
    people = [person(name, 0, **GONE.get(name, {})) for name in EVERYBODY]
    world.commit("people", *people, at=during(0))
    write(world, 0, "old")
    world.sync("a", 1, version=5)
    world.sync("b", 1, version=4, timestamp_unit="ms")
    run(world, 0)
    return world


@pytest.fixture
def begun(first_files: World, tmp_path: Path) -> World:
    return first_files.copy(tmp_path / "world")


def test_d4_first_files_name_nobody_who_is_gone(begun: World) -> None:
    assert names(begun, *GONE) == {}
    assert begun.read("deliveries")["internal_customer_id"].drop_nulls().len() == 3


def test_d4_changed_rows_stay_anonymous(begun: World) -> None:
    change(begun, 1)
    run(begun, 1)
    assert names(begun, *GONE) == {}
    assert begun.read("deliveries").height == 2 * len(EVERYBODY)


def test_d4_new_rows_stay_anonymous(begun: World) -> None:
    write(begun, 1, "new")
    run(begun, 1)
    assert names(begun, *GONE) == {}
    for export in ABOUT_PEOPLE:
        assert begun.read(export).height == 2 * len(EVERYBODY), export
    assert begun.read("attributes").height == 2 * (len(EVERYBODY) - len(GONE))


def test_d4_a_change_of_somebody_gone_is_nobodys_news(begun: World) -> None:
    """Suppressed and then deleted, or edited: they were gone before and still are."""
    begun.commit(
        "people",
        person("suppressed", 1, suppressed=True, deleted=True),
        person("deleted", 1, deleted=True, id="own-cio-deleted-2"),
        at=during(1),
    )
    write(begun, 1, "new")
    run(begun, 1)
    assert names(begun, *GONE) == {}
    assert begun.read("people").height == len(EVERYBODY) - len(GONE)


def test_d4_rows_removed_from_people_leave_them_as_gone_as_they_were(begun: World) -> None:
    remove(begun, "people", "internal_customer_id = 'cio-deleted'", during(1))
    write(begun, 1, "new")
    run(begun, 1)
    assert names(begun, *GONE) == {}


@pytest.mark.parametrize("rows", [None, 2], ids=["whole", "in slices"])
def test_d4_who_was_removed_from_people_before_the_first_files_stays_anonymous(
    world: World, rows: int | None
) -> None:
    """Nothing but their rows tells of them; they are people again as soon as people knows them."""
    world.commit("people", person(STAYING, 0), person("removed", 0), at=during(-2))
    write(world, 0, "old", ("removed", STAYING))
    remove(world, "people", "internal_customer_id = 'cio-removed'", during(0))
    world.sync("a", 1)
    world.sync("b", 1, version=4)
    run(world, 0, world.as_run("run 1", slice_rows=rows))
    write(world, 1, "new", ("removed", STAYING))
    run(world, 1)
    assert names(world, "removed") == {}
    before = {path.name: path.read_bytes() for path in world.folder().glob("*.parquet")}
    for path in world.folder().glob("*.parquet"):
        path.unlink()
    assert not [one.error for one in restore(world.services) if one.error]
    assert {path.name: path.read_bytes() for path in world.folder().glob("*.parquet")} == before
    world.commit("people", person("removed", 2), at=during(2))
    write(world, 2, "back", ("removed",))
    run(world, 2)
    assert {export for export, _ in told(world, "a", "removed")} >= {"people", *ABOUT_PEOPLE}


def test_d4_catching_up_names_nobody_who_is_gone(begun: World) -> None:
    for sync_id in ("a", "b"):
        live(begun, pause, sync_id, during(1, 1))
    change(begun, 1)
    write(begun, 2, "new")
    begun.now = during(3)
    for sync_id in ("a", "b"):
        live(begun, resume, sync_id, during(3))
    run(begun, 3)
    assert begun.read("events").height == 2 * len(EVERYBODY)
    assert names(begun, *GONE) == {}


def test_d4_whoever_comes_back_is_a_person_again_and_may_go_again(begun: World) -> None:
    begun.commit("people", person("deleted", 1), at=during(1))
    run(begun, 1)
    write(begun, 2, "new", ("deleted", "suppressed"))
    run(begun, 2)
    named = names(begun, *GONE)
    assert set(named) == {("a", "deleted"), ("b", "deleted")}
    exports = {export for export, _ in named["a", "deleted"]}
    assert exports == {"people", "attributes", *ABOUT_PEOPLE}
    begun.commit("people", person("deleted", 3, deleted=True), at=during(3))
    run(begun, 3)
    last = begun.read("people").row(-1, named=True)
    assert (last["internal_customer_id"], last["deleted"]) == ("cio-deleted", True)


def test_d4_who_came_back_and_goes_again_takes_their_attributes_along(begun: World) -> None:
    """They were named in between, so readers need to be told of the removals too."""
    begun.commit("people", person("deleted", 1), at=during(1))
    write(begun, 1, "back", ("deleted",))
    run(begun, 1)
    begun.commit("people", person("deleted", 2, deleted=True), at=during(2))
    removed = {**attribute("deleted", 2), "attribute_value": None}
    begun.commit("attributes", removed, at=during(2))
    run(begun, 2)
    for sync_id in ("a", "b"):
        told_of = begun.read("attributes", sync_id).filter(internal_customer_id="cio-deleted")
        values = told_of["attribute_value"].to_list()
        assert values == ["deleted@x.example 1", ""], sync_id


def test_d4_who_leaves_later_was_known_before_and_is_named_in_rows_and_deletion(
    begun: World,
) -> None:
    gone = [person(name, 1, **fields) for name, fields in LATER.items()]
    begun.commit("people", *gone, at=during(1))
    run(begun, 1)
    write(begun, 2, "new", tuple(LATER))
    run(begun, 2)
    told_of = begun.read("people").filter(series="chngs")
    assert set(told_of["internal_customer_id"]) == {f"cio-{name}" for name in LATER}
    events = begun.read("events").filter(event_id="new-0")
    assert events["internal_customer_id"].to_list() == ["cio-leaving"]


def test_d4_an_export_that_is_turned_on_later_counts_from_its_own_first_files(
    world: World,
) -> None:
    world.commit("people", *(person(name, 0) for name in EVERYBODY), at=during(0))
    write(world, 0, "old")
    world.sync("a", 1, exports=("people", "deliveries"))
    world.sync("b", 1, version=4, exports=("people",))
    run(world, 0)
    world.commit("people", *(person(n, 1, **f) for n, f in GONE.items()), at=during(1))
    run(world, 1)
    apply(world, during(1, 8), exports=("people", "deliveries", "events"))
    run(world, 2)
    write(world, 3, "new")
    run(world, 3)
    for name in GONE:
        found = {export for export, _ in told(world, "a", name)}
        assert found == {"people", "deliveries"}


def test_d4_a_new_generation_counts_anew(begun: World) -> None:
    gone = [person(name, 1, **fields) for name, fields in LATER.items()]
    begun.commit("people", *gone, at=during(1))
    for sync_id in ("a", "b"):
        live(begun, recreate, sync_id, during(1, 10))
    run(begun, 1)
    write(begun, 2, "new")
    run(begun, 2)
    assert names(begun, *GONE, *LATER) == {}


def test_d4_replies_of_the_gone_still_say_what_they_answer(begun: World) -> None:
    begun.commit(
        "deliveries",
        {**row("deliveries", "deleted", "sms", 1), "created_at": during(-2)},
        at=during(1),
    )
    begun.commit("inbound", row("inbound", "deleted", "reply", 1), at=during(1))
    run(begun, 1)
    (reply,) = begun.read("inbound").filter(event_id="reply").to_dicts()
    assert (reply["in_reply_to_delivery_id"], reply["from"], reply["body"]) == ("sms", "", "")
    assert names(begun, *GONE) == {}


def test_d4_rows_that_were_held_back_stay_anonymous_when_they_are_sent(begun: World) -> None:
    begun.commit("events", {**row("events", "deleted", "bad", 1), "type": "odd"}, at=during(1))
    run(begun, 1)
    update(begun, "events", {"type": "'event'"}, "event_id = 'bad'", during(2))
    run(begun, 2)
    retry_quarantine(begun.services)
    assert "bad" in begun.read("events")["event_id"]
    assert names(begun, *GONE) == {}


def test_d4_what_is_restored_is_as_anonymous_as_it_was(begun: World) -> None:
    change(begun, 1)
    write(begun, 1, "new")
    run(begun, 1)
    begun.commit("people", person("deleted", 2), at=during(2))
    run(begun, 2)
    before = {path.name: path.read_bytes() for path in begun.folder().glob("*.parquet")}
    for path in begun.folder().glob("*.parquet"):
        path.unlink()
    assert not [one.error for one in restore(begun.services) if one.error]
    assert {path.name: path.read_bytes() for path in begun.folder().glob("*.parquet")} == before


@pytest.mark.parametrize("vacuumed", [False, True])
def test_d4_a_rebuilt_ledger_knows_who_was_gone_or_names_nobody_who_is(
    begun: World, monkeypatch: pytest.MonkeyPatch, *, vacuumed: bool
) -> None:
    change(begun, 1)
    begun.commit("people", *(person(n, 1, **f) for n, f in LATER.items()), at=during(1))
    run(begun, 1)
    before = sum(1 for _ in told(begun, "a", "leaving"))
    if vacuumed:
        gone = VersionGone("Version 1 is gone.", "Keep versions for longer.")
        monkeypatch.setattr(anonymous, "_people", Mock(side_effect=gone))
    syncs = [one.sync for one in begun.ledger.registry.all()]
    again = without_ledger(begun)
    assert not [one.error for one in rebuild(again.services, syncs) if one.error]
    monkeypatch.undo()
    write(again, 2, "new")
    run(again, 2)
    assert names(again, *GONE) == {}
    named_again = sum(1 for _ in told(again, "a", "leaving")) > before
    assert named_again is not vacuumed


def test_d4_who_is_gone_when_nothing_was_remembered_is_remembered_then(
    begun: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older release made the first files: people are read once, not in each window."""
    begun.ledger.gone.database.write(lambda connection: connection.execute(delete(gone_people)))
    write(begun, 1, "new", (STAYING,))
    run(begun, 1)
    again = AssertionError("People are read again.")
    monkeypatch.setattr(anonymous, "_people", Mock(side_effect=again))
    write(begun, 2, "newer", (STAYING,))
    run(begun, 2)
    monkeypatch.undo()
    remove(begun, "people", "internal_customer_id = 'cio-deleted'", during(3))
    write(begun, 3, "newest")
    change(begun, 3)
    run(begun, 3)
    assert names(begun, *GONE) == {}
    before = {path.name: path.read_bytes() for path in begun.folder().glob("*.parquet")}
    for path in begun.folder().glob("*.parquet"):
        path.unlink()
    assert not [one.error for one in restore(begun.services) if one.error]
    assert {path.name: path.read_bytes() for path in begun.folder().glob("*.parquet")} == before


def test_d4_slices_name_nobody_who_is_gone(world: World) -> None:
    people = [person(name, 0, **GONE.get(name, {})) for name in EVERYBODY]
    world.commit("people", *people, at=during(0))
    write(world, 0, "old")
    world.sync("a", 1)
    world.sync("b", 1, version=4)
    run(world, 0, world.as_run("run 1", slice_rows=2))
    write(world, 1, "new")
    change(world, 2)
    run(world, 2)
    assert names(world, *GONE) == {}


def test_d4_two_syncs_of_a_workspace_that_began_apart_differ_in_who_was_gone(begun: World) -> None:
    begun.commit("people", *(person(n, 1, **f) for n, f in LATER.items()), at=during(1))
    run(begun, 1)
    begun.sync("c", 1, at=during(2, 1), version=5)
    run(begun, 2)
    write(begun, 3, "new")
    run(begun, 3)
    assert names(begun, *GONE) == {}
    assert {export for export, _ in told(begun, "a", "leaving")} >= {"events", "metrics"}
    for name in (*GONE, *LATER):
        assert not list(told(begun, "c", name)), name
    assert list(told(begun, "c", STAYING))


def test_d4_somebody_not_loaded_yet_is_no_gone_person(begun: World) -> None:
    """People may come in a later commit than what they did."""
    write(begun, 1, "new", ("newcomer",))
    run(begun, 1)
    begun.commit("people", person("newcomer", 2), at=during(2))
    run(begun, 2)
    found = {export for export, _ in told(begun, "a", "newcomer")}
    assert found == {"people", "attributes", *ABOUT_PEOPLE}


def test_d4_every_export_about_people_is_searched() -> None:
    concerned = {
        export.name for export in EXPORTS.values() if any(c.personal for c in export.columns)
    }
    assert concerned == {"people", "attributes", *ABOUT_PEOPLE}
