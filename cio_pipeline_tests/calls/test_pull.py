"""Calls from an HTTP endpoint (seed 000: endpoint and token)."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from typer.testing import CliRunner

from cio_pipeline.cli.app import app
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import (
    CioError,
    InvalidConfig,
    PermissionMissing,
    SourceError,
    SourceUnavailable,
    WrongCredentials,
)
from cio_pipeline.sources import call_pages
from cio_pipeline.sources.append import Mark, append_rows, last_mark
from cio_pipeline.sources.call_pages import Endpoint, pull
from cio_pipeline.sources.page_fetch import RetryRules
from cio_pipeline_tests.calls.pages import TOKEN, Pages, endpoint
from cio_pipeline_tests.calls.test_lines import GOOD, read
from cio_pipeline_tests.world import NOON, World

HURRIED = RetryRules(backoff=0.001)


def page(*events: str) -> bytes:
    lines = (json.dumps({"type": "track", "event": event}) for event in events)
    return "".join(f"{line}\n" for line in lines).encode()


@pytest.fixture
def pages() -> Iterator[Pages]:
    with endpoint(Pages([page("a", "b"), page("c"), page("d")])) as found:
        yield found


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def pulled(world: World, pages: Pages, token: str = TOKEN) -> int:
    place = Endpoint(pages.url, token)
    return sum(one.rows for one in pull(place, 1, world.source_uri, NOON, patience=HURRIED))


def events(world: World) -> list[str]:
    table = DeltaTable(f"{world.source_uri}/calls")
    payloads = table.to_pyarrow_table(columns=["payload"])["payload"].to_pylist()
    return sorted(json.loads(text)["event"] for text in payloads)


def test_every_page_is_a_commit_and_a_later_pull_goes_on(world: World, pages: Pages) -> None:
    assert pulled(world, pages) == 4
    assert events(world) == ["a", "b", "c", "d"]
    assert DeltaTable(f"{world.source_uri}/calls").version() == 3
    pages.pages.append(page("e"))
    assert pulled(world, pages) == 1
    assert pulled(world, pages) == 0
    assert events(world) == ["a", "b", "c", "d", "e"]
    assert [cursor for cursor, status in pages.asked if status == 200] == ["", "1", "2", "3"]


def test_what_is_not_there_for_now_is_asked_for_again(world: World, pages: Pages) -> None:
    pages.trouble = [503, 429, "cut", "cut", 500]
    assert pulled(world, pages) == 4
    assert events(world) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("dies", ["before", "after"])
def test_a_pull_that_dies_at_a_page_neither_loses_nor_doubles_it(
    world: World, pages: Pages, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    class Died(BaseException):
        """The process is gone."""

    def dying(*args: Any, **named: Any) -> int:
        second = named["mark"].number == 2
        if second and dies == "before":
            raise Died
        version = append_rows(*args, **named)
        if second:
            raise Died
        return version

    monkeypatch.setattr(call_pages, "append_rows", dying)
    with pytest.raises(Died):
        pulled(world, pages)
    monkeypatch.undo()
    pulled(world, pages)
    assert events(world) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("read", [1, 2])
def test_of_two_pulls_at_once_one_stores_a_page_and_the_other_is_told(
    world: World, pages: Pages, read: int
) -> None:
    place = Endpoint(pages.url, TOKEN)
    one = pull(place, 1, world.source_uri, NOON)
    for _ in range(read):
        next(one)
    other = pull(place, 1, world.source_uri, NOON)
    next(other)
    with pytest.raises(SourceUnavailable, match=r"Another pull .* stored this page meanwhile"):
        list(one)
    list(other)
    mark = last_mark(world.source_uri, SOURCE_TABLES["calls"], place.reader(1))
    assert mark is not None
    assert (mark.number, mark.cursor) == (3, "3")
    assert events(world) == ["a", "b", "c", "d"]


def test_a_page_that_is_stored_while_another_pull_stores_it_is_stored_once(world: World) -> None:
    """The other commit lies between the version that ours builds on and ours."""
    table, uri = SOURCE_TABLES["calls"], world.source_uri
    rows = read(GOOD)[0]

    def overtaken() -> Iterator[pl.DataFrame]:
        append_rows(uri, table, [rows], mark=Mark("r", 1, "theirs"))
        for _ in range(3):
            append_rows(uri, table, [read(GOOD, "another file")[0]])
        yield rows

    with pytest.raises(SourceUnavailable, match="Another pull"):
        append_rows(uri, table, overtaken(), mark=Mark("r", 1, "ours"))
    assert last_mark(uri, table, "r") == Mark("r", 1, "theirs")
    append_rows(uri, table, [rows], mark=Mark("r", 2, "next"))
    for used in (1, 2, 4):
        with pytest.raises(SourceUnavailable, match="Another pull"):
            append_rows(uri, table, [rows], mark=Mark("r", used, "again"))
    assert len(events(world)) == 5


def test_pulls_of_many_threads_store_every_page_once(world: World, pages: Pages) -> None:
    pages.pages = [page(f"{n:02}") for n in range(20)]

    def until_there_is_no_more() -> None:
        while True:
            try:
                if not pulled(world, pages):
                    return
            except SourceUnavailable:
                continue

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(until_there_is_no_more) for _ in range(4)]:
            done.result()
    assert events(world) == [f"{n:02}" for n in range(20)]


@pytest.mark.parametrize(
    ("trouble", "token", "error"),
    [
        ([], "wrong", WrongCredentials),
        ([403], TOKEN, PermissionMissing),
        ([404], TOKEN, SourceError),
        ([302], TOKEN, SourceError),
        ([503] * HURRIED.tries, TOKEN, SourceUnavailable),
        (["cut"] * HURRIED.tries, TOKEN, SourceUnavailable),
    ],
)
def test_refusals_are_named_and_nothing_is_loaded(
    world: World, pages: Pages, trouble: list[int | str], token: str, error: type[CioError]
) -> None:
    pages.trouble = trouble
    with pytest.raises(error) as caught:
        pulled(world, pages, token)
    assert token not in str(caught.value)
    assert events(world) == []


def test_nobody_answers(world: World) -> None:
    place = Endpoint("http://127.0.0.1:9/", TOKEN)
    with pytest.raises(SourceUnavailable, match="cannot be read"):
        list(pull(place, 1, world.source_uri, NOON, patience=HURRIED))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/",
        "http://calls.example/",
        "https://user:pw@calls.example/",
        "calls",
        "https://[calls/",
    ],
)
def test_an_endpoint_that_would_leak_the_token_is_refused(url: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        Endpoint(url, TOKEN)
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(Endpoint("https://calls.example/", TOKEN))


def test_a_cursor_whose_log_is_gone_is_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, uri = SOURCE_TABLES["calls"], world.source_uri
    rows = read(GOOD)[0]
    append_rows(uri, table, [rows], NOON, mark=Mark("reader", 1, "c1"))
    assert last_mark(uri, table, "reader") == Mark("reader", 1, "c1")
    assert last_mark(uri, table, "other") is None
    monkeypatch.setattr(DeltaTable, "history", lambda *_: iter(()))
    with pytest.raises(SourceError, match="--cursor"):
        last_mark(uri, table, "reader")
    assert last_mark(uri, table, "reader", cursor="c0") == Mark("reader", 1, "c0")


def test_the_command_pulls_and_tells(
    world: World, pages: Pages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pages.pages[1] += b'{"type":\n'
    monkeypatch.setenv("CIO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CIO_SOURCE", f"delta:{world.source_uri}")
    monkeypatch.setenv("CALLS_TOKEN", TOKEN)
    words = ["source", "pull", "calls", "--endpoint", pages.url, "--workspace", "1", "--json"]
    done = CliRunner().invoke(app, [*words, "--token", "env:CALLS_TOKEN"])
    assert json.loads(done.stdout) == {
        "table": "calls",
        "pages": 3,
        "rows": 4,
        "known": 0,
        "cursor": "3",
        "left_out": [{"file": "page 1", "line": 2, "reason": "is no valid JSON"}],
    }
    literal = CliRunner().invoke(app, [*words, "--token", TOKEN])
    assert "no reference" in str(literal.exception)
    assert TOKEN not in str(literal.exception)
