"""D6, D10: dumps, standbys and failovers: nothing is lost untold."""

import subprocess
from dataclasses import replace

import pytest

from cio_pipeline.model.errors import SourceError, SourceUnavailable, TableReplaced
from cio_pipeline.sources.postgres.names import Names
from cio_pipeline_tests.postgres import Cluster, program, running_cluster
from cio_pipeline_tests.sources.postgres.databases import Made, made, new_database
from cio_pipeline_tests.sources.postgres.test_installing import look
from cio_pipeline_tests.sources.postgres.test_positions import changed, state
from cio_pipeline_tests.sources.things import THINGS


def test_d6_a_restored_dump_is_another_database(base: Made, postgres_cluster: Cluster) -> None:
    base.do("INSERT INTO things VALUES (1, 'a', '1')")
    at = base.things()
    base.do("UPDATE things SET value = '2'")
    copy = Made(new_database(postgres_cluster), base.tables)
    dumped = subprocess.run([program("pg_dump"), base.url], capture_output=True, check=True)
    subprocess.run([program("psql"), "-q", copy.url], input=dumped.stdout, check=True)

    with pytest.raises(SourceError, match="nothing is installed for it"):
        look(copy)
    copy.install()
    now = copy.things()
    assert state(copy, now) == {"a": "2"}
    with pytest.raises(TableReplaced, match="another database of the server"):
        copy.source.changes(THINGS, at, now).collect()
    copy.do("INSERT INTO things VALUES (1, 'b', '1')")
    assert changed(copy, now, copy.things()) == {"b": ("new", "1")}


@pytest.mark.slow
def test_d6_a_standby_is_refused_and_its_promotion_noticed() -> None:
    with running_cluster() as primary:
        base = made(primary)
        base.do("INSERT INTO things VALUES (1, 'a', '1')")
        at = base.things()
        database = base.url.split("@/")[1].split("?")[0]
        with running_cluster(copied_from=primary) as standby:
            other = Made(standby.url(database), base.tables)
            with pytest.raises(SourceError, match="hot standby"):
                look(other)
            with pytest.raises(SourceError, match="hot standby"):
                other.source.snapshot(THINGS, at).collect()
            # A pooler, or a URL with several hosts, may lead there for rows alone.
            mixed = replace(base)
            object.__setattr__(mixed.source.server, "_read", other.source.server._read)
            with pytest.raises(SourceUnavailable, match="come from another server"):
                mixed.source.snapshot(THINGS, at).collect()
            mixed.source.server.close()
            other.do("SELECT pg_promote()")
            other.do("UPDATE things SET value = '2'")
            now = other.things()
            assert state(other, now) == {"a": "2"}
            with pytest.raises(TableReplaced, match="another timeline"):
                other.source.changes(THINGS, at, now).collect()
            # Somebody says that nothing was lost.
            same = replace(other, names=Names(timelines=frozenset({2})))
            upper = same.things()
            assert changed(same, at, upper) == {"a": ("changed", "2")}
            same.source.server.close()
            other.source.server.close()
        base.source.server.close()


def test_d6_a_server_that_was_set_back_is_noticed(base: Made) -> None:
    base.do("INSERT INTO things VALUES (1, 'a', '1')")
    at = base.things()
    ahead = replace(at, version=at.version + 1000)
    with pytest.raises(TableReplaced, match="set back to an earlier state"):
        base.source.changes(THINGS, at, ahead).collect()


def test_d6_a_table_that_was_written_anew_keeps_its_rows(base: Made) -> None:
    """But for slices: they were ranges of what lay there before."""
    base.do("INSERT INTO things SELECT 1, g::text, repeat('x', 900) FROM generate_series(1, 99) g")
    at = base.things()
    before = state(base, at)
    part = base.source.slices(THINGS, at, 50)[0]
    base.do("UPDATE things SET value = 'y' WHERE key::int % 2 = 0", "VACUUM FULL things")
    assert state(base, at) == before
    with pytest.raises(SourceError, match="was written anew"):
        base.source.snapshot(THINGS, at, part)
