from typing import Any

import pytest
from sqlalchemy import event

from cio_pipeline.ledger.chain import list_next, to_list
from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.errors import PositionMoved
from cio_pipeline.model.manifests import ManifestFile, VoidSequence, digest, render_manifest
from cio_pipeline.model.plans import Mode, Series
from cio_pipeline_tests.ledger.build import (
    PEOPLE,
    T0,
    WINDOW,
    at,
    claim,
    commit,
    deliver,
    list_voids,
    manifests,
    new_generation,
    open_plan,
    register,
    seal_and_deliver,
    sealed,
)

EVENTS = ("acme", "events")


@pytest.fixture(autouse=True)
def registered(ledger: Ledger) -> None:
    register(ledger, "acme", "beta")


def test_a_manifest_says_of_files_what_their_plan_says_d10(ledger: Ledger):
    (sent,) = deliver(ledger, claim(ledger), 1).files
    (listed,) = manifests(ledger)
    assert listed.void == ()
    assert list(listed.files) == ledger.manifests.files("acme")
    assert listed.files == (
        ManifestFile(
            key=sent.key,
            export="people",
            series=Series.PLAIN,
            sequence=1,
            part=None,
            rows=10,
            bytes=1_000,
            sha256=sent.sha256,
            fingerprint="f" * 64,
            version=5,
            window_end=at(1),
            generation=1,
            mode=Mode.INITIAL,
            min_time=at(0),
            max_time=None,
        ),
    )


def test_no_commit_no_manifest_d10(ledger: Ledger):
    lease = claim(ledger)
    seal_and_deliver(ledger, lease, sealed(open_plan(ledger, lease, 1)))
    list_voids(ledger)
    assert ledger.manifests.bodies("acme") == []
    deliver(ledger, claim(ledger, EVENTS), 1, EVENTS, count=0)
    assert ledger.manifests.bodies("acme") == [], "nothing was sent"


def test_files_are_in_the_order_of_their_commits(ledger: Ledger):
    lease = claim(ledger, PEOPLE, EVENTS)
    first, second = open_plan(ledger, lease, 1), open_plan(ledger, lease, 1, EVENTS)
    seal_and_deliver(ledger, lease, sealed(first, 2), sealed(second, 12))
    commit(ledger, lease, second)
    commit(ledger, lease, first)
    deliver(ledger, lease, 2, EVENTS)
    keys = [(f.export, f.sequence) for f in ledger.manifests.files("acme")]
    assert keys == [
        *(("events", number) for number in range(1, 13)),
        *(("people", number) for number in (1, 2)),
        ("events", 13),
    ]
    assert [f for one in manifests(ledger) for f in one.files] == ledger.manifests.files("acme")


def test_a_file_is_listed_once_and_ordinals_continue_d10(ledger: Ledger):
    lease = claim(ledger)
    assert ledger.manifests.last("acme") is None
    deliver(ledger, lease, 1)
    (first,) = manifests(ledger)
    assert ledger.manifests.last("acme") == (1, digest(render_manifest(first)))
    deliver(ledger, lease, 2)
    _, second = manifests(ledger)
    assert (second.ordinal, second.previous) == (2, digest(render_manifest(first)))
    assert [f.window_end for f in second.files] == [at(2)]
    assert ledger.manifests.bodies("acme") == [
        (1, render_manifest(first)),
        (2, render_manifest(second)),
    ]
    assert len(ledger.manifests.files("acme")) == 2


def test_a_manifest_tells_where_exports_stand_with_it_d10(ledger: Ledger):
    lease = claim(ledger, PEOPLE, EVENTS)
    plans = [open_plan(ledger, lease, 1), open_plan(ledger, lease, 1, EVENTS)]
    seal_and_deliver(ledger, lease, *(sealed(plan) for plan in plans))
    for plan in plans:
        commit(ledger, lease, plan, step=1)
    stand = [[(s.export, s.position) for s in one.exports] for one in manifests(ledger)]
    assert stand == [
        [("events", None), ("people", at(1))],
        [("events", at(1)), ("people", at(1))],
    ]


def test_void_numbers_are_listed_once_d5_d10(ledger: Ledger):
    lease = claim(ledger)
    plan = open_plan(ledger, lease, 1)
    ledger.plans.seal(lease, [sealed(plan)], T0)
    ledger.plans.abandon(lease, plan, void=True, now=T0)
    list_voids(ledger)
    list_voids(ledger)
    assert [one.void for one in manifests(ledger)] == [(VoidSequence("people", Series.PLAIN, 1),)]


def test_void_numbers_come_with_the_next_commit_d5_d10(ledger: Ledger):
    lease = claim(ledger)
    plan = open_plan(ledger, lease, 1)
    ledger.plans.seal(lease, [sealed(plan)], T0)
    ledger.plans.abandon(lease, plan, void=True, now=T0)
    deliver(ledger, lease, 1)
    (one,) = manifests(ledger)
    assert ([v.sequence for v in one.void], [f.sequence for f in one.files]) == ([1], [2])


def test_manifests_are_unput_until_marked(ledger: Ledger):
    lease = claim(ledger, PEOPLE, ("beta", "people"))
    stored = {}
    for sync_id, step in (("beta", 1), ("acme", 1), ("acme", 2)):
        deliver(ledger, lease, step, (sync_id, "people"))
        made = manifests(ledger, sync_id)[-1]
        stored[sync_id, made.ordinal] = render_manifest(made)
    expected = [(*of, stored[of]) for of in sorted(stored)]
    assert ledger.manifests.unput(["acme", "beta"]) == expected
    ledger.manifests.mark_put([("acme", 1)], T0)
    assert ledger.manifests.unput(["acme", "beta"]) == expected[1:]
    assert ledger.manifests.unput(["beta"]) == expected[2:]


def test_files_can_be_asked_for_one_generation(ledger: Ledger):
    lease = claim(ledger)
    deliver(ledger, lease, 1)
    new_generation(ledger)
    deliver(ledger, lease, 2)
    assert [f.generation for f in ledger.manifests.files("acme")] == [1, 2]
    assert [f.sequence for f in ledger.manifests.files("acme", 2)] == [2]
    assert ledger.manifests.files("beta") == []


def test_files_are_rendered_before_anything_is_locked_d10(ledger: Ledger):
    """A window may send very many: everybody who writes to the ledger would wait meanwhile."""
    lease = claim(ledger)
    plan = open_plan(ledger, lease, 1)
    seal_and_deliver(ledger, lease, sealed(plan, 3))
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    event.listen(ledger.database.engine, "before_cursor_execute", note)
    commit(ledger, lease, plan)
    event.remove(ledger.database.engine, "before_cursor_execute", note)
    reads = [one for one in asked if "files.sha256" in one]
    locks = [one for one in asked if one.startswith(("BEGIN IMMEDIATE", "UPDATE", "INSERT"))]
    assert len(reads) == 1
    assert asked.index(reads[0]) < asked.index(locks[0])


def test_files_that_another_run_listed_are_not_listed_again_d10(ledger: Ledger):
    lease = claim(ledger)
    plan = open_plan(ledger, lease, 1)
    seal_and_deliver(ledger, lease, sealed(plan))
    listed = ledger.database.read(lambda connection: to_list(connection, [plan.plan_id]))
    commit(ledger, lease, plan)
    with pytest.raises(PositionMoved, match="by another run"):
        ledger.database.write(
            lambda connection: list_next(connection, ["acme"], listed, WINDOW, T0)
        )
    assert len(manifests(ledger)) == 1
