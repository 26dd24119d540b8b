"""`cio-pipeline export --now`: what was committed up to now, without waiting for a window's end."""

from collections.abc import Collection
from functools import partial

from cio_pipeline.cli.held import tries
from cio_pipeline.cli.sent import Held, NotContinued, SentRow, WindowRun, who_holds
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.send_now import SentExport, SentNow, feeds_with_syncs, send_now
from cio_pipeline.pipeline.services import Services


def run_now(
    services: Services, scope: Scope, feeds: Collection[Feed], *, wait: bool
) -> list[WindowRun]:
    """Send what there is of some feeds, or of all that the syncs are of."""

    def once(feed: Feed) -> WindowRun:
        return _described(send_now(services, feed, scope))

    return [
        run
        for feed in feeds or feeds_with_syncs(services.ledger.registry, scope)
        for run in tries(partial(once, feed), who_holds, wait=wait)
    ]


def _described(found: SentNow) -> WindowRun:
    errors = tuple(found.errors)
    batches = [one.batch for one in found.exports if one.batch is not None]
    return WindowRun(
        found.window.key,
        "",
        not errors,
        tuple(_sent(found.window, one) for one in found.exports),
        errors,
        tuple(NotContinued(one.sync_id, one.told) for one in found.written if one.error),
        tuple(
            Held(one.sync_id, one.export, one.owner, f"{one.expires_at:%H:%M:%S}")
            for batch in batches
            for one in batch.busy
        ),
        tuple(dict.fromkeys(notice for one in found.exports for notice in one.notices)),
    )


def _sent(window: Window, one: SentExport) -> SentRow:
    outcomes = one.outcomes
    return SentRow(
        window.key,
        one.export,
        syncs=sum(bool(outcome.files) for outcome in outcomes),
        files=sum(outcome.files for outcome in outcomes),
        rows=sum(outcome.rows for outcome in outcomes),
        bytes=sum(outcome.bytes for outcome in outcomes),
        quarantined=sum(outcome.quarantined for outcome in outcomes),
        failed=sum(outcome.error is not None for outcome in outcomes),
        busy=len(one.batch.busy) if one.batch else 0,
    )
