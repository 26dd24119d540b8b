"""What is amiss with the source tables that an export reads, though the window was delivered."""

from collections.abc import Collection, Iterable, Iterator

from cio_pipeline.model.breaches import Breaches
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.windows import Window


def source_troubles(
    tables: Collection[str], window: Window, cut: Cut | None, known: Iterable[Breaches]
) -> Iterator[str]:
    """Sentences: of the tables, commits that wait for a time ahead, and breaches in the window."""
    for name in sorted(tables):
        waiting = cut.waiting(name) if cut else None
        if waiting is not None:
            yield f"Table {name}: {waiting}"
    for one in known:
        if one.last_at == window.end and one.last.table in tables:
            yield str(one.last)
