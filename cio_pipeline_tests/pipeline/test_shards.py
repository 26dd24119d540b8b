"""Windows in shards: each is asked for, tried and told by itself; one shard is as before."""

from datetime import timedelta

import pytest

from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.scope import Lane
from cio_pipeline.model.shards import Shard, parse_shard, shards
from cio_pipeline.pipeline.scheduling.run_request import Seen
from cio_pipeline.pipeline.scheduling.schedule import FIRST_WAIT, wanted_runs
from cio_pipeline_tests.pipeline.test_schedule import NOON, NOTHING_SEEN, QUARTER, keys, state

SYNCS = [f"sync-{number}" for number in range(40)]
LATER = NOON + QUARTER
TWO = shards(2)
FIRST, SECOND = Shard(1, 2), Shard(2, 2)


def of(shard: Shard) -> list[str]:
    return sorted(filter(shard.holds, SYNCS))


@pytest.mark.parametrize("number", [2, 3, 8])
def test_every_sync_is_in_one_shard_and_none_is_nearly_empty(number: int) -> None:
    many = [f"workspace-{one}" for one in range(800)]
    held = [[one for one in many if shard and shard.holds(one)] for shard in shards(number)]
    assert sorted(one for some in held for one in some) == sorted(many)
    assert min(map(len, held)) > 0.7 * len(many) / number


def test_a_sync_stays_in_its_shard_whatever_the_build() -> None:
    assert [one for one in ("acme", "beta", "gamma") if Shard(1, 2).holds(one)] == ["acme", "gamma"]


@pytest.mark.parametrize("text", ["", "2", "3/2", "0/2", "a/b", "1/2/3", " 1/2", "-1/2"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(InvalidConfig, match=rf"no shard '{text}'"):
        parse_shard(text)
    assert parse_shard("2/4") == Shard(2, 4)


def test_one_shard_asks_for_the_same_runs_as_none() -> None:
    states = [*map(state, SYNCS), state("new", position=None)]
    seen = Seen({}, {}, (), uncommitted={"sync-1"})
    whole = wanted_runs(states, seen, LATER)
    assert wanted_runs(states, seen, LATER, among=shards(1)) == whole
    assert keys(whole) == ["initial:2026-11-22-12:00:new:1", "tick:2026-11-22-12:00:1"]
    assert [one.shard for one in whole] == [None, None]


def test_each_shard_has_a_run_of_a_window() -> None:
    requests = wanted_runs(list(map(state, SYNCS)), NOTHING_SEEN, LATER, among=TWO)
    assert keys(requests) == ["tick:2026-11-22-12:00:1/2:1", "tick:2026-11-22-12:00:2/2:1"]
    assert [one.shard for one in requests] == TWO
    assert [one.keys for one in requests] == [
        ("2026-11-22-12:00 1/2",),
        ("2026-11-22-12:00 2/2",),
    ]


def test_a_shard_that_is_settled_or_has_no_sync_is_not_run() -> None:
    states = [state(one, position=NOON if SECOND.holds(one) else LATER) for one in SYNCS]
    (request,) = wanted_runs(states, NOTHING_SEEN, LATER, among=TWO)
    assert request.shard == SECOND
    (alone,) = wanted_runs([state(of(FIRST)[0])], NOTHING_SEEN, LATER, among=TWO)
    assert alone.shard == FIRST


def test_each_shard_is_tried_again_by_itself() -> None:
    """The first died, the second is under way."""
    states = list(map(state, SYNCS))
    tried = {(Lane.TICK, f"2026-11-22-12:00 {shard}"): (1, LATER) for shard in TWO}
    seen = Seen({}, tried, {(Lane.TICK, "2026-11-22-12:00 2/2")})
    assert wanted_runs(states, seen, LATER, among=TWO) == []
    (request,) = wanted_runs(states, seen, LATER + FIRST_WAIT, among=TWO)
    assert request.run_key == "tick:2026-11-22-12:00:1/2:2"


def test_d10_manifests_wait_for_runs_of_their_own_shard_only() -> None:
    settled = [state(one, position=LATER) for one in SYNCS]
    uncommitted = {of(FIRST)[0], of(SECOND)[0]}
    for running in ((Lane.TICK, "2026-11-22-12:00 1/2"), (Lane.ALL, "2026-11-22-11:00")):
        seen = Seen({}, {}, {running}, uncommitted=uncommitted)
        requests = wanted_runs(settled, seen, LATER, among=TWO)
        expected = [(of(SECOND)[0],)] if running[0] is Lane.TICK else []
        assert [one.sync_ids for one in requests] == expected
    # A run from before there were shards serves them all.
    before = Seen({}, {}, {(Lane.TICK, "2026-11-22-12:00")}, uncommitted=uncommitted)
    assert wanted_runs(settled, before, LATER, among=TWO) == []


def test_initial_exports_of_each_shard_are_runs_of_their_own() -> None:
    fresh = [state(one, position=None) for one in SYNCS]
    requests = wanted_runs(fresh, NOTHING_SEEN, NOON + timedelta(minutes=1), among=TWO)
    assert [(one.lane, list(one.sync_ids)) for one in requests] == [
        (Lane.INITIAL, of(FIRST)),
        (Lane.INITIAL, of(SECOND)),
    ]
