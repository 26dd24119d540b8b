"""What a database says of itself and of the relations that are read, in few questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from psycopg.errors import LockNotAvailable
from psycopg.sql import SQL, Composable, Identifier

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.model.errors import SourceError
from cio_pipeline.sources.postgres.columns import Taken, taken_columns
from cio_pipeline.sources.postgres.connect import Asked
from cio_pipeline.sources.postgres.errors import locked, translated
from cio_pipeline.sources.postgres.names import Names
from cio_pipeline.sources.postgres.positions import Piece, Snapshot, snapshot_of

SCHEMA = "cio"
"""Our schema: what belongs to the tables that are read, and nothing else."""

EMPTIED = "cio_empty"
STAMP, STAMP_BEFORE = "~cio_stamp", "cio_stamp"
"""Triggers fire by name: after the first one, others may undo what it did."""

TRIGGERS = (STAMP, "cio_keep", EMPTIED)
FUNCTIONS = ("empty", "keep", "refuse")
"""What triggers of a table call."""

CHANGE_XID = "change_xid"
_ROWS_IN_A_BLOCK = 50


@dataclass(frozen=True)
class Database:
    """A database at a moment. `identity` is another one after a restore, or a failover."""

    system: int
    timeline: int
    number: int
    installed: bool
    notes_files: bool
    snapshot: Snapshot

    def identity(self, names: Names) -> str:
        """What tells it from all others."""
        return f"{self.system:x}-{names.first_timeline(self.timeline)}-{self.number}"


@dataclass(frozen=True)
class Installation:
    """What was installed for a table; `kept_since` is the first position that can be read.

    `files` are those of partitions whose rows were all kept when they were emptied, by oid and
    filenode; with the transaction, if it gave the partition its trigger: it is seen since.
    """

    relation: int
    id: UUID
    system: int
    database: int
    kept_since: Snapshot
    files: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Relation:
    """A table, partitioned table or view that stands for a source table.

    `leaves` hold its rows: itself, or its partitions; none of a view. `wrong` are its columns that
    do not fit, `triggers` those of ours that always fire, also in all leaves, `indexed` the leaves
    with a valid index, `unguarded` the partitions whose TRUNCATE no trigger sees, `after_ours`
    others that may undo what ours did. `bodies` are those of its functions, in the order of
    FUNCTIONS. Only what `is_published_whole` can be pruned where all tables are published.
    `numbers` of columns are never given twice. `server` is its system identifier and timeline.
    """

    table: SourceTable
    oid: int
    kind: str
    schema: str
    name: str
    columns: Mapping[str, str] = field(hash=False)
    numbers: Mapping[str, int] = field(hash=False)
    taken: Sequence[Taken] = field(hash=False)
    wrong: Sequence[str] = field(hash=False)
    table_id: str
    owner: str
    server: tuple[int, int]
    inherited: bool = False
    triggers: frozenset[str] = frozenset()
    leaves: tuple[Piece, ...] = ()
    leaf_names: Mapping[int, tuple[str, str]] = field(default_factory=dict[int, Any], hash=False)
    indexed: frozenset[int] = frozenset()
    unguarded: frozenset[int] = frozenset()
    unlogged: bool = False
    after_ours: frozenset[str] = frozenset()
    density: int = 1
    has_earlier: bool = False
    is_published_whole: bool = False
    bodies: tuple[str, ...] = ()
    installation: Installation | None = None

    @property
    def place(self) -> Composable:
        """The relation in SQL."""
        return Identifier(self.schema, self.name)

    @property
    def earlier(self) -> Composable:
        """The table of its earlier rows in SQL."""
        return earlier_of(self.table)

    @property
    def is_view(self) -> bool:
        """Whether it is one: it has no blocks, no triggers and no earlier rows of its own."""
        return self.kind not in {"r", "p"}

    @property
    def has_our_column(self) -> bool:
        """Whether it has a column of our name that may be ours."""
        return self.columns.get(CHANGE_XID) == "xid8"

    def leaf(self, oid: int) -> Composable | None:
        """A partition in SQL; None if it is no more."""
        found = self.leaf_names.get(oid)
        return None if found is None else Identifier(*found)


def earlier_of(table: SourceTable) -> Identifier:
    """The table that keeps what rows of a table were."""
    return Identifier(SCHEMA, f"earlier_{table.name}")


def database(connection: Asked) -> Database:
    """The database as it is now. Raises SourceError for one that no position can be taken of."""
    row = connection.execute(_DATABASE).fetchone()
    assert row is not None  # noqa: S101 - a query without FROM gives a row
    standby, system, wal, number, encoding, installed, notes_files, snapshot = row
    if standby:
        raise SourceError(
            "The source is a hot standby. Its snapshots do not tell which transactions still run, "
            "so what these commit later would be lost.",
            "Point CIO_SOURCE to the primary.",
        )
    if encoding == "SQL_ASCII":
        raise SourceError(
            "The source's database has the encoding SQL_ASCII: what its texts mean is not known.",
            "Dump it, and restore it into a database with the encoding UTF8.",
        )
    timeline = int(wal[:8], 16)
    return Database(system, timeline, number, installed, notes_files, snapshot_of(snapshot))


_DATABASE = SQL("""
SELECT pg_is_in_recovery(), (SELECT system_identifier FROM pg_control_system()),
  CASE WHEN NOT pg_is_in_recovery() THEN pg_walfile_name(pg_current_wal_lsn()) END,
  (SELECT oid::bigint FROM pg_database WHERE datname = current_database()),
  current_setting('server_encoding'), to_regclass('cio.tables') IS NOT NULL,
  EXISTS (SELECT FROM pg_attribute
    WHERE attrelid = to_regclass('cio.tables') AND attname = 'files'),
  pg_current_snapshot()::text
