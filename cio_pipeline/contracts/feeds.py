"""The exports of each feed. Data-out has fifteen; the other feeds have one, named as they are.

A (sync, export) pair of any feed is planned, leased, delivered and committed alike; what the files
of a feed are made of is in `pipeline.feeds.makers`.
"""

from collections.abc import Collection, Mapping

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import Export
from cio_pipeline.contracts.exports.calls import CALLS, calls_fingerprint
from cio_pipeline.contracts.exports.forwarded import MESSAGES
from cio_pipeline.contracts.fingerprint import fingerprint
from cio_pipeline.contracts.message_envelope import DEFAULT_KEY_TEMPLATE
from cio_pipeline.model.errors import UnknownExport
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import Feed

FEEDS: Mapping[Feed, Mapping[str, Export]] = {
    Feed.DATA_OUT: EXPORTS,
    Feed.CALLS: {CALLS.name: CALLS},
    Feed.MESSAGES: {MESSAGES.name: MESSAGES},
}
"""The exports of each feed, by name."""

ALL_EXPORTS: Mapping[str, Export] = {
    name: export for exports in FEEDS.values() for name, export in exports.items()
}
"""The exports of all feeds by name."""


def require_exports(feed: Feed, names: Collection[str]) -> tuple[str, ...]:
    """The names as they are; raises UnknownExport for one that the feed does not have."""
    for name in names:
        if name not in FEEDS[feed]:
            raise UnknownExport(
                f"The feed {feed} has no export '{name}'.", f"It has {', '.join(FEEDS[feed])}."
            )
    return tuple(names)


def feed_of(export: str) -> Feed:
    """The feed that an export belongs to; KeyError for an unknown one."""
    return _FEED_OF[export]


def forwards(export: str) -> bool:
    """Whether the export forwards what comes in: it has no history to begin with."""
    return feed_of(export) is not Feed.DATA_OUT


def stem_of(sync: Sync, export: Export) -> str:
    """What the names of a sync's files begin with; of messages, the template of their keys.

    It is frozen with each plan.
    """
    if sync.feed is Feed.CALLS:
        return ".".join(map(str, sync.file_ids))
    if sync.feed is Feed.MESSAGES:
        return sync.key_template or DEFAULT_KEY_TEMPLATE
    return sync.stems.get(export.name, export.stem)


def fingerprint_of(sync: Sync, export: Export) -> str:
    """The digest of what readers of a sync's files depend on."""
    if sync.feed is Feed.CALLS:
        return calls_fingerprint(sync.format or "json", sync.timestamp_unit)
    return fingerprint(export, sync.version, sync.timestamp_unit)


_FEED_OF = {name: feed for feed, exports in FEEDS.items() for name in exports}
