"""Cuts as the ledger keeps them: decided one at a time, each table once (D6)."""

from dataclasses import replace

from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.cuts import Cut, Rest, TableCut, Waiting
from cio_pipeline_tests.ledger.build import at, claim, cut, register
from cio_pipeline_tests.ledger.test_races import together

WAITING = Waiting(7, 3, at(900), at(1))
REST = {
    "people": Rest(TableCut("id-people", 9), at(2), WAITING),
    "events": Rest(TableCut("id-e", 2), at(3), replace(WAITING, since=None)),
    "metrics": Rest(TableCut("id-m", 0), at(3)),
    "people_late": Rest(TableCut("id-l", 9), at(4), earlier=((3, at(2)), (7, at(3)))),
}


def test_a_cut_comes_back_with_all_that_was_seen_beside_it(ledger: Ledger):
    told = {**cut(1).tables, "events": TableCut("id-e", 8, "7:10:8,9")}
    found = replace(cut(1), tables=told, rest=REST, undecided=frozenset({"metrics"}))
    assert ledger.cuts.decide(found, None, None) == found
    known = ledger.cuts.get(at(1))
    assert known is not None
    assert (known.tables, known.rest, known.undecided) == (told, REST, {"metrics"})


def test_a_cut_is_decided_only_between_the_neighbours_it_was_made_for(ledger: Ledger):
    assert ledger.cuts.decide(cut(2), None, None) == cut(2)
    assert ledger.cuts.decide(cut(1), None, None) is None
    assert ledger.cuts.decide(cut(3), None, None) is None
    assert ledger.cuts.decide(cut(3), cut(2), None) == cut(3)
    assert ledger.cuts.decide(cut(1), None, cut(2)) == cut(1)
    assert ledger.cuts.decide(cut(1), None, cut(3)) is None


def test_only_undecided_tables_of_a_cut_change(ledger: Ledger):
    old, new = TableCut("id-m", 1), TableCut("id-m", 5)
    first = Cut(
        at(1), {"people": TableCut("p", 3), "metrics": old}, undecided=frozenset({"metrics"})
    )
    ledger.cuts.decide(first, None, None)
    again = Cut(at(1), {"people": TableCut("p", 4), "metrics": new})
    wanted = Cut(at(1), {"people": TableCut("p", 3), "metrics": new})
    assert ledger.cuts.decide(again, None, None) == wanted == ledger.cuts.get(at(1))
    known = ledger.cuts.get(at(1))
    assert known is not None
    assert not known.undecided


def test_a_position_made_before_a_cut_was_complete_is_no_other_cut(ledger: Ledger):
    register(ledger, "acme")
    lease = claim(ledger)
    first = replace(cut(1), undecided=frozenset({"events"}))
    ledger.cuts.decide(first, None, None)
    ledger.cuts.decide(Cut(at(1), {**cut(1).tables, "events": TableCut("id-e", 8)}), None, None)
    ledger.plans.advance(lease, lease.tokens, first, at(1))
    (state,) = ledger.registry.states(["people"])
    assert state.position is not None
    assert state.position.tables["events"].version == 8


def test_of_many_that_decide_at_once_each_sees_the_others(ledger: Ledger):
    """Neighbours that nobody was told of would let a cut be older than the one before."""
    done: list[int] = []

    def work(number: int) -> None:
        while True:
            before, after = ledger.cuts.before(at(number)), ledger.cuts.after(at(number))
            if ledger.cuts.decide(cut(number), before, after):
                done.append(number)
                return
            assert (ledger.cuts.before(at(number)), ledger.cuts.after(at(number))) != (
                before,
                after,
            )

    together(work, runners=6)
    assert sorted(done) == list(range(6))
