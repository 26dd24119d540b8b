"""The page about feeds, of the syncs that a ledger knows: for the command line and for Dagster."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cio_pipeline.model.errors import CioError, InvalidConfig, NothingDelivered
from cio_pipeline.model.registry import RegisteredSync
from cio_pipeline.pipeline.services import Services
from cio_pipeline.reader.feed import Feed
from cio_pipeline.reader.report.facts import Facts, Held, facts_of
from cio_pipeline.reader.report.page import page

WINDOWS = 96
"""So many windows are shown one by one."""


@dataclass
class Reported:
    """What a page is of, and the syncs whose bucket could not be read, with the reason."""

    told: list[Facts] = field(default_factory=list[Facts])
    failed: list[tuple[str, CioError]] = field(default_factory=list[tuple[str, CioError]])


def write_report(
    services: Services, syncs: Sequence[RegisteredSync], out: Path, at: datetime, windows: int
) -> Reported:
    """Write the page of some syncs; one that cannot be read keeps no other off it (O8).

    Raises InvalidConfig if the file cannot be written.
    """
    done = Reported()
    for one in syncs:
        try:
            done.told.append(_facts(services, one, windows))
        except NothingDelivered:
            continue
        except CioError as error:
            done.failed.append((one.sync.id, error))
    try:
        _write(out, page(done.told, at))
    except OSError as error:
        raise InvalidConfig(f"{out} cannot be written: {error.strerror}.", "Use --out.") from error
    return done


def _write(out: Path, text: str) -> None:
    """Put a page where it is asked for once it is whole: half of one takes no other's place."""
    if out.exists() and not out.is_file():
        out.write_text(text, encoding="utf-8")
        return
    whole = out.resolve()
    part = whole.with_name(f"{whole.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(whole)
    finally:
        part.unlink(missing_ok=True)


def _facts(services: Services, registered: RegisteredSync, windows: int) -> Facts:
    sync = registered.sync
    feed = Feed(services.destinations(sync), stems=sync.stems)
    return facts_of(sync.id, feed, windows, _held(services, sync.id))


def _held(services: Services, sync_id: str) -> list[Held]:
    quarantine = services.ledger.quarantine
    rows = (*quarantine.entries([sync_id], "open"), *quarantine.bulk([sync_id]))
    sums: dict[tuple[str, str], int] = {}
    for one in rows:
        key = (one.export, one.reason)
        sums[key] = sums.get(key, 0) + one.count
    return [Held(export, reason, count) for (export, reason), count in sorted(sums.items())]
