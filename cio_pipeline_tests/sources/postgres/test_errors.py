"""O8: what goes wrong with a database is told as what it is, with a next step."""

from threading import Event, Thread

import pytest

from cio_pipeline.model.errors import (
    CioError,
    InvalidConfig,
    SourceError,
    SourceGone,
    SourceUnavailable,
)
from cio_pipeline.sources.postgres import connect
from cio_pipeline.sources.postgres.connect import Server
from cio_pipeline.sources.postgres.errors import named
from cio_pipeline.sources.postgres.source import PostgresSource
from cio_pipeline.sources.postgres.status import table_statuses
from cio_pipeline_tests.sources.postgres.databases import Made
from cio_pipeline_tests.sources.postgres.test_installing import look
from cio_pipeline_tests.sources.things import NOTES, THINGS, minute

LONG = "INSERT INTO things SELECT 1, g::text, repeat('x', 2000) FROM generate_series(1, 60000) g"


def as_role(base: Made, name: str) -> Made:
    """The same database for another role, which is dropped with the cluster."""
    return Made(base.url.replace("cio:s3cret-pg@", f"{name}:x@"), base.tables)


def test_a_right_that_is_missing(base: Made) -> None:
    base.do("INSERT INTO things VALUES (1, 'a', '1')")
    at = base.things()
    base.do("CREATE ROLE nobody_yet LOGIN PASSWORD 'x'")
    poor = as_role(base, "nobody_yet")
    with pytest.raises(SourceError, match="may not read") as told:
        look(poor)
    assert "source role" in told.value.next_step
    base.do("GRANT USAGE ON SCHEMA cio TO nobody_yet", "GRANT SELECT ON cio.tables TO nobody_yet")
    with pytest.raises(SourceError, match="may not read table things"):
        poor.source.snapshot(THINGS, at).collect()


def test_a_statement_that_takes_too_long(base: Made) -> None:
    base.do(LONG)
    at = base.things()
    base.do(
        "CREATE ROLE hurried LOGIN PASSWORD 'x' SUPERUSER",
        "ALTER ROLE hurried SET statement_timeout = '20ms'",
    )
    with pytest.raises(SourceError, match="longer than statement_timeout") as told:
        as_role(base, "hurried").source.snapshot(THINGS, at).collect()
    assert "statement_timeout" in told.value.next_step
    assert "xxx" not in str(told.value)


def test_a_connection_that_is_lost_in_the_middle_and_then_goes_on(base: Made) -> None:
    base.do(LONG)
    at = base.things()
    batches = base.source.feed(THINGS, at, at)
    assert next(batches).is_empty()
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE query LIKE 'COPY%' AND pid <> pg_backend_pid()"
    )

    read = Event()

    def end_sessions() -> None:
        while not read.wait(0.02):
            base.do(kill)

    def lost() -> None:
        for _ in range(50):
            base.source.snapshot(THINGS, at).collect(engine="streaming")

    other = Thread(target=end_sessions)
    other.start()

    try:
        with pytest.raises(SourceUnavailable, match="was lost while table things was read") as told:
            lost()
    finally:
        read.set()
        other.join()
    assert "goes on where it stopped" in told.value.next_step
    assert base.source.snapshot(THINGS, at).collect().height == 60000


def test_a_table_that_is_locked_keeps_nobody_from_the_others(
    base: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "LOCK_TIMEOUT", "200ms")
    first, now = base.cut(), minute(2)
    at = first.tables["things"]
    with base.connect(autocommit=False) as session:
        session.execute("LOCK TABLE cio.earlier_things")
        with pytest.raises(SourceError, match="Table things is locked"):
            base.source.look(THINGS, now, first, now)
        assert base.source.look(NOTES, now, first, now).reached is not None
    with base.connect(autocommit=False) as session:
        session.execute("LOCK TABLE things")
        with pytest.raises(SourceError, match="Table things is locked"):
            look(base)
        assert look(base, NOTES).reached is not None
        assert base.source.columns([THINGS, NOTES]).keys() == {"notes"}
        things, notes = table_statuses(base.source)
        assert "Table things is locked" in things.problems[0]
        assert notes.problems == ()
        with pytest.raises(SourceUnavailable, match="Table things is locked"):
            base.source.changed_rows(THINGS, at, at)
        with (
            pytest.raises(SourceUnavailable, match="Table things is locked"),
            named("things"),
            base.source.server.reading("things"),
        ):
            pass
    assert base.things().version >= at.version


def test_connections_that_were_left_and_died_are_made_anew(base: Made) -> None:
    at = base.things()
    base.source.snapshot(THINGS, at).collect()
    base.do(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert base.source.snapshot(THINGS, at).collect().is_empty()


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ((":s3cret-pg@", ":wrong-pg@"), SourceError, "refuses the login"),
        (("/source_", "/nowhere_"), SourceGone, "database does not exist"),
        (("host=", "host=/nowhere"), SourceUnavailable, "connection to the database failed"),
    ],
)
def test_a_database_that_cannot_be_opened(
    base: Made, change: tuple[str, str], error: type[CioError], told: str
) -> None:
    with pytest.raises(error, match=told) as raised:
        look(Made(base.url.replace(*change), base.tables))
    assert "-pg" not in str(raised.value).replace("cio-pg", "")


@pytest.mark.parametrize(
    "url", ["postgresql://host", "postgresql://a@b@host/db", "postgresql://host:x/db"]
)
def test_a_url_that_cannot_be_meant(url: str) -> None:
    with pytest.raises(InvalidConfig, match="cannot be read"):
        PostgresSource(Server(url))
