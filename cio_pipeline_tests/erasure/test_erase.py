"""Erasure: whoever is gone is taken out of all that was delivered, and out of nothing else (D4).

Every column of every file is searched for whatever tells who they are.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.model.errors import InvalidConfig, LeaseHeld, StillNamed, UnknownPerson
from cio_pipeline.model.manifests import parse_manifest
from cio_pipeline.pipeline.erasure import person as person_of
from cio_pipeline.pipeline.erasure.erase import erase
from cio_pipeline.pipeline.erasure.receipt import Receipt, check_receipt
from cio_pipeline.pipeline.heartbeat import claimed
from cio_pipeline.pipeline.recovery.catch_up import rebuild
from cio_pipeline.pipeline.recovery.replay import Wanted, replay
from cio_pipeline.pipeline.recovery.restore import RESTORE, restore
from cio_pipeline_tests.lifecycle.gone import (
    ABOUT_PEOPLE,
    EVERYBODY,
    STAYING,
    change,
    identifiers,
    names,
    person,
    remove,
    run,
    told,
    write,
)
from cio_pipeline_tests.recovery.loss import without_ledger
from cio_pipeline_tests.world import World, during, window

CIO_ID, EMAIL, _ = identifiers("leaving")


def leave(world: World, number: int) -> None:
    """One of them is deleted, with a window that says so."""
    world.commit("people", person("leaving", number, deleted=True), at=during(number))
    run(world, number)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Everybody was sent to two syncs, and changed; a third serves another workspace."""
    world = World(tmp_path_factory.mktemp("sent") / "world")
    world.commit("people", *(person(name, 0) for name in EVERYBODY), at=during(0))
    write(world, 0, "old")
    world.sync("a", 1, version=5)
    world.sync("b", 1, version=4, timestamp_unit="ms")
    world.sync("c", 1, version=5)
    world.sync("other", 2)
    other = {**person("leaving", 0), "workspace_id": 2}
    world.commit("people", other, at=during(0))
    run(world, 0)
    change(world, 1)
    run(world, 1)
    leave(world, 2)
    return world


@pytest.fixture
def world(sent: World, tmp_path: Path) -> World:
    return sent.copy(tmp_path / "world")


def files(world: World, sync_id: str) -> dict[str, bytes]:
    return {name: (world.folder(sync_id) / name).read_bytes() for name in world.names(sync_id)}


def erased(world: World, text: str = CIO_ID, **more: bool) -> Receipt:
    return erase(world.services, 1, text, "ann", **more)


@pytest.mark.parametrize(
    "text",
    [
        EMAIL.upper(),
        pytest.param(CIO_ID, marks=pytest.mark.deep),
        pytest.param(f"own-{CIO_ID}", marks=pytest.mark.deep),
    ],
)
def test_d4_no_file_names_who_was_erased_and_all_else_is_there(world: World, text: str) -> None:
    before = {one: files(world, one) for one in ("a", "b", "other")}
    rows = {export: world.read(export) for export in (*ABOUT_PEOPLE, "people", "attributes")}
    assert names(world, "leaving")
    others = {name: sorted(set(told(world, "a", name))) for name in EVERYBODY if name != "leaving"}

    receipt = erased(world, text)

    assert names(world, "leaving") == {}
    assert receipt.complete
    assert "leaving" not in str(receipt)
    for sync_id in ("a", "b", "c"):
        assert world.verify(sync_id).ok, world.verify(sync_id).problems
    assert files(world, "other") == before["other"]
    for name, found in others.items():
        assert sorted(set(told(world, "a", name))) == found, name
    touched = {(one.sync, one.key) for one in receipt.files}
    for sync_id in ("a", "b"):
        now = files(world, sync_id)
        changed = {(sync_id, key) for key in now if now[key] != before[sync_id][key]}
        assert changed == {one for one in touched if one[0] == sync_id}
    for export, frame in rows.items():
        now, theirs = world.read(export), pl.col("internal_customer_id") == CIO_ID
        assert now.schema == frame.schema
        if export in {"people", "attributes"}:
            assert now.equals(frame.filter(~theirs)), export
        else:
            keys = EXPORTS[export].row_key
            assert now.select(keys).equals(frame.select(keys)), export


