"""How each feed is shown in Dagster: its names, keys and owner. All else is derived from them."""

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.exports.calls import CALL_TYPES, CALLS
from cio_pipeline.contracts.exports.forwarded import MESSAGES
from cio_pipeline.model.feeds import Feed


def export_key(name: str) -> dg.AssetKey:
    """The asset key of an export."""
    return dg.AssetKey(name)


def call_key(kind: str) -> dg.AssetKey:
    """The asset key of a type of call."""
    return dg.AssetKey([SHOWN[Feed.CALLS].group, kind])


@dataclass(frozen=True)
class Shown:
    """A feed's group of assets, whose it is, its job with a summary, its sensor and its manifest.

    `checked` says which asset carries the check of an export.
    """

    group: str
    owner: str
    job: str
    summary: str
    sensor: str
    manifest: dg.AssetKey
    checked: Mapping[str, dg.AssetKey]


SHOWN: Mapping[Feed, Shown] = {
    Feed.DATA_OUT: Shown(
        "data_out",
        "team:data-out",
        "data_out",
        "All exports of one window, then the manifests, then the checks.",
        "export_sensor",
        dg.AssetKey("manifest"),
        {name: export_key(name) for name in EXPORTS},
    ),
    # The types of calls share a position: what is amiss concerns them all.
    Feed.CALLS: Shown(
        "calls",
        "team:calls",
        "calls",
        "All calls of one window, then the manifests.",
        "calls_sensor",
        dg.AssetKey(["calls", "manifest"]),
        {CALLS.name: dg.AssetKey(["calls", "manifest"])},
    ),
    Feed.MESSAGES: Shown(
        "messages",
        "team:messages",
        "messages_feed",
        "All messages of one window, then the manifests.",
        "messages_sensor",
        dg.AssetKey(["messages", "manifest"]),
        {MESSAGES.name: export_key(MESSAGES.name)},
    ),
}


def file_keys(feed: Feed) -> list[dg.AssetKey]:
    """The assets that send a feed's files."""
    shown = SHOWN[feed]
    sent = [key for key in shown.checked.values() if key != shown.manifest]
    return sent or [call_key(kind) for kind in CALL_TYPES]
