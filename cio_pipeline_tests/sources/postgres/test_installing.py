"""`source install` and its reverse: what it makes, on which tables, and what it leaves alone."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from threading import Thread
from time import monotonic
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cio_pipeline.cli.app import app
from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.cuts import Look
from cio_pipeline.model.errors import SourceError, TableReplaced, VersionGone
from cio_pipeline.sources.postgres import upkeep
from cio_pipeline.sources.postgres.install import installing, removing
from cio_pipeline.sources.postgres.names import Names
from cio_pipeline.sources.postgres.upkeep import carry_out, found, prune_earlier, rights
from cio_pipeline_tests.postgres import Cluster, program
from cio_pipeline_tests.sources.postgres.databases import Made, made, new_database
from cio_pipeline_tests.sources.postgres.test_positions import changed, state
from cio_pipeline_tests.sources.things import NOTES, THINGS, values_of


def dump(url: str) -> str:
    """The schema of a database."""
    shown = subprocess.run(
        [program("pg_dump"), "--schema-only", url], capture_output=True, text=True, check=True
    )
    return re.sub(r"\\(un)?restrict \w+", "", shown.stdout)


def look(base: Made, table: SourceTable = THINGS) -> Look:
    """A table as it is now."""
    now = datetime.now(UTC)
    return base.source.look(table, now, None, now)


def steps(base: Made) -> list[Any]:
    return list(installing(*found_in(base)))


def found_in(base: Made) -> Any:
    return found(base.source.server, base.names, list(base.tables.values()))


@pytest.fixture
def bare(postgres_cluster: Cluster) -> Iterator[Made]:
    """Things and notes that nothing is installed for."""
    found = Made(new_database(postgres_cluster), {"things": THINGS, "notes": NOTES})
    found.create()
    yield found
    found.source.server.close()


def test_what_is_installed_is_taken_away_again_without_a_trace(bare: Made) -> None:
    before = dump(bare.url)
    bare.install()
    assert dump(bare.url) != before
    assert not steps(bare)
    where, there = found(bare.source.server, bare.names, list(bare.tables.values()))
    carry_out(bare.source.server, removing(where, there, last=True), lambda _: None)
    assert dump(bare.url) == before


def test_an_installation_goes_on_wherever_it_stopped(bare: Made) -> None:
    """Rows are written between all its steps; those of before are in every position."""
    bare.do("INSERT INTO things VALUES (1, 'old', '1')")
    number = 0
    while left := steps(bare):
        bare.do(f"INSERT INTO things VALUES (1, 'n{number}', '1')")  # noqa: S608 - a number
        carry_out(bare.source.server, left[:1], lambda _: None)
        number += 1
    assert number == 5
    first = bare.things()
    bare.do("UPDATE things SET value = '2' WHERE key = 'old'")
    assert len(state(bare, first)) == 6
    assert changed(bare, first, bare.things()) == {"old": ("changed", "2")}


def test_an_index_that_was_left_unfinished_is_made_again(base: Made) -> None:
    base.do(
        "UPDATE pg_index SET indisvalid = false "
        "WHERE indexrelid = 'public.cio_things_xid'::regclass"
    )
    with pytest.raises(SourceError, match="no index on change_xid"):
        look(base)
    base.install()
    assert base.things()


def test_writers_wait_no_longer_than_the_lock_timeout(
    bare: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_PAUSE_SECONDS", 0.1)
    todo = steps(bare)
    with bare.connect(autocommit=False) as holder:
        holder.execute("INSERT INTO things VALUES (1, 'a', '1')")
        work = Thread(target=carry_out, args=(bare.source.server, todo, lambda _: None))
        work.start()
        longest = 0.0
        for number in range(6):
            began = monotonic()
            bare.do(f"INSERT INTO things VALUES (1, 'n{number}', '1')")  # noqa: S608 - a number
            longest = max(longest, monotonic() - began)
        holder.commit()
    work.join()
    assert longest < 10
    assert not steps(bare)
    assert len(state(bare, bare.things())) == 7


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("ALTER TABLE things DISABLE TRIGGER cio_keep", "missing or off: cio_keep"),
        ('DROP TRIGGER "~cio_stamp" ON things', "missing or off: ~cio_stamp"),
        ("DROP INDEX cio_things_xid", "no index on change_xid"),
        ("ALTER TABLE things DROP COLUMN change_xid CASCADE", "nothing is installed"),
        ("DROP TABLE cio.earlier_things", "earlier rows is gone"),
        ("CREATE TABLE more () INHERITS (things)", "inherit"),
        ("ALTER TABLE things RENAME tags TO labels", r"tags is missing \(expected text\[\]\)"),
        ("ALTER TABLE things ALTER flag TYPE text", r"flag is text \(expected boolean\)"),
        ("ALTER TABLE things SET UNLOGGED", "a crash of the server empties it"),
    ],
)
def test_a_table_that_cannot_be_read_says_why(base: Made, broken: str, told: str) -> None:
    base.do("INSERT INTO things VALUES (1, 'a', '1')")
    at = base.things()
    base.do(broken)
    with pytest.raises(SourceError, match=told):
        look(base)
    with pytest.raises(SourceError, match=told):
        base.source.snapshot(THINGS, at)
    assert look(base, NOTES).reached


def test_d6_a_position_from_before_another_installation_is_not_taken(base: Made) -> None:
    base.do("INSERT INTO things VALUES (1, 'a', '1')")
    at = base.things()
    where, there = found(base.source.server, base.names, [THINGS])
    carry_out(base.source.server, removing(where, there, last=False), lambda _: None)
    base.do("INSERT INTO things VALUES (1, 'between', '1')")
    base.install()
    now = base.things()
    with pytest.raises(TableReplaced, match="removed and installed again"):
        base.source.changes(THINGS, at, now).collect()
    assert set(state(base, now)) == {"a", "between"}


def test_pruned_positions_are_told(base: Made) -> None:
    base.do("INSERT INTO things SELECT 1, g::text, '1' FROM generate_series(1, 30) g")
    first = base.things()
    base.do("UPDATE things SET value = '2' WHERE key::int <= 20")
    second = base.things()
    base.do("UPDATE things SET value = '3' WHERE key = '1'")
    third = base.things()
    _, there = found(base.source.server, base.names, [THINGS])
    assert prune_earlier(base.source.server, there, {"things": second}) == {"things": 20}
    assert prune_earlier(base.source.server, there, {}) == {}
    assert changed(base, second, third) == {"1": ("changed", "3")}
    with pytest.raises(VersionGone, match="no longer kept"):
        base.source.changes(THINGS, first, third).collect()


MAPPED = """
CREATE SCHEMA "my app";
CREATE TYPE "my app".mood AS ENUM ('fine', 'bad');
CREATE DOMAIN "my app".text AS varchar(20);
CREATE DOMAIN "my app".short AS "my app".text CHECK (VALUE <> '');
CREATE DOMAIN "my app".labels AS "my app".short[];
CREATE TABLE "my app"."Übles" (
  "a key" uuid, "value" "my app".mood, labels "my app".labels, seen timestamp, flag boolean,
  more json, UNIQUE ("a key"));
