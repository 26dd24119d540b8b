"""Whether a table can be read as it is, and whether a position is one of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from psycopg.sql import SQL, Literal

from cio_pipeline.contracts.declare import TableKind
from cio_pipeline.model.cuts import TableCut
from cio_pipeline.model.errors import (
    SourceError,
    SourceGone,
    SourceUnavailable,
    TableReplaced,
    VersionGone,
)
from cio_pipeline.sources.postgres.catalog import (
    CHANGE_XID,
    STAMP,
    STAMP_BEFORE,
    TRIGGERS,
    Database,
    Relation,
)
from cio_pipeline.sources.postgres.keeping import bodies, has_its_columns, keeps_what_is_read
from cio_pipeline.sources.postgres.positions import Piece, Position

NO_INDEX = f"there is no index on {CHANGE_XID}"
OTHER_COLUMNS = "what keeps its earlier rows keeps other columns than are read"
SWAPPED = (
    "columns were dropped and made again, or took the place of others: to `source install` their "
    "values are what they were; where they are not, register the syncs under new ids"
)
MENDED_IN_PLACE = frozenset({NO_INDEX, OTHER_COLUMNS, SWAPPED})
"""What is mended without a loss of positions."""

_UNLOGGED = "it is unlogged: a crash of the server empties it, and no trigger sees that"


_LAST = "its trigger {} fires after ours, and may undo it: let its name begin with a letter of a-z"
_ELSEWHERE = {"m": "materialized view", "f": "foreign table"}


def problems_of(relation: Relation, where: Database) -> list[str]:
    """What keeps a relation from being read, one phrase each."""
    wrong = list(relation.wrong)
    if _is_taken(relation):
        return [*wrong, _TAKEN]
    if relation.is_view:
        if relation.table.kind is not TableKind.APPEND_ONLY:
            wrong.append("it is a view, and its rows change: name the table itself")
        if relation.kind in _ELSEWHERE:
            wrong.append(f"it is a {_ELSEWHERE[relation.kind]}, seen here later than written")
        if relation.columns.get(CHANGE_XID) != "xid8":
            wrong.append(f"the view does not show {CHANGE_XID} of its table")
        return wrong
    last = [_LAST.format(name) for name in sorted(relation.after_ours)]
    return wrong + last + missing(relation, where)


def missing(relation: Relation, where: Database) -> list[str]:
    """What of our own a table lacks, or what keeps it from being complete."""
    wrong: list[str] = []
    if relation.inherited:
        wrong.append(
            "no trigger sees the rows of what inherits from it, or of its foreign partitions"
        )
    installed = relation.installation
    if installed is None or relation.columns.get(CHANGE_XID) is None:
        return [*wrong, "nothing is installed for it"]
    if (installed.system, installed.database) != (where.system, where.number):
        return [*wrong, "what is installed for it came with a dump of another database"]
    firing = {STAMP if one == STAMP_BEFORE else one for one in relation.triggers}
    lacking = sorted(set(TRIGGERS) - firing)
    found = {
        f"these triggers are missing or off: {', '.join(lacking)}": bool(lacking),
        "the table of its earlier rows is gone, or unlogged": not relation.has_earlier,
        _UNLOGGED: relation.unlogged,
        NO_INDEX: not {one.oid for one in relation.leaves} <= relation.indexed,
        OTHER_COLUMNS: not keeps_what_is_read(relation),
        SWAPPED: not has_its_columns(relation),
    }
    return [*wrong, *(told for told, is_so in found.items() if is_so)]


_TAKEN = f"it has another column {CHANGE_XID}"


def _is_taken(relation: Relation) -> bool:
    return CHANGE_XID in relation.columns and not relation.has_our_column


def require_room(relation: Relation) -> None:
    """Raise SourceError if a column of somebody else has our name: it would be dropped."""
    if _is_taken(relation):
        raise SourceError(
            f"Table {relation.table.name}: {_TAKEN}.",
            "Rename it: nothing can be installed beside it.",
        )


def is_outdated(relation: Relation) -> bool:
    """Whether something is to be done that reading does not need.

    What is installed is that of an earlier release, or no trigger sees a TRUNCATE of a partition.
    """
    now = relation.bodies == bodies(relation) and relation.is_published_whole
    return not now or STAMP not in relation.triggers or bool(relation.unguarded)


def lost(table: str) -> SourceGone:
    """The error for a table that is no more."""
    return SourceGone(
        f"Table {table} does not exist.", "Restore it, or correct CIO_SOURCE or CIO_SOURCE_NAMES."
    )


def pruned(table: str) -> VersionGone:
    """The error for a position from before what `source prune` left."""
    return VersionGone(
        f"What table {table} held at the position is no longer kept.",
        "Register the syncs that still need it under new ids; prune later from now on.",
    )


def require_server(relation: Relation, system: int, wal: str | None) -> None:
    """Raise SourceUnavailable if rows would come from another server than the one asked.

    A pooler, or a URL of several hosts, may lead to one that lags; `wal` is None of a standby.
    """
    if wal is None or (system, int(wal[:8], 16)) != relation.server:
        raise SourceUnavailable(
            f"The rows of table {relation.table.name} would come from another server than its "
            "position, perhaps one that lags behind.",
            "Point CIO_SOURCE to the primary alone, also behind a pooler.",
        )


def require_in_place(table: str, pieces: Iterable[Piece], now: Mapping[int, int]) -> None:
    """Raise VersionGone if a table was written anew since its slices were told apart."""
    if any(now.get(one.oid, one.filenode) != one.filenode for one in pieces):
        raise VersionGone(
            f"Table {table} was written anew (VACUUM FULL, CLUSTER, TRUNCATE, a changed type) "
            "while its history was being sent in slices.",
            "`cio-pipeline plan abandon` gives that plan up, and the history is sent from its "
            "beginning.",
        )


def require_guarded(relation: Relation, then: Position) -> None:
    """Raise SourceError if a partition was emptied, or written anew, where no trigger saw it.

    Either before it had one, or as it has none yet.
    """
    now = {one.oid: one.filenode for one in relation.leaves}
    noted = defaultdict[int, list[tuple[int, ...]]](list)
    for oid, *facts in relation.installation.files if relation.installation else ():
        noted[oid].append(tuple(facts))
    for one in then.files:
        kept = {file for file, *_ in noted[one.oid]}
        guarded = [since for _, *more in noted[one.oid] for since in more]
        unseen = one.oid in relation.unguarded or not all(map(then.snapshot.sees, guarded[-1:]))
        if unseen and one.filenode not in {*kept, now.get(one.oid, one.filenode)}:
            schema, name = relation.leaf_names[one.oid]
            files = Literal(f"[[{one.oid}, {one.filenode}]]")
            said = SQL(_WRITTEN_ANEW).format(files, Literal(relation.table.name))
            raise SourceError(
                f"Partition {schema}.{name} of table {relation.table.name} was emptied or written "
                "anew before a trigger saw it: its rows may be gone untold.",
                "`cio-pipeline source install` gives it the trigger. If it was only written anew "
                f"(VACUUM FULL, CLUSTER), then `{said.as_string()}` says so, and reading goes on. "
                "Else register the syncs that had rows there under new ids.",
            )


_WRITTEN_ANEW = "UPDATE cio.tables SET files = files || {} WHERE name = {}"


def replaced(table: str, then: TableCut, now: TableCut) -> TableReplaced:
    """The error for a position that the table does not know, and why."""
    reasons = zip(_REASONS, then.table_id.split("-"), now.table_id.split("-"), strict=False)
    why = next((why for why, old, new in reasons if old != new), _SET_BACK)
    return TableReplaced(
        f"The position of table {table} is not known to it: {why}.",
        "Register the syncs that read it under new ids. If a failover lost nothing, name its "
        "timeline in CIO_SOURCE_NAMES (docs/postgres.md).",
    )


_REASONS = (
    "the database is another one, perhaps restored from a dump",
    "the server was promoted or restored to another timeline, which may lack transactions",
    "it lies in another database of the server",
    "it was dropped and made again",
    "what was installed for it was removed and installed again",
)
_SET_BACK = "the database was set back to an earlier state"
