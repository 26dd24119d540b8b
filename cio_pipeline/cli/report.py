"""`cio-pipeline report`: a page about feeds, to look at and to send on."""

from pathlib import Path
from typing import Annotated

import typer

from cio_pipeline.cli.context import services
from cio_pipeline.model.errors import CioError, InvalidConfig, NothingDelivered
from cio_pipeline.model.registry import RegisteredSync
from cio_pipeline.pipeline.services import Services
from cio_pipeline.reader.feed import Feed
from cio_pipeline.reader.report.facts import Facts, Held, facts_of
from cio_pipeline.reader.report.page import page
from cio_pipeline.wiring import now


def report(
    syncs: Annotated[
        list[str] | None, typer.Argument(metavar="[SYNC]...", help="Ids of syncs; none: all.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The file; what is there is written over.")] = Path(
        "report.html"
    ),
    windows: Annotated[int, typer.Option(min=1, help="So many windows one by one.")] = 96,
) -> None:
    """Write a page about feeds: what came when, files, funnel, opens, what was held back.

    One HTML file that needs no network, for light and dark, desktop and phone. Numbers are read
    from the buckets; what was held back, from the ledger. A sync whose bucket cannot be read is
    named and left out, and the exit code is 1.
    """
    found = services()
    registry = found.ledger.registry
    chosen = [registry.get(one) for one in syncs] if syncs else registry.all()
    told: list[Facts] = []
    failed: list[tuple[str, CioError]] = []
    for one in chosen:
        try:
            told.append(_facts(found, one, windows))
        except NothingDelivered:
            continue
        except CioError as error:
            failed.append((one.sync.id, error))
    try:
        out.write_text(page(told, now()), encoding="utf-8")
    except OSError as error:
        raise InvalidConfig(f"{out} cannot be written: {error.strerror}.", "Use --out.") from error
    typer.echo(f"Wrote {out}: {len(told)} of {len(chosen)} syncs have delivered something.")
    for sync_id, error in failed:
        typer.echo(f"Left out {sync_id}: {error.message} {error.next_step}".rstrip(), err=True)
    if failed:
        raise typer.Exit(1)


def _facts(found: Services, registered: RegisteredSync, windows: int) -> Facts:
    sync = registered.sync
    feed = Feed(found.destinations(sync), stems=sync.stems)
    return facts_of(sync.id, feed, windows, _held(found, sync.id))


def _held(found: Services, sync_id: str) -> list[Held]:
    quarantine = found.ledger.quarantine
    rows = (*quarantine.entries([sync_id], "open"), *quarantine.bulk([sync_id]))
    sums: dict[tuple[str, str], int] = {}
    for one in rows:
        key = (one.export, one.reason)
        sums[key] = sums.get(key, 0) + one.count
    return [Held(export, reason, count) for (export, reason), count in sorted(sums.items())]
