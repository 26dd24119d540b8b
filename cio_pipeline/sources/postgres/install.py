"""The DDL that makes a table a source, and that which takes it away again.

Each step can be done twice, and holds no long lock: the column has no default, the index is built
concurrently, and what needs a lock waits for it as long as `lock_timeout` says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from cio_pipeline.sources.postgres.catalog import (
    CHANGE_XID,
    EMPTIED,
    FUNCTIONS,
    SCHEMA,
    STAMP_BEFORE,
    TRIGGERS,
    Database,
    Relation,
)
from cio_pipeline.sources.postgres.keeping import WRITTEN_BEFORE, function, functions
from cio_pipeline.sources.postgres.whole import (
    MENDED_IN_PLACE,
    NO_INDEX,
    is_outdated,
    missing,
    require_room,
)

LOCK_TIMEOUT = "3s"
_COMMA = SQL(", ")


@dataclass(frozen=True)
class Step:
    """Statements that are done together, in one transaction unless `alone`; and what for."""

    why: str
    statements: tuple[Composed, ...]
    alone: bool = False

    def __str__(self) -> str:
        """The step as a script for psql."""
        lines = [f"{one.as_string().strip()};" for one in self.statements]
        if not self.alone:
            lines = ["BEGIN;", f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}';", *lines, "COMMIT;"]
        return "\n".join((f"-- {self.why}", *lines))


def installing(where: Database, found: Sequence[Relation]) -> Iterator[Step]:
    """What some tables lack, in order; nothing if all is there."""
    tables = [one for one in found if not one.is_view]
    if not where.installed:
        yield Step("what all tables share", tuple(SQL(one).format() for one in _SHARED))
    elif not where.notes_files:
        yield Step("what is noted of partitions", (SQL(_FILES).format(),))
    for relation in tables:
        require_room(relation)
        wrong = missing(relation, where)
        anew = not MENDED_IN_PLACE.issuperset(wrong)
        if anew:
            yield Step(f"{relation.table.name}: column and triggers", tuple(_table(relation)))
        elif is_outdated(relation):
            yield Step(f"{relation.table.name}: what is kept, and when", tuple(_firing(relation)))
        if anew or NO_INDEX in wrong:
            yield from _indexes(relation, anew=anew)


def removing(where: Database, found: Sequence[Relation], *, last: bool) -> Iterator[Step]:
    """What takes away all that was installed for some tables; `last` if no others are left."""
    if not where.installed:
        return
    for relation in found:
        if not relation.is_view:
            yield Step(f"{relation.table.name}: all of ours", tuple(_without(relation)))
    if last:
        yield Step("what all tables shared", tuple(SQL(one).format() for one in _SHARED_REMOVED))


_SHARED = (
    "CREATE SCHEMA IF NOT EXISTS cio",
    """CREATE TABLE IF NOT EXISTS cio.tables (
  name text PRIMARY KEY, relation bigint NOT NULL, id uuid NOT NULL,
  system_identifier bigint NOT NULL, database bigint NOT NULL, kept_since pg_snapshot NOT NULL,
  files jsonb NOT NULL DEFAULT '[]')""",
    """CREATE OR REPLACE FUNCTION cio.stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.change_xid := pg_catalog.pg_current_xact_id();
  RETURN NEW;
END $$""",
)
_FILES = "ALTER TABLE cio.tables ADD COLUMN IF NOT EXISTS files jsonb NOT NULL DEFAULT '[]'"
_SHARED_REMOVED = (
    "DROP FUNCTION IF EXISTS cio.stamp() CASCADE",
    "DROP TABLE IF EXISTS cio.tables",
    "DROP SCHEMA IF EXISTS cio",
)


def _table(relation: Relation) -> Iterator[Composed]:
    """The column, anew: what rows wrote into an earlier one means nothing now."""
    place, earlier = relation.place, relation.earlier
    yield from _without(relation)
    yield SQL("ALTER TABLE {} ADD COLUMN {} xid8").format(place, Identifier(CHANGE_XID))
    columns = _COMMA.join(SQL("{} {}").format(one.name, one.sql_type) for one in relation.taken)
    yield SQL(
        "CREATE TABLE {} ({}, change_xid xid8, until_xid xid8 NOT NULL, until_at timestamptz NOT "
        "NULL, old_table oid NOT NULL, old_tid tid NOT NULL)"
    ).format(earlier, columns)
    yield SQL("CREATE INDEX ON {} (until_xid)").format(earlier)
    yield from _firing(relation)
    yield SQL(
        "INSERT INTO cio.tables SELECT {}, {}::regclass::oid::bigint, gen_random_uuid(), "
        "(SELECT system_identifier FROM pg_control_system()), "
        "(SELECT oid::bigint FROM pg_database WHERE datname = current_database()), "
        "pg_current_snapshot()"
    ).format(Literal(relation.table.name), Literal(place.as_string()))


def _firing(relation: Relation) -> Iterator[Composed]:
    """What fires, in place of what an earlier release installed: nobody writes meanwhile.

    The default spares rows that are inserted the trigger, whose condition sees to all others.
    """
    place = relation.place
    yield from functions(relation)
    yield SQL("ALTER TABLE {} ALTER COLUMN {} SET DEFAULT pg_catalog.pg_current_xact_id()").format(
        place, Identifier(CHANGE_XID)
    )
    conditions = [WRITTEN_BEFORE.format(SQL(row)) for row in ("NEW", "OLD")]
    yield SQL(_TRIGGERS).format(place, function("keep", relation), _STAMP, *conditions)
    yield SQL(_REFUSED).format(relation.earlier, function("refuse", relation))
    emptied = {(relation.schema, relation.name), *relation.leaf_names.values()}
    for one in sorted(emptied):
        yield SQL(_EMPTIED).format(Identifier(*one), function("empty", relation))
        yield SQL(_ALWAYS).format(Identifier(*one), Identifier(EMPTIED))
    yield SQL(_SEEN_SINCE).format(Literal(sorted(relation.unguarded)), Literal(relation.table.name))
    for trigger in set(TRIGGERS) - {EMPTIED}:
        yield SQL(_ALWAYS).format(place, Identifier(trigger))
    # Where all tables are published, none could be pruned otherwise.
    yield SQL("ALTER TABLE {} REPLICA IDENTITY FULL").format(relation.earlier)


_STAMP = Identifier(SCHEMA, "stamp")
_TRIGGERS = """
DROP TRIGGER IF EXISTS cio_stamp ON {0};
CREATE OR REPLACE TRIGGER "~cio_stamp" BEFORE INSERT OR UPDATE ON {0}
  FOR EACH ROW {3} EXECUTE FUNCTION {2}();
