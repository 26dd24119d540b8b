"""`cio-pipeline quarantine list`: rows that were held back because they break the contract."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from cio_pipeline.cli.context import scope_of, services
from cio_pipeline.cli.output import print_json, print_table, told
from cio_pipeline.cli.parameters import AsJson, Syncs
from cio_pipeline.contracts.feeds import feed_of
from cio_pipeline.model.plans import QuarantineBulk, QuarantineEntry
from cio_pipeline.model.windows import window_ending


def list_(
    sync: Syncs = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those sent since.")] = False,
    as_json: AsJson = False,
) -> None:
    """List quarantined rows by their key, with the reason; values are never shown.

    Very many rows of one window are told by reason, with how many they are and a few of them.
    """
    found = services()
    scope = scope_of(found.ledger.registry, sync or [])
    quarantine = found.ledger.quarantine
    entries = quarantine.entries(scope.sync_ids, None if everything else "open")
    bulk = quarantine.bulk(scope.sync_ids)
    if as_json:
        print_json([{**asdict(one), "window": _window(one)} for one in (*entries, *bulk)])
        return
    columns = ("sync", "feed", "export", "row", "reason", "rows", "window (UTC)", "state")
    rows = [
        (
            one.sync_id,
            feed_of(one.export),
            one.export,
            _some(one) if isinstance(one, QuarantineBulk) else _key(one.identity),
            one.reason,
            one.count,
            _window(one),
            "open" if isinstance(one, QuarantineBulk) else one.state,
        )
        for one in (*entries, *bulk)
    ]
    print_table("Quarantine", columns, rows, "empty")


def _some(bulk: QuarantineBulk) -> str:
    return f"{bulk.identities:,} rows, like {'; '.join(map(_key, bulk.samples))}"


def _key(identity: str) -> str:
    """A row's key without the punctuation of JSON."""
    return told(json.loads(identity))


def _window(held: QuarantineEntry | QuarantineBulk) -> str:
    return window_ending(held.window_end, feed_of(held.export)).key
