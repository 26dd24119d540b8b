"""What is amiss with the source tables that an export reads, though the window was delivered."""

from collections.abc import Collection, Iterator

from cio_pipeline.model.cuts import Cut


def source_troubles(tables: Collection[str], cut: Cut | None) -> Iterator[str]:
    """A sentence for each of the tables with commits that wait for a time ahead."""
    for name in sorted(tables):
        waiting = cut.waiting(name) if cut else None
        if waiting is not None:
            yield f"Table {name}: {waiting}"
