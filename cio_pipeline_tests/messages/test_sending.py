"""M1, M2, M4: from the source table to one object a message."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from cio_pipeline.model.manifests import parse_manifest
from cio_pipeline.model.scope import Lane, Scope
from cio_pipeline.pipeline import run_export
from cio_pipeline.pipeline.delivering import deliver
from cio_pipeline.pipeline.recovery.abandon import abandon
from cio_pipeline.pipeline.recovery.damaged import damaged_files
from cio_pipeline.pipeline.recovery.restore import put_back, restore
from cio_pipeline.verification.report import ProblemKind
from cio_pipeline_tests.crashes import Crash, watched
from cio_pipeline_tests.messages.sending import TIME, Recorder, commit_messages, objects, row
from cio_pipeline_tests.waiting import PATIENCE, until
from cio_pipeline_tests.world import World, during, window


def test_each_message_becomes_one_object_and_the_manifest_lists_it(world: World) -> None:
    world.sync(feed="messages")
    commit_messages(
        world,
        row("m1", '{"commitNumber":12041091891110123}', 1),
        row("m2", '{ "b":1.10,"a":"\\ud800" }', 2),
        row("other", workspace_id=2),
        at=during(0),
    )
    (outcome,) = world.run(0, "messages")
    assert (outcome.error, outcome.files, outcome.rows) == (None, 2, 2)
    found = objects(world)
    assert found == {
        f"{TIME}_m1.json": b'{"data": {"commitNumber":12041091891110123}}',
        f"{TIME}_m2.json": b'{"data": { "b":1.10,"a":"\\ud800" }}',
    }
    manifest = parse_manifest((world.folder() / "_cio" / "1.manifest").read_bytes())
    assert manifest.feed == "messages"
    assert [(f.key, f.sequence, f.rows, f.sha256) for f in manifest.files] == [
        (key, number, 1, hashlib.sha256(body).hexdigest())
        for number, (key, body) in enumerate(found.items(), 1)
    ]
    assert world.services.spool.folders() == ()


def test_what_was_committed_in_a_window_is_sent_once(world: World) -> None:
    world.sync(feed="messages")
    for number in range(3):
        commit_messages(world, row(f"m{number}"), at=during(number))
    assert [world.run(number, "messages")[0].files for number in (0, 2)] == [1, 2]
    assert world.run(2, "messages") == ()
    assert len(objects(world)) == 3


def test_only_puts_are_asked_of_the_store(world: World) -> None:
    """M4: s3:PutObject is the only permission that is needed, for manifests too."""
    world.sync(feed="messages")
    recorder = Recorder(world)
    services = replace(world.services, destinations=lambda _: recorder)
    for number in range(2):
        commit_messages(world, row(f"m{number}"), at=during(number))
        world.run(number, "messages", services=services)
    assert [name for name, _ in recorder.calls] == ["overwrite", "put_bytes"] * 2


def test_the_metadata_of_a_message_goes_with_its_object(world: World) -> None:
    world.sync(feed="messages")
    recorder = Recorder(world)
    told = {"objectName": "グ", "topic": "read.triggered", "operationId": None, "event-id": "m1"}
    commit_messages(world, row("m1", metadata=told), at=during(0))
    world.run(0, "messages", services=replace(world.services, destinations=lambda _: recorder))
    assert recorder.metadata == {
        f"{TIME}_m1.json": {
            "objectName": "%E3%82%B0",
            "topic": "read.triggered",
            "event-id": "m1",
            "timestamp": TIME,
        }
    }


def test_messages_with_equal_keys_are_put_in_their_order_and_told(world: World) -> None:
    """M3, M4: within a window and over windows, the later one overwrites the earlier."""
    world.sync(feed="messages", key_template="data.k")
    recorder = Recorder(world)
    notices: list[str] = []
    services = replace(world.services, destinations=lambda _: recorder, notice=notices.append)
    rows = [
        row(f"m{n:03}", json.dumps({"k": f"key{n % 3}", "n": n}), arrival=n) for n in range(300)
    ]
    commit_messages(world, *reversed(rows), at=during(0))
    (outcome,) = world.run(0, "messages", services=services)
    for key in ("key0", "key1", "key2"):
        put = [json.loads(body)["data"]["n"] for k, body in recorder.bodies if k == key]
        assert put == sorted(put)
        assert len(put) == 100
    assert outcome.overwritten == 297
    (notice,) = notices
    assert notice.startswith("messages of sync 'a': 297 of 300 objects overwrote an earlier one")
    assert notice.endswith('Add metadata."event-id" to its key_template if they are to be kept.')
    commit_messages(world, row("m300", '{"k":"key0","n":300}'), at=during(1))
    (later,) = world.run(1, "messages", services=services)
    assert later.overwritten == 1
    assert objects(world)["key0"] == b'{"data": {"k":"key0","n":300}}'
    assert world.verify().problems == ()


class Stuck(Recorder):
    """Its first put does not end before it is told to."""

    def __init__(self, world: World, go_on: Event) -> None:
        super().__init__(world)
        self.go_on = go_on

    def overwrite(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        first = not self.calls
        self.calls.append(("begun", key))
        if first:
            assert self.go_on.wait(PATIENCE)
        super().overwrite(key, body, metadata)


def test_a_put_that_straggles_keeps_its_sync_to_itself_until_it_has_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M4: given up or not, an earlier message never lands after a later one with its key."""
    monkeypatch.setattr(deliver, "PATIENCE", 0.2)
    world.sync(feed="messages", key_template="data.k")
    rows = [row(f"m{n:02}", f'{{"k":"k{n % 20}","n":{n}}}', n) for n in range(40)]
    commit_messages(world, *rows, at=during(0))
    go_on = Event()
    stuck = Stuck(world, go_on)
    try:
        tick = world.as_run("tick", destinations=lambda _: stuck)
        (left,) = world.run(0, "messages", lane=Lane.TICK, services=tick)
        assert str(left.error).startswith("Slow: ")
        assert world.run(0, "messages", services=world.as_run("early")) == ()
    finally:
        go_on.set()
    until("its end", PATIENCE, lambda: not world.ledger.leases.owners(world.now))
    # It begins nothing more once it is given up.
    assert len(stuck.bodies) < 40
    (outcome,) = world.run(0, "messages", services=world.as_run("late"))
    assert (outcome.error, outcome.files) == (None, 40)
    assert objects(world)["k0"] == b'{"data": {"k":"k0","n":20}}'
    assert world.verify().ok


