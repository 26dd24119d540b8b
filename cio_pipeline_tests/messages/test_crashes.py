"""M1, M4: killed at any effect and run again, every message lies there once, nothing is lost."""

import hashlib
import json
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from cio_pipeline.model.manifests import parse_manifest
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline_tests.crashes import Crash, Fuse, watched
from cio_pipeline_tests.faults.child import run_child
from cio_pipeline_tests.messages.sending import commit_messages, objects, row
from cio_pipeline_tests.pipeline.test_crash_points import Steps
from cio_pipeline_tests.world import World, during, window


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A sync with one message delivered, and three more, two of them under one key."""
    world = World(tmp_path_factory.mktemp("messages"))
    world.sync(feed="messages", key_template="data.k")
    commit_messages(world, row("m0", '{"k":"a","n":0}'), at=during(0))
    world.run(0, "messages")
    keys = ["b", "c", "b", "a"]
    rows = [row(f"m{n}", json.dumps({"k": k, "n": n}), n) for n, k in enumerate(keys, 1)]
    commit_messages(world, *rows, row("bad", '{"n":9}', 9), at=during(1))
    return world


def test_a_crash_at_any_effect_loses_and_doubles_no_message(
    prepared: World, tmp_path: Path
) -> None:
    """Effects that find everything on disk as the one before are left out, see Steps."""
    whole = prepared.copy(tmp_path / "whole")
    steps = Steps(root=whole.root)
    whole.run(1, "messages", services=watched(whole.services, steps, "whole"))
    expected = objects(whole)
    whole.ledger.close()
    assert steps.names.count("destination.overwrite") == 4
    for at in steps.changed:
        world = prepared.copy(tmp_path / f"crash{at}")
        with pytest.raises(Crash):
            world.run(1, "messages", services=watched(world.services, Fuse(at), "dead"))
        world.now += timedelta(minutes=10)
        world.run(1, "messages", services=world.as_run("heir"))
        assert objects(world) == expected, steps.names[at - 1]
        _check_chain(world)
        assert [one.identity for one in world.ledger.quarantine.entries(["a"])] == ['["bad"]']
        world.ledger.close()


def _check_chain(world: World) -> None:
    manifests = [
        parse_manifest((world.folder() / "_cio" / name).read_bytes()) for name in world.manifests()
    ]
    files = [file for manifest in manifests for file in manifest.files]
    assert [(file.key, file.sequence) for file in files] == [
        ("a", 1),
        ("b", 2),
        ("c", 3),
        ("b", 4),
        ("a", 5),
    ]
    last = {file.key: file.sha256 for file in files}
    assert last == {k: hashlib.sha256(body).hexdigest() for k, body in objects(world).items()}
    assert world.verify().problems == ()
    assert world.services.spool.folders() == ()


def test_a_killed_process_loses_and_doubles_no_message(prepared: World, tmp_path: Path) -> None:
    world = prepared.copy(tmp_path / "killed")
    effect = {"name": "destination.overwrite", "moment": "after", "nth": 2}
    done = run_child(world, "messages", "kill", **effect)
    assert done.returncode == -signal.SIGKILL, done.said
    heir = World(world.root, now=window(1).end + TTL + timedelta(seconds=2))
    heir.run(1, "messages", services=heir.as_run("heir"))
    assert {key: json.loads(body)["data"]["n"] for key, body in objects(heir).items()} == {
        "a": 4,
        "b": 3,
        "c": 2,
    }
    _check_chain(heir)
    heir.ledger.close()