CREATE OR REPLACE TRIGGER cio_keep AFTER UPDATE OR DELETE ON {0}
  FOR EACH ROW {4} EXECUTE FUNCTION {1}()"""
_EMPTIED = """CREATE OR REPLACE TRIGGER cio_empty BEFORE TRUNCATE ON {}
  FOR EACH STATEMENT EXECUTE FUNCTION {}()"""
_REFUSED = """CREATE OR REPLACE TRIGGER cio_refuse BEFORE TRUNCATE ON {0}
  FOR EACH STATEMENT EXECUTE FUNCTION {1}();
ALTER TABLE {0} ENABLE ALWAYS TRIGGER cio_refuse"""
_SEEN_SINCE = """UPDATE cio.tables SET files = files || (
    SELECT coalesce(jsonb_agg(jsonb_build_array(one, pg_relation_filenode(one::oid)::bigint,
      pg_current_xact_id()::text::bigint)), '[]') FROM unnest({}::bigint[]) one
    WHERE pg_relation_filenode(one::oid) IS NOT NULL)
  WHERE name = {}"""
_ALWAYS = "ALTER TABLE {} ENABLE ALWAYS TRIGGER {}"


def _without(relation: Relation) -> Iterator[Composed]:
    for trigger in (*TRIGGERS, STAMP_BEFORE):
        yield SQL("DROP TRIGGER IF EXISTS {} ON {}").format(Identifier(trigger), relation.place)
    for leaf in sorted(set(relation.leaf_names.values()) - {(relation.schema, relation.name)}):
        yield SQL("DROP TRIGGER IF EXISTS {} ON {}").format(Identifier(EMPTIED), Identifier(*leaf))
    for what in FUNCTIONS:
        # A table that was detached, or renamed, has triggers that call them still, and an index.
        yield SQL("DROP FUNCTION IF EXISTS {}() CASCADE").format(function(what, relation))
    yield SQL("DROP TABLE IF EXISTS {}").format(relation.earlier)
    index = Identifier(relation.schema, _index_of(relation))
    yield SQL("DROP INDEX IF EXISTS {}").format(index)
    if relation.has_our_column:
        column = SQL("ALTER TABLE {} DROP COLUMN IF EXISTS {}")
        yield column.format(relation.place, Identifier(CHANGE_XID))
    yield SQL("DELETE FROM cio.tables WHERE name = {}").format(Literal(relation.table.name))


def _index_of(relation: Relation) -> str:
    return f"cio_{relation.table.name}_xid"


def _indexes(relation: Relation, *, anew: bool) -> Iterator[Step]:
    """An index of the rows that changed since; small, as all others have no number."""
    partitioned = relation.kind == "p"
    called = _index_of(relation)
    whole = Identifier(relation.schema, called)
    what = SQL("({}) WHERE {} IS NOT NULL").format(*[Identifier(CHANGE_XID)] * 2)
    if partitioned:
        statement = SQL("CREATE INDEX IF NOT EXISTS {} ON ONLY {} {}")
        made = statement.format(Identifier(called), relation.place, what)
        yield Step(f"{relation.table.name}: index of all partitions", (made,))
    for oid, (schema, leaf) in sorted(relation.leaf_names.items()):
        if oid in relation.indexed and not anew:
            continue
        short = f"{called}_{oid}" if partitioned else called
        place: Composable = Identifier(schema, leaf)
        index = Identifier(schema, short)
        yield Step(
            f"{relation.table.name}: index; an unfinished one is made again",
            (
                SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(index),
                SQL("CREATE INDEX CONCURRENTLY {} ON {} {}").format(Identifier(short), place, what),
            ),
            alone=True,
        )
        if partitioned:
            attach = SQL("ALTER INDEX {} ATTACH PARTITION {}").format(whole, index)
            yield Step(f"{relation.table.name}: index of a partition", (attach,))
