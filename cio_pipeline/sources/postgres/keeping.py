"""The functions that keep what rows were, with their owner's rights, so that writers need none."""

from collections.abc import Iterator

from psycopg.sql import SQL, Composed, Identifier, Literal

from cio_pipeline.sources.postgres.catalog import SCHEMA, Relation

_COMMA = SQL(", ")


def function(what: str, relation: Relation) -> Identifier:
    """A function of a relation: `keep` or `empty`."""
    return Identifier(SCHEMA, f"{what}_{relation.table.name}")


def functions(relation: Relation) -> Iterator[Composed]:
    """Make them, or make them keep the columns that are read now.

    Whoever may put them on a table of their own could tell of rows that never were.
    """
    policies = SQL("SET row_security = off"), SQL("")
    for what, body, more in zip(("empty", "keep"), bodies(relation), policies, strict=True):
        called = function(what, relation)
        yield SQL(
            "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
            "SET search_path = pg_catalog, pg_temp {} AS {}"
        ).format(called, more, Literal(body))
        yield SQL("REVOKE ALL ON FUNCTION {}() FROM PUBLIC").format(called)
        owner = Identifier(relation.owner)
        yield SQL("GRANT EXECUTE ON FUNCTION {}() TO {}").format(called, owner)


def bodies(relation: Relation) -> tuple[str, str]:
    """What `empty` and `keep` do."""
    names = _COMMA.join(one.name for one in relation.taken)
    kept = SQL("INSERT INTO {} ({}, change_xid, until_xid, until_at, old_table, old_tid)").format(
        relation.earlier, names
    )
    old = SQL("OLD")
    row = _COMMA.join(one.kept(old) for one in relation.taken)
    every = _COMMA.join(one.kept() for one in relation.taken)
    empty = SQL(_EMPTY).format(kept, every, relation.place)
    return empty.as_string(), SQL(_KEEP).format(kept, row).as_string()


# What a transaction wrote itself, and wrote again, nobody else has seen.
_KEEP = """
BEGIN
  IF OLD.change_xid IS DISTINCT FROM pg_current_xact_id() THEN
    {0} VALUES ({1},
      OLD.change_xid, pg_current_xact_id(), clock_timestamp(), TG_RELID, OLD.ctid);
  END IF;
  RETURN NULL;
END """
# It removes what was committed after an older snapshot, too.
_EMPTY = """
BEGIN
  IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
    RAISE EXCEPTION 'TRUNCATE of a table that cio-pipeline reads needs READ COMMITTED'
      USING ERRCODE = 'active_sql_transaction', HINT = 'DELETE its rows instead.';
  END IF;
  {0} SELECT {1},
    change_xid, pg_current_xact_id(), clock_timestamp(), tableoid, ctid FROM {2}
    WHERE change_xid IS DISTINCT FROM pg_current_xact_id();
  RETURN NULL;
END """