def test_a_message_without_a_key_is_quarantined_and_no_other_suffers(world: World) -> None:
    """M2: null, a number, an empty and a dirty key are errors of their messages alone."""
    world.sync(feed="messages", key_template="data.k")
    values = ["null", "5", '""', '"a/../b"', '"_cio/1.manifest"', '"x#1"', '"fine"']
    rows = [row(f"m{n}", f'{{"k":{value}}}', n) for n, value in enumerate(values)]
    commit_messages(world, *rows, row("bad", "{no json"), row("late", timestamp="x"), at=during(0))
    (outcome,) = world.run(0, "messages")
    assert (outcome.files, outcome.quarantined, outcome.error) == (1, 8, None)
    assert list(objects(world)) == ["fine"]
    entries = {one.identity: one.reason for one in world.ledger.quarantine.entries(["a"])}
    assert entries == {
        '["m0"]': "the key template gives null, not a string",
        '["m1"]': "the key template gives a number, not a string",
        '["m2"]': "the key is empty",
        '["m3"]': "the key has a '.' or '..' in it",
        '["m4"]': "the key lies in _cio/, which is the manifests'",
        '["m5"]': "the key ends in '#' and a number, as unfinished files do",
        '["bad"]': "its payload is no valid JSON",
        '["late"]': "its timestamp is no RFC 3339 time",
    }


def test_a_key_that_a_folder_cannot_hold_is_named_and_all_others_are_put(world: World) -> None:
    """M2: the way out of it loses no message."""
    world.sync(feed="messages", key_template="data.k")
    commit_messages(world, row("first", '{"k":"z"}'), at=during(0))
    world.run(0, "messages")
    # Of the last one, the folder is one that cannot be made.
    keys = ["a", "x", "a/b", "b/a", "b", "y", "z/y/x"]
    rows = [row(f"m{n}", json.dumps({"k": key}), n) for n, key in enumerate(keys)]
    commit_messages(world, *rows, at=during(1))
    (outcome,) = world.run(1, "messages")
    assert "So it is with 3 keys; the others of 7 messages were put." in str(outcome.error)
    assert len(objects(world)) == 5

    world.sync(feed="messages", key_template='metadata."event-id"')
    abandon(world.services, "a", "messages")
    (outcome,) = world.run(2, "messages")
    assert (outcome.error, outcome.files) == (None, 7)
    assert {f"m{n}" for n in range(7)} <= set(objects(world))
    assert world.verify().ok


