"""The functions that keep what rows were, with their owner's rights, so that writers need none."""

import re
from collections.abc import Iterator
from itertools import product

from psycopg.sql import SQL, Composed, Identifier, Literal

from cio_pipeline.sources.postgres.catalog import FUNCTIONS, SCHEMA, Relation

_COMMA = SQL(", ")


def function(what: str, relation: Relation) -> Identifier:
    """A function of a relation, one of FUNCTIONS."""
    return Identifier(SCHEMA, f"{what}_{relation.table.name}")


def functions(relation: Relation) -> Iterator[Composed]:
    """Make them, or make them keep the columns that are read now.

    Whoever may put them on a table of their own could tell of rows that never were. A setting is
    made and undone for each row, so `keep` has none: it names all that it uses in full.
    """
    settings = SQL("SET search_path = pg_catalog, pg_temp SET row_security = off")
    for what, body in zip(FUNCTIONS, bodies(relation), strict=True):
        more = SQL("") if what == "keep" else settings
        called = function(what, relation)
        yield SQL(
            "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
            "{} AS {}"
        ).format(called, more, Literal(body))
        yield SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(called)
        owner = Identifier(relation.owner)
        yield SQL("GRANT EXECUTE ON FUNCTION {}() TO {}").format(called, owner)


def bodies(relation: Relation, *, noting: bool = True) -> tuple[str, str, str]:
    """What each of FUNCTIONS does; an earlier release noted nothing of partitions."""
    kept, every, row = _kept(relation)
    here = "FROM ONLY "
    rows = SQL(_EMPTIED).format(kept, every, SQL("ONLY ")).as_string()
    what, which = rows.rsplit(here, 1)
    here_too = Literal(f"{which} AND tableoid = ANY ($1)")
    given = Literal(f"{what}FROM "), here_too, Literal(relation.table.name)
    empty = SQL(_EMPTY if noting else _EMPTY_UNNOTED).format(*given)
    keep = SQL(_KEEP).format(kept, row, SQL(" ").join(map(Literal, _numbers(relation))))
    return empty.as_string(), keep.as_string(), _REFUSE


def keeps_what_is_read(relation: Relation) -> bool:
    """Whether its functions keep the columns that are read, in whichever form."""
    kept, every, row = _kept(relation)
    empty, keep, _ = map(_bare, bodies(relation))
    unnoted = _bare(bodies(relation, noting=False)[0])
    emptied = _bare(SQL(_EMPTY_BEFORE).format(kept, every, relation.place).as_string())
    earlier = _bare(SQL(_KEEP_BEFORE).format(kept, row).as_string())
    forms = set(product((empty, unnoted, emptied), (keep, earlier)))
    return tuple(map(_bare, relation.bodies[:2])) in forms


def has_its_columns(relation: Relation) -> bool:
    """Whether the columns that are read are those that were installed, and not of the same name.

    True for what an earlier release installed: it did not note them. What came or went is told as
    other columns than are kept.
    """
    noted = [found[1].split() for body in relation.bodies if (found := _NUMBERS.search(body))]
    pairs = [
        pair for then in noted for pair in zip(map(int, then), _numbers(relation), strict=False)
    ]
    return all(0 in pair or pair[0] == pair[1] for pair in pairs)


def _numbers(relation: Relation) -> list[int]:
    """Of each column that is read; 0 for one that is not there."""
    return [relation.numbers.get(one.native or "", 0) for one in relation.taken]


def _bare(body: str) -> str:
    """A body as it was before names were written in full, and columns noted."""
    return _NUMBERS.sub("", body).replace("pg_catalog.", "")


def _kept(relation: Relation) -> tuple[Composed, Composed, Composed]:
    """How a row begins to be kept; what of each row, of the trigger's row."""
    names = _COMMA.join(one.name for one in relation.taken)
    kept = SQL("INSERT INTO {} ({}, change_xid, until_xid, until_at, old_table, old_tid)").format(
        relation.earlier, names
    )
    every = _COMMA.join(one.kept() for one in relation.taken)
    return kept, every, _COMMA.join(one.kept(SQL("OLD")) for one in relation.taken)


