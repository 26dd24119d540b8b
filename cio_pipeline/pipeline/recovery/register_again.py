"""How a sync is registered again after the ledger was lost: its switches and its age."""

from datetime import datetime, timedelta

from cio_pipeline.contracts.feeds import ALL_EXPORTS, exports_of_sync
from cio_pipeline.model.recovery import Registration
from cio_pipeline.model.registry import ExportSwitch
from cio_pipeline.model.windows import window_holding
from cio_pipeline.pipeline.recovery.bucket_chain import BucketChain

JUST_BEFORE = timedelta(microseconds=1)


def registration(chain: BucketChain, now: datetime) -> Registration:
    """A sync as the sync file says; what was paused when the last manifest was written stays so."""
    paused = _paused_since(chain)
    wanted = set(exports_of_sync(chain.sync))
    sent = {status.export for status in chain.statuses}
    switches = {
        name: ExportSwitch(enabled=False, paused_at=paused.get(name, now))
        if name in paused or name not in wanted
        else ExportSwitch(enabled=True)
        for name in ALL_EXPORTS
        if name in wanted or name in sent
    }
    return Registration(chain.sync, switches, served_since(chain, now))


def _paused_since(chain: BucketChain) -> dict[str, datetime]:
    """Exports that are paused by the last manifest, and the first one in a row that says so."""
    since: dict[str, datetime] = {}
    for manifest, _ in chain.manifests:
        paused = {status.export for status in manifest.exports if status.state == "paused"}
        since = {name: since.get(name, manifest.created_at) for name in paused}
    return since


def served_since(chain: BucketChain, now: datetime) -> datetime:
    """The start of the first window that sent anything in the last generation, else now."""
    ends = [
        file.window_end
        for manifest, _ in chain.manifests
        for file in manifest.files
        if file.generation == chain.generation
    ]
    return window_holding(min(ends) - JUST_BEFORE, chain.sync.feed).start if ends else now