def test_d10_a_manifest_tells_of_all_that_was_rewritten(world: World) -> None:
    receipt = erased(world)
    for sync_id in ("a", "b", "c"):
        ordinal = len(world.manifests(sync_id))
        body = (world.folder(sync_id) / "_cio" / f"{ordinal}.manifest").read_bytes()
        manifest = parse_manifest(body)
        told = {(one.key, one.before, one.sha256) for one in manifest.superseded}
        its = [one for one in receipt.files if one.sync == sync_id]
        assert told == {(one.key, one.before, one.sha256) for one in its}
        assert {one.manifest for one in its} == {ordinal}
        assert manifest.files == ()
    assert not world.ledger.rewrites.under_way(["a", "b", "c"])


@pytest.mark.parametrize("all_rows", [False, True])
def test_d4_a_replay_names_nobody_who_was_erased_since(world: World, *, all_rows: bool) -> None:
    """They were current people when the windows were sent, or became news there."""
    erased(world)
    before = {one: len([*told(world, one, STAYING)]) for one in "ab"}
    for one in "ab":
        replay(world.services, Wanted(one, window(0).end, window(2).end, all_rows=all_rows))
    assert names(world, "leaving") == {}
    assert all(len([*told(world, one, STAYING)]) > before[one] for one in "ab")
    assert all(world.verify(one).ok for one in "ab")


def test_d4_whoever_was_erased_stays_so_in_later_files(world: World) -> None:
    erased(world)
    change(world, 3)
    write(world, 3, "new")
    run(world, 3)
    assert names(world, "leaving") == {}
    assert names(world, STAYING)
    assert all(world.verify(one).ok for one in ("a", "b", "c"))


def test_d4_nothing_brings_back_what_was_erased(world: World) -> None:
    """Neither from the spool nor from the source; nor what was gone then and may have held it."""
    gone = next(name for name in world.names("a") if name.startswith("deliveries"))
    (world.folder("a") / gone).unlink()
    receipt = erased(world)
    assert [one.key for one in receipt.gone] == [gone]
    rewritten = [one.key for one in receipt.files if one.sync == "a"]
    for key in rewritten:
        (world.folder("a") / key).unlink()
    put = restore(world.services, ["a"])
    assert sorted(one.key for one in put) == sorted([gone, *rewritten])
    assert all("erased" in str(one.error) for one in put)
    assert names(world, "leaving") == {}


def test_d10_files_of_equal_bytes_are_written_apart_from_the_spool_and_one_another(
    world: World,
) -> None:
    """In folders of one disk, files of several syncs are one file by several names."""
    (key,) = (name for name in world.names("a") if name == "attributes_v5_1_1.parquet")
    paths = [world.folder(one) / key for one in ("a", "c")]
    kept = world.root / "kept"
    os.link(paths[0], kept)
    before = kept.read_bytes()
    assert paths[1].read_bytes() == before
    erased(world)
    assert kept.read_bytes() == before
    assert paths[0].read_bytes() == paths[1].read_bytes() != before
    assert world.services.spool.folders() == ()


def test_a_dry_run_lists_the_same_files_and_does_nothing(world: World) -> None:
    before = {one: files(world, one) for one in ("a", "b", "c")}
    would = erased(world, dry_run=True)
    assert {one: files(world, one) for one in before} == before
    assert len(world.manifests("a")) == 3
    done = erased(world)
    assert {(one.sync, one.key) for one in would.files} == {(o.sync, o.key) for o in done.files}


def test_nobody_known_is_named_and_nothing_is_done(world: World) -> None:
    before = files(world, "a")
    for text in ("nobody@x.example", "cio-nobody"):
        with pytest.raises(UnknownPerson, match="Nobody of workspace 1"):
            erased(world, text)
    with pytest.raises(InvalidConfig, match="workspace 7"):
        erase(world.services, 7, CIO_ID, "ann")
    assert files(world, "a") == before


def test_whom_several_share_has_to_be_told_apart(world: World) -> None:
    twin = {**person(STAYING, 3), "email": EMAIL}
    world.commit("people", twin, at=during(3))
    world.now = during(4)
    with pytest.raises(UnknownPerson, match=f"cio-{STAYING}"):
        erased(world, EMAIL)