WRITTEN_BEFORE = SQL("WHEN ({}.change_xid IS DISTINCT FROM pg_catalog.pg_current_xact_id())")
"""What a transaction wrote itself, and writes again, nobody else has seen: nothing is called."""

_NUMBERS = re.compile(r"\n-- Columns ([\d ]+)\.")
_KEEP = """
-- Columns {2}.
BEGIN
  {0} VALUES ({1}, OLD.change_xid, pg_catalog.pg_current_xact_id(),
    pg_catalog.clock_timestamp(), TG_RELID, OLD.ctid);
  RETURN NULL;
END """
# Installed until its triggers had conditions; as right, but dearer.
_KEEP_BEFORE = """
BEGIN
  IF OLD.change_xid IS DISTINCT FROM pg_current_xact_id() THEN
    {0} VALUES ({1},
      OLD.change_xid, pg_current_xact_id(), clock_timestamp(), TG_RELID, OLD.ctid);
  END IF;
  RETURN NULL;
END """
_REFUSE = """
BEGIN
  RAISE EXCEPTION 'cio-pipeline may still need these rows'
    USING HINT = 'cio-pipeline source prune removes those that no sync needs any more.';
END """
# It removes what was committed after an older snapshot, too.
_ALONE = """
BEGIN
  IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
    RAISE EXCEPTION 'TRUNCATE of a table that cio-pipeline reads needs READ COMMITTED'
      USING ERRCODE = 'active_sql_transaction', HINT = 'DELETE its rows instead.';
  END IF;"""
_EMPTIED = """{0} SELECT {1},
    change_xid, pg_current_xact_id(), clock_timestamp(), tableoid, ctid FROM {2}
    WHERE change_xid IS DISTINCT FROM pg_current_xact_id()"""
_END = """;
  RETURN NULL;
END """
# A partition has a trigger of its own, which fires also where its table is emptied, and keeps what
# lies in it; the table's keeps that of partitions where none fires, as they were made since.
_OTHERS = """
DECLARE
  others oid[] := ARRAY(SELECT p.relid FROM pg_partition_tree(TG_RELID) p
    WHERE p.isleaf AND p.relid <> TG_RELID AND NOT EXISTS (
      SELECT FROM pg_trigger own JOIN pg_trigger g ON g.tgfoid = own.tgfoid
      WHERE own.tgrelid = TG_RELID AND own.tgname = TG_NAME AND g.tgrelid = p.relid
        AND g.tgenabled IN ('A', CASE current_setting('session_replication_role')
          WHEN 'replica' THEN 'R' ELSE 'O' END)));"""
# Of such, positions must know that their rows were kept nevertheless.
_NOTED = """
  DECLARE unsure oid[] := others || ARRAY(SELECT tgrelid FROM pg_trigger
    WHERE tgrelid = TG_RELID AND tgname = TG_NAME AND tgenabled <> 'A');
  BEGIN
    UPDATE cio.tables SET files = files || (
      SELECT jsonb_agg(jsonb_build_array(one::bigint, pg_relation_filenode(one)::bigint))
      FROM unnest(unsure) one) WHERE name = {2} AND cardinality(unsure) > 0;
  END;"""
_KEPT = f"""
  EXECUTE {{0}} || CASE cardinality(others) WHEN 0 THEN 'ONLY ' ELSE '' END
    || TG_RELID::regclass || {{1}} USING others || TG_RELID{_END}"""
_EMPTY = f"{_OTHERS}{_ALONE}{_NOTED}{_KEPT}"
_EMPTY_UNNOTED = f"{_OTHERS}{_ALONE}{_KEPT}"
# Installed until partitions had one: it kept the rows of all.
_EMPTY_BEFORE = f"""{_ALONE}
  {_EMPTIED}{_END}"""
