"""What the source did against its contract is a state: one entry per table and kind (O1)."""

from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.breaches import Breach, Breaches, BreachKind
from cio_pipeline_tests.ledger.build import at
from cio_pipeline_tests.ledger.test_races import together


def back(rows: int, table: str = "people") -> Breach:
    return Breach(table, BreachKind.WENT_BACK, rows)


def test_breaches_are_counted_over_windows_and_once_in_each(ledger: Ledger):
    ledger.breaches.record(at(1), [back(3), back(9, "events")])
    ledger.breaches.record(at(1), [back(3)])  # another cohort read the same
    ledger.breaches.record(at(1), [back(5)])  # who lags read more
    ledger.breaches.record(at(4), [back(2)])
    ledger.breaches.record(at(2), [back(1)])  # run late
    assert ledger.breaches.all() == [
        Breaches(back(9, "events"), at(1), at(1), 1, 9),
        Breaches(back(2), at(1), at(4), 3, 8),
    ]
    assert str(ledger.breaches.all()[1]).startswith("8 rows changed but their time or number did")
    assert "in 3 windows, last cut at 2026-03-01 01:00 UTC" in str(ledger.breaches.all()[1])


def test_breaches_told_at_once_are_all_counted(ledger: Ledger):
    together(lambda number: ledger.breaches.record(at(number), [back(10)]), runners=6)
    (found,) = ledger.breaches.all()
    assert (found.windows, found.rows, found.last_at) == (6, 60, at(5))