""")


def relations(
    connection: Asked,
    names: Names,
    tables: Sequence[SourceTable],
    where: Database,
    failed: dict[str, SourceError] | None = None,
) -> dict[str, Relation]:
    """The relations that stand for some tables, as far as they exist.

    Those that are locked become errors among those that `failed`, if they are asked for.
    """
    places = [names.place(table) for table in tables]
    asked = [[schema for schema, _ in places], [name for _, name in places]]
    rows = connection.execute(_RELATIONS, asked).fetchall()
    by_place = {(row[3], row[4]): row for row in rows}
    installations = _installations(connection) if where.installed else {}
    found: dict[str, Relation] = {}
    for table, place in zip(tables, places, strict=True):
        if place in by_place:
            try:
                found[table.name] = _relation(
                    connection,
                    names,
                    table,
                    by_place[place],
                    installation=installations.get(table.name),
                    where=where,
                )
            except LockNotAvailable as error:
                if failed is None:
                    raise translated(error, table.name) from None
                failed[table.name] = locked(table.name)
    return found


def _relation(
    connection: Asked,
    names: Names,
    table: SourceTable,
    row: Sequence[Any],
    *,
    installation: Installation | None,
    where: Database,
) -> Relation:
    oid, kind, inherited, schema, name, owner, columns, numbers, triggers = row
    taken, wrong = taken_columns(table, names, columns)
    if installation is not None and installation.relation != oid:
        installation = None
    leaves = connection.execute(_LEAVES, [oid] * 3).fetchall() if kind in {"r", "p"} else []
    asked = [[f"{what}_{table.name}" for what in FUNCTIONS], earlier_of(table).as_string()]
    ours = connection.execute(_IS_THERE, asked).fetchone() or (False, (), False)
    relation = Relation(
        table,
        oid,
        kind,
        schema,
        name,
        columns,
        numbers,
        taken,
        wrong,
        f"{where.identity(names)}-{oid}-{installation.id.hex[:12] if installation else 'view'}",
        owner,
        (where.system, where.timeline),
        inherited=inherited,
        has_earlier=ours[0],
        is_published_whole=ours[2],
        bodies=tuple(ours[1]),
        installation=installation,
    )
    return _with_leaves(relation, triggers, leaves)


def _with_leaves(relation: Relation, triggers: Sequence[str], leaves: Sequence[Any]) -> Relation:
    """A relation with what is told of itself, or of its partitions."""
    oid = relation.oid
    return replace(
        relation,
        triggers=_firing(oid, triggers, leaves),
        leaves=tuple(Piece(leaf[0], leaf[4], 0, leaf[3], guard=leaf[10]) for leaf in leaves),
        leaf_names={leaf[0]: (leaf[1], leaf[2]) for leaf in leaves},
        indexed=frozenset(leaf[0] for leaf in leaves if leaf[6]),
        unguarded=frozenset(leaf[0] for leaf in leaves if EMPTIED not in leaf[7]) - {oid},
        unlogged=any(leaf[8] for leaf in leaves),
        after_ours=frozenset(name for leaf in leaves for name in leaf[9]),
        density=_density(leaves),
    )


def _density(leaves: Sequence[Any]) -> int:
    """How many rows a block holds, as the database thinks."""
    rows, blocks = sum(max(leaf[5], 0) for leaf in leaves), sum(leaf[3] for leaf in leaves)
    return max(1, round(rows / blocks)) if rows and blocks else _ROWS_IN_A_BLOCK


def _firing(oid: int, own: Sequence[str], leaves: Sequence[Any]) -> frozenset[str]:
    """The triggers that fire for the rows of all leaves; those of statements are the table's."""
    firing = frozenset(own)
    for leaf in leaves:
        firing &= {*leaf[7], EMPTIED} if leaf[0] != oid else firing
    return firing


