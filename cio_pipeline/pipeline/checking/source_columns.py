"""The source's columns against those of the last look (O1)."""

from collections import defaultdict
from collections.abc import Iterator

from cio_pipeline.contracts.feeds import FEEDS
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import SourceError, SourceUnavailable
from cio_pipeline.model.findings import Finding
from cio_pipeline.model.looks import SeenColumns
from cio_pipeline.monitoring.drift import drifted
from cio_pipeline.pipeline.checking.scene import Scene


def source_columns(scene: Scene) -> Iterator[Finding]:
    """Tables of the feed whose columns changed lately. That a source is away is told elsewhere."""
    users: defaultdict[str, list[str]] = defaultdict(list)
    for export in FEEDS[scene.feed].values():
        for table in (export.source, *export.joins):
            users[table].append(export.name)
    tables = [SOURCE_TABLES[name] for name in users]
    # What is seen now is news, however long ago the window was that somebody looks at.
    looks, at = scene.services.ledger.looks, max(scene.window.end, scene.now)
    known = looks.columns()
    try:
        found = scene.services.source.columns(tables)
    except (SourceError, SourceUnavailable):
        # What changed before it went away is not over.
        found = {name: known[name].columns for name in users if name in known}
    seen = {
        name: known[name].followed_by(columns, at)
        if name in known
        else SeenColumns(name, columns, None, scene.window.end)
        for name, columns in found.items()
    }
    news = [one for name, one in seen.items() if known.get(name) != one]
    if news:
        looks.keep_columns(news)
    declared = {one.name: frozenset(column.name for column in one.columns) for one in tables}
    return drifted(seen.values(), at, declared, {name: tuple(its) for name, its in users.items()})
