"""Ten minutes in which runs give no sign of life, told instead of waited for.

`python silence.py MOMENT` (seconds since 1970) tells it of the runs made before, where `CIO_LEDGER`
and `DAGSTER_HOME` say: it needs nothing but the product.
"""

import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import dagster as dg
from sqlalchemy import update

from cio_pipeline.defs.resources import lease_owner
from cio_pipeline.defs.runs import SILENCE, end_dead_runs, unfinished_runs
from cio_pipeline.ledger.open import Ledger, open_ledger
from cio_pipeline.ledger.schema import leases
from cio_pipeline.settings import settings

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def silent_for_long(
    instance: dg.DagsterInstance, ledger: Ledger, dead: Collection[str]
) -> Sequence[str]:
    """Leases of `dead` runs expire, and the sensor misses their signs of life; whom it reports."""
    of_dead = leases.c.owner.in_([lease_owner(one) for one in dead])
    with ledger.database.engine.begin() as connection:
        connection.execute(update(leases).where(of_dead).values(expires_at=LONG_AGO))
    others = [run.run_id for run in unfinished_runs(instance) if run.run_id not in dead]
    now = datetime.now(UTC)
    return end_dead_runs(instance, [lease_owner(one) for one in others], now + 2 * SILENCE)


def main(moment: datetime) -> None:
    """Tell it of the unfinished runs that were made before a moment."""
    with dg.DagsterInstance.get() as instance:
        before = dg.RunsFilter(created_before=moment)
        made = {run.run_id for run in instance.get_runs(before)}
        dead = [run.run_id for run in unfinished_runs(instance) if run.run_id in made]
        silent_for_long(instance, open_ledger(settings().ledger), dead)


if __name__ == "__main__":
    main(datetime.fromtimestamp(float(sys.argv[1]), UTC))
