"""Committing delivered plans, each sync's together: with its next manifest, or not at all."""

from collections.abc import Collection, Mapping, Sequence
from itertools import islice

from cio_pipeline.model.failures import Failure
from cio_pipeline.model.plans import Plan
from cio_pipeline.model.registry import Lease
from cio_pipeline.model.windows import Window
from cio_pipeline.pipeline.attempt import attempt
from cio_pipeline.pipeline.committing.put_manifests import put_manifests
from cio_pipeline.pipeline.services import Services

COMMIT_AT_ONCE = 100
"""Syncs per transaction."""


def commit(
    services: Services,
    lease: Lease,
    window: Window,
    plans: Collection[Plan],
    *,
    listing: Collection[str] = (),
) -> tuple[dict[str, int], dict[str, Failure]]:
    """Commit delivered plans that are leased, and list what became void of syncs in `listing`.

    Returns how many files each new manifest lists, and who failed, by sync: of these nothing is
    committed, and the others go on (O8).
    """
    of_sync: dict[str, list[Plan]] = {sync_id: [] for sync_id in sorted(listing)}
    for plan in plans:
        of_sync.setdefault(plan.sync_id, []).append(plan)
    listed: dict[str, int] = {}
    failed: dict[str, Failure] = {}
    syncs = iter(of_sync.items())
    while some := dict(islice(syncs, COMMIT_AT_ONCE)):
        failed |= _commit(services, lease, window, some, listed)
    return listed, failed


def _commit(
    services: Services,
    lease: Lease,
    window: Window,
    of_sync: Mapping[str, Sequence[Plan]],
    listed: dict[str, int],
) -> dict[str, Failure]:
    """Commit syncs together, or one by one if any of them fails."""
    plans = [plan for its in of_sync.values() for plan in its]
    failure = attempt(
        lambda: listed.update(
            services.ledger.plans.commit(lease, plans, window, services.clock(), listing=of_sync)
        )
    )
    if failure is None:
        return {}
    if len(of_sync) == 1:
        return dict.fromkeys(of_sync, failure)
    alone = [_commit(services, lease, window, {key: of_sync[key]}, listed) for key in of_sync]
    return {sync_id: failure for failed in alone for sync_id, failure in failed.items()}


def commit_slices(
    services: Services, lease: Lease, window: Window, plans: Sequence[Plan]
) -> dict[str, Failure]:
    """Commit slices of plans that go on, and put their manifests; who failed, by sync."""
    if not plans:
        return {}
    listed, failed = commit(services, lease, window, plans)
    put_manifests(services, window, listed)
    return failed
