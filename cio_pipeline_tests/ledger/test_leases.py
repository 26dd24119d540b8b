import pytest

from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.errors import LeaseLost
from cio_pipeline.model.registry import Lease, LeaseHolder, Pair
from cio_pipeline_tests.ledger.build import PEOPLE, T0, TTL, claim

EVENTS = ("acme", "events")
LATER = T0 + TTL


def require(ledger: Ledger, lease: Lease, pair: Pair = PEOPLE) -> None:
    for lost in ledger.leases.lost(lease, [pair]).values():
        raise lost


def test_a_free_pair_is_granted_and_a_held_one_names_its_holder(ledger: Ledger):
    first = claim(ledger, PEOPLE)
    assert (first.owner, first.expires_at, dict(first.tokens)) == ("run-1", LATER, {PEOPLE: 1})
    second, holders = ledger.leases.claim([PEOPLE, EVENTS], "run-2", T0, TTL)
    assert dict(second.tokens) == {EVENTS: 1}
    assert holders == [LeaseHolder(*PEOPLE, "run-1", LATER)]


def test_an_expired_lease_is_taken_over_and_its_owner_fenced_off(ledger: Ledger):
    zombie = claim(ledger, PEOPLE)
    taken = claim(ledger, PEOPLE, owner="run-2", now=LATER)
    assert taken.tokens[PEOPLE] == 2
    for use in (
        lambda: require(ledger, zombie),
        lambda: ledger.leases.renew(zombie, LATER, TTL),
    ):
        with pytest.raises(LeaseLost, match="'people' of sync 'acme'"):
            use()
    ledger.leases.release(zombie)
    require(ledger, taken)


def test_claiming_again_as_the_same_owner_fences_off_the_earlier_self(ledger: Ledger):
    before = claim(ledger)
    after = claim(ledger)
    assert after.tokens[PEOPLE] == before.tokens[PEOPLE] + 1
    require(ledger, after)
    with pytest.raises(LeaseLost):
        require(ledger, before)


def test_each_lost_pair_among_many_is_told_by_name(ledger: Ledger):
    lease = claim(ledger, PEOPLE, EVENTS)
    claim(ledger, EVENTS, owner="run-2", now=LATER)
    lost = ledger.leases.lost(lease, [PEOPLE, EVENTS, ("nobody", "people")])
    assert lost.keys() == {EVENTS, ("nobody", "people")}
    assert "'events' of sync 'acme'" in str(lost[EVENTS])


def test_a_released_pair_is_free_and_its_token_grows_on(ledger: Ledger):
    first = claim(ledger)
    ledger.leases.release(first)
    with pytest.raises(LeaseLost):
        require(ledger, first)
    assert claim(ledger, owner="run-2").tokens[PEOPLE] == 2


def test_renewing_pushes_the_expiry_of_all_pairs(ledger: Ledger):
    lease = ledger.leases.renew(claim(ledger, PEOPLE, EVENTS), LATER, TTL)
    assert lease.expires_at == LATER + TTL
    _, holders = ledger.leases.claim([PEOPLE, EVENTS], "run-2", LATER, TTL)
    assert [holder.expires_at for holder in holders] == [LATER + TTL] * 2


def test_renewing_when_one_pair_is_lost_renews_the_others(ledger: Ledger):
    lease = claim(ledger, PEOPLE, EVENTS)
    claim(ledger, EVENTS, owner="run-2", now=LATER)
    assert dict(ledger.leases.renew(lease, LATER, TTL).tokens) == {PEOPLE: 1}
    _, holders = ledger.leases.claim([PEOPLE, EVENTS], "run-3", LATER, TTL)
    assert [holder.owner for holder in holders] == ["run-2", "run-1"]
    assert holders == ledger.leases.holders(LATER)
    claim(ledger, PEOPLE, owner="run-3", now=LATER + TTL)
    with pytest.raises(LeaseLost):
        ledger.leases.renew(lease, LATER + TTL, TTL)


def test_a_pair_that_was_never_claimed_is_not_held(ledger: Ledger):
    lease = claim(ledger, PEOPLE)
    with pytest.raises(LeaseLost):
        require(ledger, lease, EVENTS)


def test_thousands_of_pairs_go_in_bulk(ledger: Ledger):
    pairs = [(f"sync-{number}", "people") for number in range(1_100)]
    lease = claim(ledger, *pairs)
    assert len(lease.tokens) == 1_100
    ledger.leases.release(ledger.leases.renew(lease, T0, TTL))
    assert set(claim(ledger, *pairs, owner="run-2").tokens.values()) == {2}


def test_claiming_nothing_grants_nothing(ledger: Ledger):
    lease, holders = ledger.leases.claim([], "run-1", T0, TTL)
    assert (dict(lease.tokens), list(holders)) == ({}, [])


def test_owners_are_those_whose_lease_has_neither_expired_nor_been_given_back(ledger: Ledger):
    released = claim(ledger, PEOPLE)
    claim(ledger, EVENTS, owner="run-2")
    assert set(ledger.leases.owners(T0)) == {"run-1", "run-2"}
    ledger.leases.release(released)
    assert set(ledger.leases.owners(T0)) == {"run-2"}
    assert set(ledger.leases.owners(LATER)) == set()
