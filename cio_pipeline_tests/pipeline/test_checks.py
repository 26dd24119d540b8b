"""The checks on a made world: each finds what it is for, names whose it is, and is quiet else."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import cast

import polars as pl
import pytest
from deltalake import write_deltalake

from cio_pipeline.model.errors import DestinationUnavailable, SourceUnavailable
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.manifests import parse_manifest
from cio_pipeline.model.objects import ObjectInfo
from cio_pipeline.model.sync import Sync
from cio_pipeline.monitoring.missing import gaps_of, listed_twice, missing_files
from cio_pipeline.pipeline.checking import bucket_looks, buckets
from cio_pipeline.pipeline.checking.bucket_looks import AT_LEAST
from cio_pipeline.pipeline.checking.checks import CHECKS, Check, findings, latest_findings
from cio_pipeline.pipeline.checking.checks import found as found_once
from cio_pipeline.pipeline.checking.scene import Scene
from cio_pipeline.ports import Destination
from cio_pipeline_tests.pipeline.stuck import given_up_when_others_ended
from cio_pipeline_tests.waiting import PATIENCE
from cio_pipeline_tests.world import World, during, window

OWNER = "data@acme.example"


def person(name: str, **fields: object) -> dict[str, object]:
    return {"internal_customer_id": name, **fields}


def found(
    world: World, number: int, *names: str, sync_ids: Iterable[str] | None = None
) -> list[Finding]:
    """What is found in a window, of some checks."""
    chosen = None if sync_ids is None else list(sync_ids)
    return [
        one
        for one in findings(world.services, window(number), [Feed.DATA_OUT], chosen)
        if not names or one.check in names
    ]


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A sync that was sent its first files and two windows more."""
    world = World(tmp_path_factory.mktemp("sent"))
    world.sync("a", owner=OWNER)
    for number in range(3):
        world.commit("people", person(f"p{number}"), at=during(number))
        world.run(number)
    return world


@pytest.fixture
def served(sent: World, tmp_path: Path) -> World:
    """The same for one test."""
    return sent.copy(tmp_path / "served")


def test_o1_where_all_is_in_order_nothing_is_found(served: World) -> None:
    assert found(served, 2) == []
    assert latest_findings(served.services) == []


def test_o1_a_file_that_is_gone_is_an_error_until_it_is_back(served: World) -> None:
    (gone, *_) = [name for name in served.names() if name.startswith("people_v5_1_2")]
    kept = (served.folder() / gone).read_bytes()
    (served.folder() / gone).unlink()

    (one,) = found(served, 2, "missing_files")
    again = found(served, 2, "missing_files")
    (served.folder() / gone).write_bytes(kept)

    assert one.severity is Severity.ERROR
    assert (one.sync_id, one.owner) == ("a", OWNER)
    assert one.says.startswith("1 delivered files are not in the bucket")
    assert gone in one.says
    assert one.command == "cio-pipeline export --restore --sync a"
    assert again[0].incident == one.incident
    assert found(served, 2, "missing_files") == []


def test_o1_a_manifest_that_is_gone_is_one_too(served: World) -> None:
    """No reader comes past it."""
    gone = served.folder() / "_cio" / served.manifests()[-1]
    kept = gone.read_bytes()
    gone.unlink()
    (one,) = found(served, 2, "missing_files")
    gone.write_bytes(kept)
    assert f"_cio/{gone.name}" in one.says
    assert found(served, 2, "missing_files") == []


def test_o1_files_that_expired_are_not_missing(world: World) -> None:
    world.sync("a", files_expire_after="1d")
    for number in range(3):
        world.commit("people", person(f"p{number}"), at=during(number))
        world.run(number)
    for file in [*world.folder().glob("*.parquet"), *world.folder().glob("_cio/*")]:
        file.unlink()

    world.now += timedelta(days=2)

    assert found(world, 2, "missing_files") == []


