"""What is loaded: a table for each export, or each type of calls, as the contracts have them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cio_pipeline.contracts.catalog import exports_of
from cio_pipeline.contracts.declare import Column, Export
from cio_pipeline.contracts.exports.calls import CALL_TYPES, CALLS, type_export
from cio_pipeline.model.errors import InvalidConfig, UnknownExport
from cio_pipeline.model.feeds import Feed

PERSON = "internal_customer_id"


@dataclass(frozen=True)
class Relation:
    """A table of a warehouse and the files that it is loaded from.

    `names` is a pattern with `*` that the files' names match from beginning to end. `key` tells
    entities apart, of each the row with the largest `newest_by` counts (D1). `split`: files with
    `_chngs_` in their name beat the others in a tie. `about` is how the person of a row is found:
    a column here, and the table and column that it is looked up in, if it is not the person's id
    itself; None where rows are about no one.
    """

    name: str
    title: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    newest_by: str | None
    names: str
    split: bool
    about: tuple[str, str | None] | None

    @property
    def personal(self) -> tuple[Column, ...]:
        """The columns that say something of the person (D4)."""
        return tuple(one for one in self.columns if one.personal)


_Relations: TypeAlias = tuple[Relation, ...]


def data_out(
    version: int, stems: Mapping[str, str], wanted: Collection[str] = ()
) -> tuple[Relation, ...]:
    """The tables of a data-out feed; `stems` are those that a sync names otherwise (D5).

    `wanted` names some of them; empty: all. Raises UnknownExport for a name that is none.
    """
    exports = {one.name: one for one in exports_of(version)}
    _known(wanted, exports)
    return tuple(
        _relation(one, version, stems.get(one.name, one.stem))
        for one in exports.values()
        if not wanted or one.name in wanted
    )


def calls(file_format: str, wanted: Collection[str] = ()) -> tuple[Relation, ...]:
    """The tables of a calls feed, one for each type of call (C2)."""
    _known(wanted, CALL_TYPES)
    return tuple(
        Relation(
            name=kind,
            title=f"Calls of the type {kind}",
            description=CALLS.description,
            columns=type_export(kind).columns,
            key=CALLS.entity_key,
            newest_by="received_at",
            names=f"*.{kind}.{file_format}",
            split=False,
            about=None,
        )
        for kind in CALL_TYPES
        if not wanted or kind in wanted
    )


_OF_FEED: Mapping[Feed, Callable[[int, Mapping[str, str], Collection[str]], _Relations]] = {
    Feed.DATA_OUT: data_out,
    Feed.CALLS: lambda _version, _stems, wanted: calls("parquet", wanted),
}


def relations_of(
    feed: Feed, version: int, stems: Mapping[str, str], wanted: Collection[str]
) -> tuple[Relation, ...]:
    """The tables of a feed; InvalidConfig for one whose objects are no rows of tables."""
    if feed not in _OF_FEED:
        known = " or ".join(f"--feed {one}" for one in _OF_FEED)
        raise InvalidConfig(f"The objects of {feed} are not rows of tables.", f"Use {known}.")
    return _OF_FEED[feed](version, stems, wanted)


def _known(wanted: Collection[str], known: Collection[str]) -> None:
    for name in wanted:
        if name not in known:
            raise UnknownExport(
                f"There is no table '{name}' in this feed.", f"It has {', '.join(known)}."
            )


def _relation(export: Export, version: int, stem: str) -> Relation:
    columns = export.columns_of(version)
    return Relation(
        name=export.name,
        title=export.title,
        description=export.description,
        columns=columns,
        key=tuple(dict.fromkeys(("workspace_id", *export.entity_key))),
        newest_by=export.newest_by,
        names=f"{stem}_v{version}_*.parquet",
        split=export.split,
        about=_about(columns),
    )


def _about(columns: tuple[Column, ...]) -> tuple[str, str | None] | None:
    """The person's id; else what refers to a delivery or a journey, which have it."""
    named = {one.name: one for one in columns}
    if PERSON in named:
        return PERSON, None
    for name, export in (("subject_name", "subjects"), ("delivery_id", "deliveries")):
        if name in named and any(one.personal for one in columns):
            return name, export
    return None