def _installations(connection: Asked) -> dict[str, Installation]:
    rows = connection.execute(_INSTALLED).fetchall()
    return {
        name: Installation(oid, own, host, number, snapshot_of(since), tuple(map(tuple, files)))
        for name, oid, own, host, number, since, files in rows
    }


_RELATIONS = SQL("""
SELECT c.oid::bigint, c.relkind::text, c.relhassubclass AND c.relkind = 'r' OR EXISTS (
    SELECT FROM pg_partition_tree(c.oid) p JOIN pg_class f ON f.oid = p.relid
    WHERE f.relkind = 'f' AND f.oid <> c.oid),
  n.nspname, c.relname,
  pg_get_userbyid(c.relowner),
  (WITH RECURSIVE made_of (oid, base) AS (
      SELECT oid, oid FROM pg_type WHERE typtype <> 'd'
      UNION ALL
      SELECT d.oid, made_of.base FROM pg_type d JOIN made_of ON made_of.oid = d.typbasetype
      WHERE d.typtype = 'd')
    SELECT jsonb_object_agg(a.attname, CASE
      WHEN e.typtype = 'e' THEN 'enum[]' WHEN e.oid IS NOT NULL THEN e.typname || '[]'
      WHEN t.typtype = 'e' THEN 'enum' ELSE t.typname END)
    FROM pg_attribute a
    JOIN made_of d ON d.oid = a.atttypid JOIN pg_type t ON t.oid = d.base
    LEFT JOIN made_of i ON i.oid = t.typelem AND t.typcategory = 'A'
    LEFT JOIN pg_type e ON e.oid = i.base
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  (SELECT jsonb_object_agg(a.attname, a.attnum) FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  ARRAY(SELECT g.tgname::text FROM pg_trigger g
    WHERE g.tgrelid = c.oid AND ltrim(g.tgname, '~') LIKE 'cio\\_%%' AND g.tgenabled = 'A')
FROM unnest(%s::text[], %s::text[]) AS wanted (nspname, relname)
JOIN pg_namespace n ON n.nspname = wanted.nspname
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.relname
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
""")
_LEAVES = SQL("""
SELECT c.oid::bigint, n.nspname, c.relname,
  size.bytes / current_setting('block_size')::int,
  pg_relation_filenode(c.oid)::bigint, c.reltuples::float8,
  EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid
    AND a.attnum = i.indkey[0] AND a.attname = 'change_xid'
    WHERE i.indrelid = c.oid AND i.indisvalid),
  ARRAY(SELECT g.tgname::text FROM pg_trigger g
    WHERE g.tgrelid = c.oid AND ltrim(g.tgname, '~') LIKE 'cio\\_%%' AND g.tgenabled = 'A'
      -- A partition may have one of a table that it was detached from.
      AND g.tgfoid IN (SELECT t.tgfoid FROM pg_trigger t WHERE t.tgrelid = %s)),
  c.relpersistence = 'u',
  ARRAY(SELECT g.tgname::text FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgenabled <> 'D'
    -- BEFORE an INSERT or UPDATE of a ROW, by the order of bytes.
    AND g.tgtype & 3 = 3 AND g.tgtype & 20 <> 0 AND g.tgname > '~cio_stamp'),
  coalesce((SELECT g.oid::bigint FROM pg_trigger g
    WHERE g.tgrelid = c.oid AND g.tgname = 'cio_keep' AND g.tgparentid <> 0), 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
-- It waits for who empties the table: the file is asked for after that.
CROSS JOIN LATERAL (SELECT pg_relation_size(c.oid) AS bytes) AS size
WHERE c.relkind = 'r' AND (c.oid = %s OR c.oid IN (SELECT relid FROM pg_partition_tree(%s)))
ORDER BY c.oid
""")
_IS_THERE = SQL("""
SELECT c.oid IS NOT NULL AND c.relpersistence = 'p',
  ARRAY(SELECT p.prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'cio' AND p.proname = ANY (%s) ORDER BY p.proname),
  coalesce(c.relreplident = 'f', false)
FROM (VALUES (%s)) AS earlier (name) LEFT JOIN pg_class c ON c.oid = to_regclass(earlier.name)
""")
_INSTALLED = SQL("""
SELECT name, relation, id, system_identifier, database, kept_since::text,
  -- An earlier release made it without that column.
  coalesce(to_jsonb(one) -> 'files', '[]')
FROM cio.tables AS one
""")