def test_o1_of_many_buckets_some_are_looked_into_and_what_was_missing_stays_told(
    world: World,
) -> None:
    ids = [f"s{number:02}" for number in range(AT_LEAST + 3)]
    for number, sync_id in enumerate(ids, 1):
        world.sync(sync_id, number)
        world.commit("people", person("x", workspace_id=number), at=during(0))
    world.run(0, "people")
    for sync_id in ids:
        next(world.folder(sync_id).glob("people*")).unlink()

    first = {one.sync_id for one in found(world, 0, "missing_files")}
    world.now += timedelta(minutes=15)
    second = {one.sync_id for one in found(world, 0, "missing_files")}

    assert len(first) == AT_LEAST
    assert second == set(ids)
    assert {one.sync_id for one in found(world, 0, "missing_files", sync_ids=["s01"])} == {"s01"}


def test_o1_buckets_that_do_not_answer_take_nobody_s_turn(world: World) -> None:
    ids = [f"s{number:02}" for number in range(AT_LEAST + 1)]
    for number, sync_id in enumerate(ids, 1):
        world.sync(sync_id, number)
        world.commit("people", person("x", workspace_id=number), at=during(0))
    world.run(0, "people")
    last = ids[-1]
    next(world.folder(last).glob("people*")).unlink()
    opened = world.services.destinations

    def destinations(sync: Sync) -> Destination:
        if sync.id != last:
            raise DestinationUnavailable("It does not answer.")
        return opened(sync)

    world.services = replace(world.services, destinations=destinations)
    assert found(world, 0, "missing_files") == []
    world.now += timedelta(minutes=15)
    assert [one.sync_id for one in found(world, 0, "missing_files")] == [last]


