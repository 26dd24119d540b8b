"""What a newer version of the contract has otherwise, for readers who are about to change (D7)."""

from collections.abc import Iterator
from dataclasses import dataclass

from cio_pipeline.contracts.catalog import exports_of
from cio_pipeline.contracts.declare import Column, Export


@dataclass(frozen=True)
class Difference:
    """One thing that changes for the readers of an export; `column` is None if it is the whole.

    `before` and `after` are words for people; None where there is nothing.
    """

    export: str
    column: str | None
    what: str
    before: str | None
    after: str | None


def differences(old: int, new: int) -> list[Difference]:
    """All that changes from one version to another, in the order of exports and columns."""
    return [
        found
        for export in exports_of(new)
        for found in (
            _changed(export, old, new)
            if export.since <= old
            else [
                Difference(export.name, None, "new export", None, f"{len(export.columns)} columns")
            ]
        )
    ]


def _changed(export: Export, old: int, new: int) -> Iterator[Difference]:
    before = {one.name: one for one in export.columns_of(old)}
    after = {one.name: one for one in export.columns_of(new)}
    for name in before.keys() - after.keys():
        yield Difference(export.name, name, "removed column", _kind(before[name]), None)
    for name, column in after.items():
        if name not in before:
            yield Difference(export.name, name, "new column", None, _kind(column))
            continue
        if _kind(before[name]) != _kind(column):
            yield Difference(export.name, name, "other type", _kind(before[name]), _kind(column))
        if before[name].description != column.description:
            yield Difference(
                export.name, name, "other meaning", before[name].description, column.description
            )


def _kind(column: Column) -> str:
    return f"{column.type.value}, {'required' if column.required else 'may be null'}"
