"""SQL: a table's rows at a position, and the changes between two.

Rows that still are what they were at the position come from the table itself, all others from the
table of earlier rows: what was written before the position, and ended after it.
"""

from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from cio_pipeline.changesets.netting import CHANGE_TYPE, COMMIT_TIME, COMMIT_VERSION, DELETE, INSERT
from cio_pipeline.sources.postgres.catalog import CHANGE_XID, Relation
from cio_pipeline.sources.postgres.columns import Taken
from cio_pipeline.sources.postgres.positions import (
    END,
    Piece,
    Position,
    Snapshot,
    attached,
    between,
    filenodes,
    seen,
    unseen,
)

TID = "_tid"
"""Where a row lay: block and place in it as one number (Int64)."""

_CHANGE = Identifier(CHANGE_XID)
_UNTIL = Identifier("until_xid")
_AND = SQL(" AND ")
_COMMA = SQL(", ")


def current_rows(
    relation: Relation,
    piece: Piece,
    at: Position,
    columns: Sequence[str],
    workspaces: Collection[int] | None,
    *,
    placed: bool,
) -> Composed | None:
    """The rows of a piece that are still what they were, in the order in which they lie.

    `placed` adds TID. None for a partition that is no more.
    """
    leaf = relation.leaf(piece.oid)
    if leaf is None:
        return None
    conditions = [
        SQL("ctid >= {}::tid").format(_tid(piece.start)),
        SQL("ctid < {}::tid").format(_tid(piece.stop)),
        seen(_CHANGE, at.snapshot),
        *_of_workspaces(relation, workspaces, native=True),
    ]
    names = [*_current(relation, columns), *([_placed(SQL("ctid"))] if placed else [])]
    return _select(names, leaf, conditions)


def earlier_rows(
    relation: Relation,
    piece: Piece,
    at: Position,
    columns: Sequence[str],
    workspaces: Collection[int] | None,
) -> Composed:
    """The rows of a piece that are other ones by now, or none; with TID, in its order."""
    conditions = [
        unseen(_UNTIL, at.snapshot),
        seen(_CHANGE, at.snapshot),
        SQL("old_table = {}::oid").format(Literal(piece.oid)),
        SQL("old_tid >= {}::tid").format(_tid(piece.start)),
        SQL("old_tid < {}::tid").format(_tid(END if piece.last else piece.stop)),
        *_of_workspaces(relation, workspaces, native=False),
    ]
    names = [*_kept(relation, columns), _placed(SQL("old_tid"))]
    found = _select(names, relation.earlier, conditions)
    return SQL("{} ORDER BY old_tid").format(found)


def rows_of_view(
    relation: Relation, at: Position, columns: Sequence[str], workspaces: Collection[int] | None
) -> Composed:
    """The rows of a view, in the order of their identity."""
    conditions = [seen(_CHANGE, at.snapshot), *_of_workspaces(relation, workspaces, native=True)]
    found = _select(_current(relation, columns), relation.place, conditions)
    by = [one.kept() for one in relation.taken if one.column.name in relation.table.identity]
    return SQL("{} ORDER BY {}").format(found, _COMMA.join(by))


def changed_rows(
    relation: Relation, lower: Position, upper: Position, columns: Sequence[str]
) -> Composed:
    """The changes between two positions, before netting; columns of the table and of FEED.

    What ended is a delete without a version, before what began: so an identity's states are in
    their order. It tells when its identity changed last. Rows that came with their partition begin
    with it, whoever wrote them; of those, too, only what the upper position saw. What lies in a
    partition that it did not have is not told.
    """
    every = [column.name for column in relation.table.columns]
    version = SQL("coalesce({}::text::bigint, 1)").format(_CHANGE)
    facts = _facts(INSERT, version, SQL("NULL::timestamptz"))
    current, kept = [*_current(relation, every), *facts], [*_kept(relation, every), *facts]
    since, until = lower.snapshot, upper.snapshot
    changed, there = between(_CHANGE, since, until), sorted(filenodes(upper.files))
    if relation.is_view:
        parts = [_select(current, relation.place, [changed])]
    else:
        came = attached(lower, upper)
        ended = [*_kept(relation, every), *_facts(DELETE, SQL("0::bigint"), SQL("last_until"))]
        was_there = [seen(_CHANGE, since), _lay_in(sorted(filenodes(lower.files)))]
        began = SQL("({} OR {} AND {})").format(changed, _lay_in(came), seen(_CHANGE, until))
        parts = [
            _select(current, relation.place, [changed, _one_of(SQL("tableoid"), there)]),
            _select(kept, relation.earlier, [unseen(_UNTIL, until), began, _lay_in(there)]),
            _select(ended, _ended(relation, since, until), was_there),
            *(_select(current, leaf, [seen(_CHANGE, since)]) for leaf in _leaves(relation, came)),
        ]
    rows = SQL(" UNION ALL ").join(parts)
    names = _COMMA.join(Identifier(name) for name in columns)
    return SQL("SELECT {} FROM ({}) AS changes").format(names, rows)


def _leaves(relation: Relation, oids: Sequence[int]) -> list[Composable]:
    """Those partitions of some that are still there."""
    return [leaf for oid in oids if (leaf := relation.leaf(oid)) is not None]


def _lay_in(oids: Sequence[int]) -> Composed:
    return _one_of(SQL("old_table"), oids)


def _one_of(place: SQL, oids: Sequence[int]) -> Composed:
    return SQL("{} = ANY ({}::bigint[]::oid[])").format(place, Literal(list(oids)))


