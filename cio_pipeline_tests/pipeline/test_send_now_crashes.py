"""D6: sending all up to now dies at each effect; the window that was open sends the rest.

In `make test` it dies before the first and the last effect of each kind, since those between are
the same effect for another sync or export, in `make test-deep` before every one.
"""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.heartbeat import TTL
from cio_pipeline.pipeline.send_now import send_now
from cio_pipeline_tests.crashes import Crash, Fuse, watched
from cio_pipeline_tests.faults.prepared import prepare, require_whole
from cio_pipeline_tests.pipeline.test_crash_points import Steps
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during


def sent_now(world: World, fuse: Fuse, owner: str) -> bool:
    """Whether the run got to its end; it stands in the open window 1."""
    try:
        send_now(watched(world.services, fuse, owner), Feed.DATA_OUT, Scope())
    except Crash:
        return False
    return True


def rows(world: World) -> list[list[tuple[object, ...]]]:
    columns = ("customer_id", "email_addr", "series")
    return [sorted(world.read("people", one).select(columns).rows()) for one in ("a", "b")]


def of_each_kind(steps: Steps) -> list[int]:
    """The first and the last effect of each kind."""
    named = {at: steps.names[at - 1] for at in steps.changed}
    first = {name: at for at, name in reversed(named.items())}
    last = {name: at for at, name in named.items()}
    return sorted({*first.values(), *last.values()})


@pytest.mark.slow
@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.deep)])
def test_d6_a_crash_at_any_effect_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, every: bool
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    prepared = prepare(World(tmp_path / "prepared"), "people")
    prepared.now = during(1, 6)
    whole = prepared.copy(tmp_path / "whole")
    steps = Steps(root=whole.root)
    assert sent_now(whole, steps, "whole")
    expected = rows(whole)
    assert [len(one) for one in expected] == [4, 3]
    for at in steps.changed if every else of_each_kind(steps):
        world = prepared.copy(tmp_path / str(at))
        assert not sent_now(world, Fuse(at), "first")
        world.now += TTL + timedelta(seconds=1)
        again = at % 2 == 0
        assert not again or sent_now(world, Fuse(), "second")
        late = [person("late", internal_customer_id=f"late{w}", workspace_id=w) for w in (1, 2)]
        world.commit("people", *late, at=during(1, 14))
        world.run(1, "people")
        try:
            found = [[row for row in one if row[0] != "late"] for one in rows(world)]
            assert found == expected
            assert [len(one) for one in rows(world)] == [5, 4]
            require_whole(world)
        except AssertionError as error:
            raise AssertionError(f"died before effect {at}") from error
        world.ledger.close()
        shutil.rmtree(world.root)