def test_d4_who_would_be_named_again_is_not_erased(world: World) -> None:
    """Neither who is current, nor whose end is still on its way to readers."""
    with pytest.raises(StillNamed, match="neither deleted nor suppressed"):
        erased(world, f"cio-{STAYING}")
    world.commit("people", person(STAYING, 3, suppressed=True), at=during(3))
    world.now = during(4)
    with pytest.raises(StillNamed, match="sync 'a'"):
        erased(world, f"cio-{STAYING}")
    assert names(world, STAYING)
    run(world, 3)
    assert erased(world, f"cio-{STAYING}").complete
    assert names(world, STAYING) == {}


def test_d4_who_is_no_more_in_the_source_is_found_in_the_files(world: World) -> None:
    """Also the deliveries and journeys that nothing but delivered files tells to be theirs."""
    for table in ("people", "attributes", *ABOUT_PEOPLE):
        remove(world, table, f"internal_customer_id = '{CIO_ID}'", during(3))
    run(world, 3)
    assert erased(world, EMAIL).complete
    assert names(world, "leaving") == {}


def test_d4_what_is_committed_while_a_person_is_looked_for_is_rewritten_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs go on meanwhile: what they had under way named the person still."""
    change(world, 3)
    windows = [3]

    def followed(*given: Any) -> Any:
        while windows:
            run(world, windows.pop())
        return person_of.followed(*given)

    monkeypatch.setattr("cio_pipeline.pipeline.erasure.erase.followed", followed)

    receipt = erased(world)

    assert not windows
    assert names(world, "leaving") == {}
    assert receipt.complete
    assert world.verify().ok


def test_what_another_run_works_on_is_left_to_it(world: World) -> None:
    with (
        claimed(world.as_run("another"), [("b", RESTORE)]),
        pytest.raises(LeaseHeld, match="another"),
    ):
        erased(world)
    assert names(world, "leaving")


def test_d10_a_ledger_that_was_lost_knows_files_as_they_were_rewritten(world: World) -> None:
    erased(world)
    syncs = [world.ledger.registry.get(one).sync for one in ("a", "b", "c")]
    again = without_ledger(world)
    rebuild(again.services, syncs)
    assert restore(again.services) == ()
    (again.folder("a") / "people_v5_1_1.parquet").unlink()
    (put,) = restore(again.services, ["a"])
    assert put.error is not None
    assert names(again, "leaving") == {}


def test_a_receipt_is_checked_later_and_a_removed_file_is_named(world: World) -> None:
    receipt = erased(world)
    found = check_receipt(world.services, receipt)
    assert {one.state for one in found} == {"erased"}
    (people,) = (o for o in receipt.files if (o.sync, o.key) == ("a", "people_v5_1_1.parquet"))
    (world.folder("a") / people.key).unlink()
    by_key = _states(world, receipt)
    assert by_key["a", people.key] == ("removed since", False)
    assert set(by_key.values()) == {("erased", False), ("removed since", False)}
    (world.folder("b") / "people_v4_1_1.parquet").write_bytes(b"PAR1")
    assert _states(world, receipt)["b", "people_v4_1_1.parquet"] == ("altered since", True)


def test_a_file_rewritten_for_somebody_else_since_is_still_right(world: World) -> None:
    receipt = erased(world)
    world.commit("people", person(STAYING, 3, deleted=True), at=during(3))
    run(world, 3)
    assert erased(world, f"cio-{STAYING}").complete
    assert names(world, "leaving", STAYING) == {}
    states = {state for state, _ in _states(world, receipt).values()}
    assert states == {"erased, and rewritten for somebody else since", "erased"}
    assert all(world.verify(one).ok for one in ("a", "b", "c"))


def _states(world: World, receipt: Receipt) -> Mapping[tuple[str, str], tuple[str, bool]]:
    found = check_receipt(world.services, receipt)
    return {(one.sync, one.key): (one.state, one.wrong) for one in found}


def test_who_was_erased_before_is_found_again_and_nothing_is_left_to_do(world: World) -> None:
    first = erased(world)
    manifests = world.manifests("a")
    again = erased(world)
    assert again.files == first.files
    assert world.manifests("a") == manifests