def test_syncs_of_a_workspace_have_templates_of_their_own(world: World) -> None:
    world.sync("a", feed="messages", key_template="data.n")
    world.sync("b", feed="messages", key_template="join('/', [time.date, data.n])")
    world.sync("c", feed="messages", key_template="data.n")
    commit_messages(world, row("m1"), at=during(0))
    world.run(0, "messages")
    assert [list(objects(world, s)) for s in "abc"] == [["m1"], ["2026-03-01/m1"], ["m1"]]


def test_a_lost_or_altered_object_is_restored_with_its_metadata(world: World) -> None:
    """Of a key that was used again, only the last object can be lost."""
    world.sync(feed="messages", key_template="data.k")
    commit_messages(world, row("m1", '{"k":"twice","n":1}', 1), at=during(0))
    commit_messages(
        world, row("m2", '{"k":"twice","n":2}', 2), row("m3", '{"k":"once"}', 3), at=during(1)
    )
    world.run(0, "messages")
    world.run(1, "messages")
    before = objects(world)
    (world.folder() / "twice").write_bytes(b"altered")
    (world.folder() / "once").unlink()
    assert {p.kind for p in world.verify().problems} == {ProblemKind.ALTERED, ProblemKind.MISSING}
    recorder = Recorder(world)
    services = replace(world.services, destinations=lambda _: recorder)
    done = restore(services)
    assert [(one.key, one.error) for one in done] == [("twice", None), ("once", None)]
    assert recorder.metadata["twice"] == {"event-id": "m2", "timestamp": TIME}
    assert objects(world) == before
    assert world.verify().problems == ()


def test_a_restore_never_puts_an_earlier_message_over_a_later_one(world: World) -> None:
    """M4: neither while a run is at it, nor after one that it did not see."""
    world.sync(feed="messages", key_template="data.k")
    commit_messages(world, row("m1", '{"k":"x","n":1}'), at=during(0))
    world.run(0, "messages")
    (world.folder() / "x").unlink()
    pair = ("a", "messages")
    lease, _ = world.ledger.leases.claim([pair], "run 2", world.now, timedelta(minutes=5))
    (refused,) = restore(world.as_run("restore"))
    assert "is being worked on by run 2" in str(refused.error)
    assert objects(world) == {}
    world.ledger.leases.release(lease)
    seen = damaged_files(world.services, world.ledger.registry.get("a").sync, None)
    commit_messages(world, row("m2", '{"k":"x","n":2}'), at=during(1))
    world.run(1, "messages")
    assert [one.error for one in put_back(world.services, seen)] == [None]
    assert objects(world) == {"x": b'{"data": {"k":"x","n":2}}'}


def test_a_restore_leaves_a_message_that_waits_for_its_manifest(world: World) -> None:
    """M4, D10: until the window's end no manifest lists it, and its key is that of an older one."""
    world.sync(feed="messages", key_template="data.k")
    commit_messages(world, row("m1", '{"k":"x","n":1}'), at=during(0))
    world.run(0, "messages")
    commit_messages(world, row("m2", '{"k":"x","n":2}'), at=during(1))
    world.now = window(1).end
    run_export.run_export(world.as_run("run 1"), "messages", window(1), Scope())
    assert restore(world.as_run("restore")) == ()
    world.run(1, "messages")
    assert objects(world) == {"x": b'{"data": {"k":"x","n":2}}'}
    assert world.verify().problems == ()


@dataclass
class Late:
    """Dies after the first effect of a name."""

    name: str

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:
        result = effect()
        if name.endswith(self.name):
            raise Crash(name)
        return result


def test_an_abandoned_plan_leaves_its_objects_to_the_next_one(world: World) -> None:
    world.sync(feed="messages")
    commit_messages(world, row("m1"), row("m2", arrival=2), at=during(0))
    with pytest.raises(Crash):
        world.run(0, "messages", services=watched(world.services, Late("overwrite"), "dead"))
    world.now += timedelta(minutes=10)
    done = abandon(world.services, "a", "messages")
    assert (done.removed, done.left, len(done.void)) == ((), (), 2)
    world.run(0, "messages")
    assert len(objects(world)) == 2
    report = world.verify()
    assert (report.problems, report.warnings, report.files) == ((), (), 2)


def test_an_object_that_no_manifest_lists_is_told_of(world: World) -> None:
    world.sync(feed="messages")
    commit_messages(world, row("m1"), at=during(0))
    world.run(0, "messages")
    (world.folder() / "stray.json").write_bytes(b"{}")
    report = world.verify()
    assert report.problems == ()
    assert [(one.kind, one.key) for one in report.warnings] == [
        (ProblemKind.UNLISTED, "stray.json")
    ]