def _ended(relation: Relation, lower: Snapshot, upper: Snapshot) -> Composed:
    identity = _COMMA.join(Identifier(name) for name in relation.table.identity)
    return SQL(
        "(SELECT *, max(until_at) OVER (PARTITION BY {}) AS last_until FROM {} WHERE {}) AS ended"
    ).format(identity, relation.earlier, between(_UNTIL, lower, upper))


def counted_rows(relation: Relation, at: Position) -> Composed:
    """How many rows each workspace has at a position, as `len`, whichever partition they lay in."""
    owner, then = ["workspace_id"], seen(_CHANGE, at.snapshot)
    parts = [_select(_current(relation, owner), relation.place, [then])]
    if not relation.is_view:
        ended = [unseen(_UNTIL, at.snapshot), then]
        parts.append(_select(_kept(relation, owner), relation.earlier, ended))
    return SQL(
        "SELECT workspace_id, count(*) AS len FROM ({}) AS rows GROUP BY workspace_id"
    ).format(SQL(" UNION ALL ").join(parts))


def kept_since(installation: UUID) -> Composed:
    """What the first position is that can be read; no row if what was installed is gone."""
    asked = SQL("SELECT kept_since::text AS kept_since FROM cio.tables WHERE id = {}::uuid")
    return asked.format(Literal(str(installation)))


SERVER = """
SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_walfile_name(pg_current_wal_lsn()) END AS wal,
  (SELECT system_identifier FROM pg_control_system()) AS system"""
"""Which server answers; without a file it is a hot standby."""


def files_of(pieces: Sequence[Piece]) -> Composed:
    """Which file tables and partitions are stored in; none for those that are no more."""
    oids = Literal([one.oid for one in pieces])
    return SQL(
        "SELECT oid::bigint AS oid, pg_relation_filenode(oid)::bigint AS filenode "
        "FROM unnest({}::bigint[]::oid[]) AS oid WHERE pg_relation_filenode(oid) IS NOT NULL"
    ).format(oids)


def bytes_of(pieces: Sequence[Piece]) -> Composed:
    """How much room tables and partitions take now, with long values that lie beside their rows."""
    oids = Literal([one.oid for one in pieces])
    return SQL(
        "SELECT coalesce(sum(pg_table_size(oid)), 0)::bigint "
        "FROM unnest({}::bigint[]::oid[]) AS oid"
    ).format(oids)


def number_of_changes(relation: Relation, lower: Position, upper: Position) -> Composed:
    """How many changes there are between two positions, at most."""
    parts = [
        SQL("(SELECT count(*) FROM {} WHERE {})").format(of, condition)
        for of, condition in _changed(relation, lower, upper)
    ]
    return SQL("SELECT {}").format(SQL(" + ").join(parts))


def is_changed(relation: Relation, lower: Position, upper: Position) -> Composed:
    """Whether there is any change between two positions; perhaps one of after the upper."""
    parts = [
        SQL("EXISTS (SELECT FROM {} WHERE {})").format(of, condition)
        for of, condition in _changed(relation, lower, upper)
    ]
    return SQL("SELECT {}").format(SQL(" OR ").join(parts))


def _changed(
    relation: Relation, lower: Position, upper: Position
) -> Iterator[tuple[Composable, Composed]]:
    """Where changes between two positions are, at most, by relation."""
    since = lower.snapshot
    yield relation.place, between(_CHANGE, since, upper.snapshot)
    if not relation.is_view:
        yield relation.earlier, unseen(_UNTIL, since)
        for leaf in _leaves(relation, attached(lower, upper)):
            yield leaf, seen(_CHANGE, since)


def _select(
    names: Sequence[Composable], of: Composable, conditions: Sequence[Composable]
) -> Composed:
    return SQL("SELECT {} FROM {} WHERE {}").format(_COMMA.join(names), of, _AND.join(conditions))


def _taken(relation: Relation, columns: Sequence[str]) -> list[Taken]:
    by_name = {one.column.name: one for one in relation.taken}
    return [by_name[name] for name in columns]


def _current(relation: Relation, columns: Sequence[str]) -> list[Composable]:
    return [_as(one.read(one.kept()), one.name) for one in _taken(relation, columns)]


def _kept(relation: Relation, columns: Sequence[str]) -> list[Composable]:
    return [_as(one.read(one.name), one.name) for one in _taken(relation, columns)]


def _facts(change: str, version: Composable, at: Composable) -> list[Composable]:
    return [
        _as(SQL("{}::text").format(Literal(change)), Identifier(CHANGE_TYPE)),
        _as(version, Identifier(COMMIT_VERSION)),
        _as(at, Identifier(COMMIT_TIME)),
    ]


def _as(value: Composable, name: Composable) -> Composed:
    return SQL("{} AS {}").format(value, name)


def _placed(tid: SQL) -> Composed:
    place = SQL("(({0}::text::point)[0] * 65536 + ({0}::text::point)[1])::bigint").format(tid)
    return _as(place, Identifier(TID))


def _tid(block: int) -> Literal:
    return Literal(f"({block},0)")


def _of_workspaces(
    relation: Relation, workspaces: Collection[int] | None, *, native: bool
) -> list[Composable]:
    """A condition that an index on the workspace serves; none where all rows are wanted."""
    owner = next(one for one in relation.taken if one.column.name == "workspace_id")
    if workspaces is None or owner.native is None:
        return []
    column = Identifier(owner.native if native else "workspace_id")
    return [SQL("{} = ANY ({}::bigint[])").format(column, Literal(sorted(workspaces)))]
