"""D6: what an earlier release installed is read as it is, and made anew without a loss."""

import pytest

from cio_pipeline_tests.postgres import Cluster
from cio_pipeline_tests.sources.postgres.databases import Made, new_database
from cio_pipeline_tests.sources.postgres.test_installing import steps
from cio_pipeline_tests.sources.postgres.test_positions import changed, state
from cio_pipeline_tests.sources.things import THINGS

COLUMNS = "workspace_id bigint, key text, value text, tags text[], at timestamptz, flag boolean"
TABLES = {
    "plain": (f"CREATE TABLE things ({COLUMNS})",),
    "partitioned": (
        f"CREATE TABLE things ({COLUMNS}) PARTITION BY LIST (key)",
        "CREATE TABLE ab PARTITION OF things FOR VALUES IN ('a', 'b')",
        "CREATE TABLE rest PARTITION OF things DEFAULT",
    ),
}
BEFORE_CONDITIONS = (
    "ALTER TABLE things ALTER COLUMN change_xid DROP DEFAULT",
    """CREATE OR REPLACE FUNCTION "cio"."keep_things"() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp  AS '
BEGIN
  IF OLD.change_xid IS DISTINCT FROM pg_current_xact_id() THEN
    INSERT INTO "cio"."earlier_things" ("workspace_id", "key", "value", "tags", "at", "flag", \
change_xid, until_xid, until_at, old_table, old_tid) VALUES (OLD."workspace_id"::bigint, \
OLD."key"::text, OLD."value"::text, OLD."tags"::text[], OLD."at"::timestamptz, \
OLD."flag"::boolean,
      OLD.change_xid, pg_current_xact_id(), clock_timestamp(), TG_RELID, OLD.ctid);
  END IF;
  RETURN NULL;
END '""",
    'DROP TRIGGER "~cio_stamp" ON things',
    "DROP TRIGGER cio_keep ON things",
    """CREATE TRIGGER cio_stamp BEFORE INSERT OR UPDATE ON things FOR EACH ROW
EXECUTE FUNCTION cio.stamp()""",
    """CREATE TRIGGER cio_keep AFTER UPDATE OR DELETE ON things FOR EACH ROW
EXECUTE FUNCTION cio.keep_things()""",
    "ALTER TABLE things ENABLE ALWAYS TRIGGER cio_stamp",
    "ALTER TABLE things ENABLE ALWAYS TRIGGER cio_keep",
)
"""What was installed until triggers had conditions, but for what is so today."""


def write(base: Made, number: int) -> None:
    """One transaction that changes a row twice, moves one, ends one and begins one."""
    base.do(
        f"BEGIN; UPDATE things SET value = '{number}' WHERE key = 'a'; "  # noqa: S608 - numbers
        f"UPDATE things SET value = '{number}!' WHERE key = 'a'; "
        f"UPDATE things SET key = 'k{number}' WHERE key = 'k{number - 1}'; "
        f"DELETE FROM things WHERE key = 'd{number - 1}'; "
        f"INSERT INTO things VALUES (1, 'd{number}', '1'); COMMIT"
    )


@pytest.mark.parametrize("kind", TABLES)
def test_d6_positions_of_an_earlier_installation_stay(postgres_cluster: Cluster, kind: str) -> None:
    base = Made(new_database(postgres_cluster), {"things": THINGS})
    base.do(*TABLES[kind], "INSERT INTO things VALUES (1, 'old', '1')")
    base.install()
    base.do(*BEFORE_CONDITIONS)
    base.do("INSERT INTO things VALUES (1, 'a', '0'), (1, 'k0', '0'), (1, 'd0', '0')")
    taken = [base.things()]
    for number in (1, 2):
        write(base, number)
        taken.append(base.things())
    held = [state(base, at) for at in taken]
    between = changed(base, taken[0], taken[2])
    assert [one.why for one in steps(base)] == ["things: what is kept, and when"]

    base.install()

    assert not steps(base)
    write(base, 3)
    taken.append(base.things())
    assert [state(base, at) for at in taken[:3]] == held
    assert changed(base, taken[0], taken[2]) == between
    assert changed(base, taken[2], taken[3]) == {
        "a": ("changed", "3!"),
        "k2": ("deleted", "0"),
        "k3": ("new", "0"),
        "d2": ("deleted", "1"),
        "d3": ("new", "1"),
    }
    base.source.server.close()


def test_d6_columns_that_are_read_anew_are_kept_in_the_form_of_today(base: Made) -> None:
    base.do(*BEFORE_CONDITIONS, "ALTER TABLE things ALTER flag TYPE boolean")
    assert base.things()
    base.do("ALTER TABLE things ALTER at TYPE timestamp")
    assert [one.why for one in steps(base)] == ["things: what is kept, and when"]
    base.install()
    assert not steps(base)
    assert base.things()