CREATE TABLE "my app".log (id int, note "my app".short, more jsonb, at timestamptz);
"""


def test_tables_and_columns_may_be_called_otherwise(postgres_cluster: Cluster) -> None:
    names = Names.model_validate(
        {
            "schema": "my app",
            "tables": {
                "things": {
                    "table": "Übles",
                    "columns": {"workspace_id": 7, "key": "a key", "tags": "labels", "at": "seen"},
                },
                "notes": {"table": "shown"},
            },
        }
    )
    base = Made(new_database(postgres_cluster), {"things": THINGS, "notes": NOTES}, names)
    base.do(*MAPPED.split(";")[:-1])
    base.do('CREATE VIEW "my app".shown AS SELECT 1 AS workspace_id')
    base.install()
    base.do(
        'ALTER TABLE "my app".log ADD change_xid xid8 DEFAULT pg_current_xact_id()',
        'DROP VIEW "my app".shown',
        'CREATE VIEW "my app".shown AS SELECT 7 AS workspace_id, id AS key, note AS value, '
        'NULL::text[] AS tags, at, NULL::boolean AS flag, change_xid FROM "my app".log',
    )
    first = base.cut()
    base.do(
        """INSERT INTO "my app"."Übles" VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'fine',
        '{a,NULL,"b c"}', '2026-03-01 12:00', true, '{}'),
        ('b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', NULL, NULL, 'infinity', NULL, NULL)""",
        """INSERT INTO "my app".log VALUES (2, 'two', '{}', '-infinity'), (1, 'one', NULL, NULL)""",
        """CREATE TYPE "my app".later AS ENUM ('x')""",
    )
    second = base.cut(first)
    base.do("""UPDATE "my app"."Übles" SET value = 'bad'""")
    rows = base.source.snapshot(THINGS, second.tables["things"]).collect()
    assert rows["workspace_id"].to_list() == [7, 7]
    assert rows["value"].to_list() == ["fine", None]
    assert rows["tags"].to_list() == [["a", None, "b c"], None]
    assert rows["at"].dt.timestamp("ms").to_list()[0] == 1772366400000
    assert rows["at"].to_physical()[1] > 9 * 10**18  # far beyond what is sent
    log = base.source.snapshot(NOTES, second.tables["notes"])
    assert log.select("key").collect()["key"].to_list() == ["1", "2"]
    assert values_of(base.source.changes(NOTES, first.tables["notes"], second.tables["notes"])) == {
        "1": "one",
        "2": "two",
    }
    base.source.server.close()


@pytest.mark.parametrize("verb", [installing, lambda *of: removing(*of, last=True)])
def test_a_column_of_our_name_that_is_none_of_ours_is_left(bare: Made, verb: Any) -> None:
    bare.do(
        "ALTER TABLE things ADD change_xid text",
        "INSERT INTO things (key, change_xid) VALUES ('a', 'mine')",
    )
    with pytest.raises(SourceError, match="another column change_xid"):
        look(bare)
    with suppress(SourceError):
        carry_out(bare.source.server, verb(*found_in(bare)), lambda _: None)
    assert bare.ask("SELECT change_xid FROM things") == [("mine",)]
    with pytest.raises(SourceError, match="another column change_xid"):
        steps(bare)


def test_where_all_tables_are_published_earlier_rows_can_be_pruned(base: Made) -> None:
    """A table without a key takes no deletes then, unless it is told what tells its rows apart."""
    base.do(
        "INSERT INTO things VALUES (1, 'a', '1')",
        "ALTER TABLE things REPLICA IDENTITY FULL",
        "CREATE PUBLICATION every FOR ALL TABLES",
        "ALTER TABLE cio.earlier_things REPLICA IDENTITY DEFAULT",
    )
    base.do("UPDATE things SET value = '2'")
    at = base.things()
    with pytest.raises(SourceError, match=r"failed \(SQLSTATE 55000\)"):
        prune_earlier(base.source.server, found_in(base)[1], {"things": at})
    assert [one.why for one in steps(base)] == ["things: what is kept, and when"]
    base.install()
    assert prune_earlier(base.source.server, found_in(base)[1], {"things": at}) == {"things": 1}


def test_a_view_of_rows_that_change_is_refused(postgres_cluster: Cluster) -> None:
    names = Names.model_validate({"tables": {"things": {"table": "shown"}}})
    base = Made(new_database(postgres_cluster), {"things": THINGS}, names)
    base.do("CREATE VIEW shown AS SELECT 1 AS workspace_id")
    with pytest.raises(SourceError, match="it is a view, and its rows change"):
        look(base)
    base.source.server.close()


def test_a_role_with_the_printed_rights_reads_all(base: Made) -> None:
    base.do("INSERT INTO things VALUES (1, 'a', '1')")
    _, there = found(base.source.server, base.names, list(base.tables.values()))
    name = f"reader_{id(base)}"
    base.do(*(one.as_string() for one in rights(base.source.server.database, name, there)))
    base.do(f"ALTER ROLE {name} PASSWORD 'x'")
    reader = Made(base.url.replace("cio:s3cret-pg@", f"{name}:x@"), base.tables)
    first = reader.things()
    base.do("UPDATE things SET value = '2'")
    assert state(reader, first) == {"a": "1"}
    assert changed(reader, first, reader.things()) == {"a": ("changed", "2")}
    with pytest.raises(Exception, match="permission denied"):
        reader.do("DELETE FROM things")
    reader.source.server.close()
    base.do(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def call(url: str, *words: str, **environment: str) -> Result:
    done = CliRunner().invoke(app, list(words), env={"CIO_SOURCE": url, **environment})
    assert done.exit_code == 0, done.output
    return done


def test_the_verbs_print_a_script_that_psql_takes(
    postgres_cluster: Cluster, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIO_HOME", str(tmp_path))
    base = Made(new_database(postgres_cluster), {n: SOURCE_TABLES[n] for n in ("people", "events")})
    base.create()
    psql = [program("psql"), "-v", "ON_ERROR_STOP=1", "-q", base.url]
    for verb in ("install", "install", "uninstall"):
        printed = call(base.url, "source", verb).output
        assert "s3cret" not in printed
        subprocess.run([*psql, "-f", "-"], input=printed, text=True, check=True)
    done = call(base.url, "source", "install", "--apply").output
    assert "people: column and triggers" in done
    shown = call(base.url, "source", "status", "--json").output
    problems = {one["table"]: "; ".join(one["problems"]) for one in json.loads(shown)}
    missing = SOURCE_TABLES.keys() - base.tables.keys()
    assert problems == dict.fromkeys(missing, "does not exist") | dict.fromkeys(base.tables, "")
    assert "s3cret" not in call(base.url, "source", "status").output
    assert "CREATE ROLE" in call(base.url, "source", "role", "reader").output
    call(base.url, "source", "prune")


def test_a_password_is_a_reference(postgres_cluster: Cluster, tmp_path: Any) -> None:
    base = made(postgres_cluster)
    without = base.url.replace(":s3cret-pg@", "@")
    (tmp_path / "password").write_text("s3cret-pg\n")
    home = {"CIO_HOME": str(tmp_path)}
    call(without, "source", "status", **home, CIO_SOURCE_PASSWORD=f"file:{tmp_path}/password")
    call(without, "source", "status", **home, CIO_SOURCE_PASSWORD="env:PW", PW="s3cret-pg")  # noqa: S106 - a reference
    refused = CliRunner().invoke(
        app,
        ["source", "status"],
        env={"CIO_SOURCE": without, **home, "CIO_SOURCE_PASSWORD": "s3cret-pg"},
    )
    assert refused.exit_code == 1
    assert "s3cret" not in refused.output
