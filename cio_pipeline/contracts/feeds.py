"""What each feed promises its readers: exports, the stems of file names, what a fingerprint covers.

Data-out has fifteen exports; the other feeds have one, named as they are. A (sync, export) pair of
any feed is planned, leased, delivered and committed alike. Plain facts about a feed are in
`model/feeds.py`; how its rows become files is its module in `pipeline/feeds`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from cio_pipeline.contracts import catalog
from cio_pipeline.contracts.declare import Export, fingerprint
from cio_pipeline.contracts.exports.calls import CALLS, calls_fingerprint
from cio_pipeline.contracts.exports.forwarded import MESSAGES
from cio_pipeline.contracts.message_envelope import DEFAULT_KEY_TEMPLATE
from cio_pipeline.model.errors import UnknownExport
from cio_pipeline.model.feeds import Facts, Feed
from cio_pipeline.model.sync import Sync


@dataclass(frozen=True)
class Promise:
    """A feed's exports by name, and of a sync and an export the stem and the fingerprint."""

    exports: Mapping[str, Export]
    stem: Callable[[Sync, Export], str]
    fingerprint: Callable[[Sync, Export], str]


PROMISES: Mapping[Feed, Promise] = {
    Feed.DATA_OUT: Promise(
        catalog.EXPORTS,
        lambda sync, export: sync.stems.get(export.name, export.stem),
        lambda sync, export: fingerprint(export, sync.version, sync.timestamp_unit),
    ),
    Feed.CALLS: Promise(
        {CALLS.name: CALLS},
        lambda sync, _: ".".join(map(str, sync.file_ids)),
        lambda sync, _: calls_fingerprint(sync.format or "json", sync.timestamp_unit),
    ),
    # Of messages, the stem is the template of their keys.
    Feed.MESSAGES: Promise(
        {MESSAGES.name: MESSAGES},
        lambda sync, _: sync.key_template or DEFAULT_KEY_TEMPLATE,
        lambda sync, export: fingerprint(export, sync.version, sync.timestamp_unit),
    ),
}

FEEDS: Mapping[Feed, Mapping[str, Export]] = {feed: one.exports for feed, one in PROMISES.items()}
"""The exports of each feed, by name."""

ALL_EXPORTS: Mapping[str, Export] = {
    name: export for exports in FEEDS.values() for name, export in exports.items()
}
"""The exports of all feeds by name."""

_SLICES_OF_A_FILE = 4
"""Netting and sorting rows takes several times the memory that encoding them does."""

_ALWAYS_AT_ONCE = 10_000
"""So few rows are never too many, however small files are."""


def changed_rows_at_once(export: Export) -> int:
    """How many changes of an export are read, netted and sorted in memory."""
    return max(export.rows_per_file // _SLICES_OF_A_FILE, _ALWAYS_AT_ONCE)


def rows_read_at_once(table: str) -> int:
    """How many changed rows of a table one scan reads: those of the exports that it drives."""
    driven = [one for one in ALL_EXPORTS.values() if one.source == table] or ALL_EXPORTS.values()
    return min(map(changed_rows_at_once, driven)) // 2


def feed_of(export: str) -> Feed:
    """The feed that an export belongs to; KeyError for an unknown one."""
    return _FEED_OF[export]


def facts_of(export: str) -> Facts:
    """What is special to the feed of an export; KeyError for an unknown one."""
    return _FEED_OF[export].facts


def exports_in(sync: Sync) -> tuple[Export, ...]:
    """The exports that a sync can have, in the catalog's order."""
    return tuple(one for one in FEEDS[sync.feed].values() if one.since <= sync.version)


def exports_named(sync: Sync, names: Collection[str]) -> tuple[str, ...]:
    """Some exports of a sync, in the catalog's order, with those that come together with them.

    Raises UnknownExport for a name that its feed and version do not have.
    """
    known = exports_in(sync)
    for name in names:
        _require(sync, name)
    together = {one.together for one in known if one.name in names} - {None}
    return tuple(one.name for one in known if one.name in names or one.together in together)


def exports_of_sync(sync: Sync) -> tuple[str, ...]:
    """The exports that a sync asks for; see exports_named."""
    if sync.exports == "all":
        return tuple(one.name for one in exports_in(sync))
    return exports_named(sync, sync.exports)


def _require(sync: Sync, name: str) -> None:
    known = [one.name for one in exports_in(sync)]
    if name in known:
        return
    if "version" in sync.feed.facts.options:
        catalog.export(name, sync.version)
    raise UnknownExport(
        f"The feed {sync.feed} has no export '{name}'.", f"It has {', '.join(known)}."
    )


def stem_of(sync: Sync, export: Export) -> str:
    """What the names of a sync's files begin with; it is frozen with each plan."""
    return PROMISES[sync.feed].stem(sync, export)


def exports_of_stems(own: Mapping[str, str]) -> dict[str, str]:
    """Which export of data-out a stem is of; `own` are a sync's stems, by export.

    It may take one of an export that it does not send.
    """
    usual = {one.stem: name for name, one in catalog.EXPORTS.items() if name not in own}
    return usual | {stem: name for name, stem in own.items()}


def fingerprint_of(sync: Sync, export: Export) -> str:
    """The digest of what readers of a sync's files depend on."""
    return PROMISES[sync.feed].fingerprint(sync, export)


_FEED_OF = {name: feed for feed, exports in FEEDS.items() for name in exports}
