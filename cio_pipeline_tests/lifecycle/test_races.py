"""D7: two verbs on one sync at once, on PostgreSQL, end as if one had come after the other.

Who is refused is told so, and has done nothing at all.
"""

import threading
from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement
from typing import Any

import pytest

from cio_pipeline.model.errors import LeaseLost
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.lifecycle import holding
from cio_pipeline.pipeline.lifecycle.apply import apply_syncs
from cio_pipeline_tests.crashes import watched
from cio_pipeline_tests.lifecycle.at_once import (
    DISABLED,
    ENABLED,
    REFUSED,
    Act,
    Known,
    prepare,
    told_by,
)
from cio_pipeline_tests.postgres import Cluster
from cio_pipeline_tests.waiting import PATIENCE
from cio_pipeline_tests.world import NOON, World

ACTS = {"enabled": ENABLED, "disabled": DISABLED}
AT_ONCE = [
    (state, *names)
    for state, acts in ACTS.items()
    for names in combinations_with_replacement(acts, 2)
]
AMIDST = [
    (state, one, "pause")
    for state, acts in ACTS.items()
    for one in acts
    if one in {"move", "upgrade", "disable", "recreate", "enable", "purge"}
]


@pytest.fixture(scope="module")
def known(
    postgres_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Known]]:
    """Syncs enough for each case, since a sync and its window cost little among many."""
    found: dict[str, Known] = {}
    for state, acts in ACTS.items():
        world = World(tmp_path_factory.mktemp(state), ledger_url=postgres_cluster.new_schema())
        cases = [one for one in (*AT_ONCE, *AMIDST) if one[0] == state]
        numbers = list(range(1, len(acts) * (len(acts) + 1) + len(cases) + 1))
        prepare(world, numbers, disabled=state == "disabled")
        found[state] = Known(world, acts, numbers)
    yield found
    for one in found.values():
        one.world.ledger.close()


class _Meet:
    """Lets a run wait for the other one once it has read what the sync is."""

    def __init__(self, barrier: threading.Barrier) -> None:
        self._barrier, self._met = barrier, False

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:
        done = effect()
        if not self._met and name in {"registry.get", "registry.all", "registry.states"}:
            self._met = True
            self._barrier.wait(PATIENCE)
        return done


class _Amidst:
    """Does something before each effect of a run that holds a lease."""

    def __init__(self, first: Callable[[], None]) -> None:
        self._first, self._holds = first, False

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:
        if self._holds:
            self._first()
        done = effect()
        self._holds = (self._holds or name == "leases.claim") and name != "leases.release"
        return done


@pytest.mark.parametrize(("state", "one", "other"), AT_ONCE)
def test_d7_two_verbs_at_once_end_as_one_after_the_other(
    known: dict[str, Known], state: str, one: str, other: str
) -> None:
    its = known[state]
    number, barrier = its.unused.pop(), threading.Barrier(2)
    told: dict[str, object] = {}

    def run(who: str, act: Act) -> None:
        run = watched(its.world.as_run(who), _Meet(barrier), who)
        told[who] = told_by(act, its.world, run, number)

    acts = {"ann": its.acts[one], "bob": its.acts[other]}
    threads = [threading.Thread(target=run, args=pair) for pair in acts.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = (told["ann"], told["bob"]), its.settled(number, (one, other))
    assert found in its.allowed(one, other)


@pytest.mark.parametrize(("state", "one", "other"), AMIDST)
def test_d7_what_a_sync_is_does_not_change_while_a_verb_works_on_it(
    known: dict[str, Known],
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    one: str,
    other: str,
) -> None:
    """A pause amidst `recreate` left an emptied bucket, and a ledger that took it for whole."""
    monkeypatch.setattr(holding, "PAUSE_SECONDS", 0.0)
    its = known[state]
    number = its.unused.pop()
    bob, told = its.world.as_run("bob"), list[object]()

    def first() -> None:
        told.append(told_by(its.acts[other], its.world, bob, number))

    ann = watched(its.world.as_run("ann"), _Amidst(first), "ann")
    done = told_by(its.acts[one], its.world, ann, number)
    assert set(told) == {REFUSED}
    assert ((done, REFUSED), its.settled(number, (one, other))) in its.allowed(one, other)


def test_d7_of_two_who_register_a_sync_at_once_one_is_told_of_the_other(
    postgres_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Both were told "created", and the second one's configuration stood."""
    folder = tmp_path_factory.mktemp("new")
    world = World(folder, ledger_url=postgres_cluster.new_schema())
    barrier, told = threading.Barrier(2), dict[str, object]()

    def run(who: str) -> None:
        sync = Sync.model_validate(
            {
                "id": "a",
                "workspace_id": 1,
                "owner": who,
                "destination": {"type": "local", "path": "bucket/a"},
            }
        )
        services = watched(world.as_run(who), _Meet(barrier), who)
        try:
            told[who] = apply_syncs(services, [sync], lambda _: ("local", "a"), NOON, who)[0].action
        except LeaseLost:
            told[who] = REFUSED

    threads = [threading.Thread(target=run, args=(who,)) for who in ("ann", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, told.values())) == ["created", REFUSED]
    assert told[str(world.ledger.registry.get("a").sync.owner)] == "created"
    world.ledger.close()
