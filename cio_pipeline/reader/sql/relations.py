"""What is loaded: the tables of a feed, and the names of the files that they are loaded from."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import Column
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.feeds import Feed
from cio_pipeline.reader.tables import KINDS, Table, table_named

PERSON = "internal_customer_id"


@dataclass(frozen=True)
class Relation(Table):
    """A table of a warehouse and the files that it is loaded from.

    `names` is a pattern with `*` that the files' names match from beginning to end, `stem` what
    they begin with where that is not the contract's. `split`: files with `_chngs_` in their name
    beat the others in a tie. `about` is how the person of a row is found: a column here, and the
    table that it is looked up in, if it is not the person's id itself; None where rows are about no
    one.
    """

    names: str
    split: bool
    about: tuple[str, str | None] | None
    stem: str | None = None

    @property
    def personal(self) -> tuple[Column, ...]:
        """The columns that say something of the person (D4)."""
        return tuple(one for one in self.columns if one.personal)


Stems = Mapping[str, str]
"""What a sync names the files of an export otherwise, by export (D5)."""


def _of_export(table: Table, version: int, stems: Stems) -> Relation:
    export = EXPORTS[table.name]
    stem, about = stems.get(export.name), _about(table.columns)
    names = f"{stem or export.stem}_v{version}_*.parquet"
    return Relation(**vars(table), names=names, split=export.split, about=about, stem=stem)


def _of_calls(table: Table, version: int, stems: Stems) -> Relation:
    del version, stems
    return Relation(**vars(table), names=f"*.{table.name}.parquet", split=False, about=None)


_OF_FEED: Mapping[Feed, Callable[[Table, int, Stems], Relation]] = {
    Feed.DATA_OUT: _of_export,
    Feed.CALLS: _of_calls,
}


def relations_of(
    feed: Feed, version: int = 0, stems: Stems | None = None, wanted: Collection[str] = ()
) -> tuple[Relation, ...]:
    """The tables of a feed; `wanted` names some of them, empty: all.

    Raises InvalidConfig for a feed whose objects are no rows of tables and for tables whose files
    have the same names, UnknownExport for a name that is none.
    """
    if feed not in _OF_FEED:
        known = " or ".join(f"--feed {one}" for one in _OF_FEED)
        raise InvalidConfig(f"The objects of {feed} are not rows of tables.", f"Use {known}.")
    tables = KINDS[feed].tables(version)
    chosen = {table_named(tables, name).name for name in wanted}
    found = tuple(
        _OF_FEED[feed](one, version, stems or {})
        for one in tables
        if not wanted or one.name in chosen
    )
    _require_apart(found)
    return found


def _require_apart(relations: Collection[Relation]) -> None:
    """Raise InvalidConfig if files of one name would be loaded into two tables."""
    of: dict[str, str] = {}
    for one in relations:
        if (other := of.setdefault(one.names, one.name)) != one.name:
            raise InvalidConfig(
                f"Files of {other} and {one.name} have the same names, {one.names}.",
                "Give each a stem of its own, or ask for one of them with --table.",
            )


def _about(columns: tuple[Column, ...]) -> tuple[str, str | None] | None:
    """The person's id; else what refers to a journey or a delivery, which have it."""
    named = {one.name for one in columns}
    if PERSON in named:
        return PERSON, None
    for name, export in (("subject_name", "subjects"), ("delivery_id", "deliveries")):
        if name in named and any(one.personal for one in columns):
            return name, export
    return None
