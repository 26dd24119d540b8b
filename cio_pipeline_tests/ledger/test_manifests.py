from dataclasses import replace

import pytest

from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.errors import LeaseLost
from cio_pipeline.model.manifests import ManifestFile, VoidSequence, digest, render
from cio_pipeline.model.plans import Mode, Series
from cio_pipeline_tests.ledger.build import (
    PEOPLE,
    T0,
    at,
    claim,
    deliver,
    manifest,
    new_generation,
    open_plan,
    register,
    sealed,
    store_manifest,
)

EVENTS = ("acme", "events")


@pytest.fixture(autouse=True)
def registered(ledger: Ledger) -> None:
    register(ledger, "acme", "beta")


def test_pending_files_carry_what_their_plan_says_d10(ledger: Ledger):
    (sent,) = deliver(ledger, claim(ledger), 1).files
    files, voids = ledger.manifests.pending(["acme", "beta"])["acme"]
    assert list(voids) == []
    assert list(files) == [
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
        )
    ]


def test_no_commit_no_manifest_d10(ledger: Ledger):
    lease = claim(ledger)
    ledger.plans.seal(lease, [sealed(open_plan(ledger, lease, 1))], T0)
    assert ledger.manifests.pending(["acme", "beta"]) == {}


def test_files_are_in_the_order_of_their_commits(ledger: Ledger):
    lease = claim(ledger, PEOPLE, EVENTS)
    first, second = open_plan(ledger, lease, 1), open_plan(ledger, lease, 1, EVENTS)
    ledger.plans.seal(lease, [sealed(first, 2), sealed(second, 12)], T0)
    ledger.plans.commit(lease, [second], T0)
    ledger.plans.commit(lease, [first], T0)
    deliver(ledger, lease, 2, EVENTS)
    keys = [(f.export, f.sequence) for f in ledger.manifests.files("acme")]
    assert keys == [
        *(("events", number) for number in range(1, 13)),
        *(("people", number) for number in (1, 2)),
        ("events", 13),
    ]
    assert [f.key for f in ledger.manifests.pending(["acme"])["acme"][0]] == [
        f.key for f in ledger.manifests.files("acme")
    ]


def test_a_file_is_listed_once_and_ordinals_continue_d10(ledger: Ledger):
    lease = claim(ledger)
    assert ledger.manifests.last("acme") is None
    deliver(ledger, lease, 1)
    first = store_manifest(ledger)
    assert ledger.manifests.last("acme") == (1, digest(render(first)))
    assert ledger.manifests.pending(["acme"]) == {}
    deliver(ledger, lease, 2)
    second = store_manifest(ledger)
    assert (second.ordinal, second.previous) == (2, digest(render(first)))
    assert [f.window_end for f in second.files] == [at(2)]
    assert ledger.manifests.bodies("acme") == [(1, render(first)), (2, render(second))]
    assert len(ledger.manifests.files("acme")) == 2


def test_void_numbers_are_listed_once_d5_d10(ledger: Ledger):
    lease = claim(ledger)
    plan = open_plan(ledger, lease, 1)
    ledger.plans.seal(lease, [sealed(plan)], T0)
    ledger.plans.abandon(lease, plan, void=True, now=T0)
    stored = store_manifest(ledger)
    assert stored.void == (VoidSequence("people", Series.PLAIN, 1),)
    assert ledger.manifests.pending(["acme"]) == {}


def test_a_taken_ordinal_or_a_broken_chain_stores_nothing_d10(ledger: Ledger):
    lease = claim(ledger)
    deliver(ledger, lease, 1)
    late = manifest(ledger)
    store_manifest(ledger)
    deliver(ledger, lease, 2)
    fresh = manifest(ledger)
    for wrong in (
        late,
        replace(fresh, ordinal=1, previous=None),
        replace(fresh, ordinal=3),
        replace(fresh, previous="0" * 64),
        replace(fresh, files=fresh.files + late.files),
    ):
        with pytest.raises(LeaseLost, match="of sync 'acme'"):
            ledger.manifests.store([(wrong, render(wrong))])
    assert len(ledger.manifests.bodies("acme")) == 1
    ledger.manifests.store([(fresh, render(fresh))])


def test_manifests_are_unput_until_marked(ledger: Ledger):
    lease = claim(ledger, PEOPLE, ("beta", "people"))
    stored = {}
    for sync_id, step in (("beta", 1), ("acme", 1), ("acme", 2)):
        deliver(ledger, lease, step, (sync_id, "people"))
        made = store_manifest(ledger, sync_id)
        stored[sync_id, made.ordinal] = render(made)
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