def test_o1_of_more_objects_than_are_listed_none_is_missing_that_was_not_looked_for(
    served: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (body,) = [one for _, one in served.ledger.looks.bodies("a", 0, 1)]
    manifest = parse_manifest(body)
    keys = ["a-b/1", "a-b/2", "a/1", "a/2"]
    files = tuple(replace(manifest.files[0], key=key) for key in keys)
    monkeypatch.setattr(bucket_looks, "LISTED", 3)

    class Full:
        def list(self, folder: str) -> Iterator[ObjectInfo]:
            return (ObjectInfo(key, 1) for key in keys if key.startswith(f"{folder}/"))

    at = replace(manifest, files=files)
    there, upto = bucket_looks._listed(cast("Destination", Full()), [at])

    assert list(missing_files([at], there, upto, None)) == []


def test_o1_buckets_that_do_not_answer_or_break_hold_up_no_check_of_acknowledgements(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up_when_others_ended(monkeypatch, buckets, lambda one: one.id == "a")
    over = Event()
    for number, sync_id in enumerate("abc", 1):
        world.sync(sync_id, number, acknowledge_within="1d")
    opened = world.services.destinations

    def destinations(sync: Sync) -> Destination:
        if sync.id == "a":
            over.wait(PATIENCE)
        if sync.id == "b":
            raise ValueError("a secret")
        return opened(sync)

    world.services = replace(world.services, destinations=destinations)
    told = {one.sync_id: one.says for one in found(world, 0, "unacknowledged_backlog")}
    over.set()
    assert told.keys() == {"a", "b"}
    assert "does not answer" in told["a"]
    assert "Unexpected ValueError" in told["b"]


def test_o1_columns_that_changed_are_told_on_while_the_source_is_away(
    served: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(served, 2, "source_columns") == []
    seen = served.ledger.looks.columns()["people"]
    changed = seen.followed_by({"id": "long"}, window(2).end)
    served.ledger.looks.keep_columns([changed])

    def away(*_: object) -> None:
        raise SourceUnavailable("It does not answer.")

    monkeypatch.setattr(type(served.services.source), "columns", away)
    assert [one.about for one in found(served, 3, "source_columns")] == ["people"]


def test_o1_numbers_that_no_manifest_lists_are_told(served: World) -> None:
    bodies = served.ledger.looks.bodies("a", 0, 9)
    manifests = [parse_manifest(body) for _, body in bodies]
    sync = served.ledger.registry.get("a").sync

    assert gaps_of(manifests) == listed_twice(sync, manifests) == []
    assert gaps_of([manifests[0], manifests[2]]) == ["people (plain) 2"]


def test_o1_columns_that_changed_are_told_though_an_earlier_window_was_looked_at_first(
    served: World,
) -> None:
    """By `doctor --window`, or the first run after an outage."""
    assert found(served, 0, "source_columns") == []
    people = str(Path(served.source_uri) / "people")
    rows = pl.read_delta(people).head(0).with_columns(pl.lit("x").alias("loyalty"))
    write_deltalake(people, rows.to_arrow(), mode="append", schema_mode="merge")
    served.now = window(200).end
    assert [one.about for one in found(served, 1, "source_columns")] == ["people"]
    assert [one.about for one in found(served, 200, "source_columns")] == ["people"]


def test_o1_columns_that_came_went_or_changed_are_told_for_a_day_with_who_reads_them(
    served: World,
) -> None:
    assert found(served, 2, "source_columns") == []
    people = str(Path(served.source_uri) / "people")
    rows = pl.read_delta(people).head(0)
    write_deltalake(
        people,
        rows.with_columns(pl.lit("x").alias("loyalty")).to_arrow(),
        mode="append",
        schema_mode="merge",
    )

    (new,) = found(served, 3, "source_columns")
    (still,) = found(served, 4, "source_columns")
    write_deltalake(
        people,
        rows.drop("email").with_columns(pl.lit("x").alias("loyalty")).to_arrow(),
        mode="overwrite",
        schema_mode="overwrite",
    )
    (gone,) = found(served, 5, "source_columns")

    assert (new.severity, new.about) == (Severity.WARNING, "people")
    assert "loyalty is new (string)" in new.says
    assert "people" in new.says
    assert still.says == new.says
    assert gone.severity is Severity.ERROR
    assert "email is gone (was string)" in gone.says
    assert found(served, 5 + 96, "source_columns") == []


def test_o1_rows_held_back_are_told_with_their_reasons_and_share(served: World) -> None:
    rows = [{"event_id": one, "type": one} for one in ("event", "page", "screen", "secret")]
    served.commit("events", *rows, at=during(3))
    served.run(3)

    (one,) = found(served, 3, "quarantine")

    assert (one.sync_id, one.owner, one.export) == ("a", OWNER, "events")
    assert "1 row was held back in the last day, 25.0% of all" in one.says
    assert "type is not one of event, page, screen (1)" in one.says
    assert "secret" not in one.says
    assert found(served, 3 + 96, "quarantine") == []


def test_o2_names_of_events_that_clash_are_told(served: World) -> None:
    names = ["checkout_started", "Checkout Started", "checkoutStarted", "signed_up"]
    rows = [{"event_id": f"e{n}", "name": name} for n, name in enumerate(names)]
    served.commit("events", *rows, at=during(3))
    served.run(3)

    (one,) = found(served, 3, "event_names")

    assert "'Checkout Started' = 'checkoutStarted' = 'checkout_started'" in one.says
    assert "signed_up" not in one.says
    assert one.command == "cio-pipeline contract infer a"
    assert found(served, 3 + 96, "event_names") == []


def test_o1_too_little_history_is_said_and_passes(served: World) -> None:
    scene = Scene(served.services, window(2), Feed.DATA_OUT)
    (note,) = [check.note(scene) for check in CHECKS if check.name == "volumes"]

    assert note.startswith("Too little history to judge ")


def test_o1_who_asks_every_minute_looks_once_a_window_at_what_changes_with_windows_alone(
    served: World,
) -> None:
    """Alerts do; `doctor` looks anew."""
    asked: list[Scene] = []
    at = [Scene(served.services, window(number), Feed.DATA_OUT) for number in (1, 2)]

    def look(scene: Scene) -> list[Finding]:
        asked.append(scene)
        return []

    steady, other = (Check("x", "", look, steady=one) for one in (True, False))
    for _ in range(3):
        found_once(at[0], steady)
    found_once(at[1], steady)
    assert asked == at
    for _ in range(3):
        found_once(at[1], other)
    assert asked[2:] == [at[1]] * 3
