"""Seed 000, endpoint and token: pages as real APIs give them, and break them (docs/calls.md)."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from typer.testing import CliRunner

from cio_pipeline.cli import pull as cli_pull
from cio_pipeline.cli.app import app
from cio_pipeline.model.errors import InvalidConfig, SourceError, SourceUnavailable
from cio_pipeline.sources import call_pages
from cio_pipeline.sources.call_pages import Endpoint, Page, pull
from cio_pipeline.sources.page_fetch import RetryRules
from cio_pipeline_tests.calls.answers import (
    Asked,
    answer,
    answering,
    calls,
    chunked,
    without_length,
    zipped,
)
from cio_pipeline_tests.world import NOON, World

TOKEN = "s3cret"  # noqa: S105 - of a server that lives for a test
END = answer(b"", 204)
THREE = calls("a", "b", "c")
GZIP = {"Content_Encoding": "gzip"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def pages_of(
    world: World, at: Asked, cursor: str | None = None, patience: RetryRules | None = None
) -> list[Page]:
    hurried = patience or RetryRules(backoff=0.001)
    place = Endpoint(at.url, TOKEN)
    return list(pull(place, 1, world.source_uri, NOON, cursor=cursor, patience=hurried))


def pulled(world: World, at: Asked, cursor: str | None = None) -> int:
    return sum(one.rows for one in pages_of(world, at, cursor))


def events(world: World) -> list[str]:
    table = DeltaTable(f"{world.source_uri}/calls")
    payloads = table.to_pyarrow_table(columns=["payload"])["payload"].to_pylist()
    return sorted(json.loads(text)["event"] for text in payloads)


def told(answers: dict[str, bytes]) -> Callable[[str], bytes]:
    return lambda cursor: answers.get(cursor, END)


WHOLE = {
    "length": answer(THREE, next="1"),
    "chunks": chunked(THREE, next="1"),
    "gzip and length": answer(zipped(THREE), next="1", **GZIP),
    "gzip in chunks": chunked(zipped(THREE), next="1", **GZIP),
    "gzip that ends by itself": without_length(zipped(THREE), next="1", **GZIP),
    "no line end": answer(THREE.rstrip(), next="1"),
}


@pytest.mark.parametrize("page", WHOLE.values(), ids=WHOLE)
def test_a_page_whose_end_is_told_is_taken(world: World, page: bytes) -> None:
    with answering(told({"": page})) as at:
        assert pulled(world, at) == 3
    assert events(world) == ["a", "b", "c"]


FIRST_LINE = THREE[: THREE.index(b"\n") + 1]
CUT = {
    "length, at a line": without_length(FIRST_LINE, next="1", Content_Length=str(len(THREE))),
    "chunks, at a line": chunked(FIRST_LINE, b"", next="1"),
    "chunks, none came": chunked(b"", b"", next="1"),
    "gzip with the length of the cut": answer(zipped(THREE)[:-9], next="1", **GZIP),
    "gzip without its checksum": answer(zipped(THREE)[:-4], next="1", **GZIP),
    "gzip in chunks": chunked(zipped(THREE)[:-9], next="1", **GZIP),
    "gzip without length": without_length(zipped(THREE)[:-9], next="1", **GZIP),
    "gzip of which nothing came": without_length(b"", next="1", **GZIP),
    "no gzip": answer(THREE, next="1", **GZIP),
}


@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
def test_a_page_that_breaks_off_counts_when_it_is_whole(world: World, cut: bytes) -> None:
    answers = [cut, cut, WHOLE["length"]]
    with answering(lambda _: answers.pop(0) if answers else END) as at:
        assert pulled(world, at) == 3
        assert at.cursors == ["", "", "", "1"]
    assert events(world) == ["a", "b", "c"]
    with answering(lambda _: cut) as at, pytest.raises(SourceUnavailable, match="cannot be read"):
        pulled(world, at)


@pytest.mark.parametrize("body", [THREE, FIRST_LINE, b""], ids=["whole", "cut", "nothing"])
def test_a_page_that_does_not_tell_its_end_is_refused(world: World, body: bytes) -> None:
    with (
        answering(told({"": without_length(body, next="1")})) as at,
        pytest.raises(SourceError, match="does not tell where a page ends"),
    ):
        pulled(world, at)
    assert events(world) == []


@pytest.mark.parametrize("last", ["b", "c", "a"])
def test_cursors_that_go_round_in_a_circle_end_with_everything_stored_once(
    world: World, last: str
) -> None:
    around = {
        "": answer(calls("1"), next="a"),
        "a": answer(calls("2"), next="b"),
        "b": answer(calls("3"), next="c"),
        "c": answer(calls("4"), next="d"),
        "d": answer(calls("5"), next=last),
    }
    with answering(told(around)) as at:
        with pytest.raises(SourceError, match="round in a circle"):
            pulled(world, at)
        assert events(world) == ["1", "2", "3", "4", "5"]
        asked = len(at.cursors)
        with pytest.raises(SourceError, match=r"round in a circle.*--cursor"):
            pulled(world, at)
        assert len(at.cursors) == asked, "nobody is asked again"
        around |= {"d": answer(calls("5"), next="e"), "e": answer(calls("6"), next="f")}
        assert pulled(world, at, "d") == 1
        assert pulled(world, at) == 0
    assert events(world) == ["1", "2", "3", "4", "5", "6"]


@pytest.mark.parametrize(
    "nothing",
    [answer(b"", 204, next="1"), answer(b"", next="1"), answer(b"\n \n", next="1")],
    ids=["204", "empty", "blank lines"],
)
def test_an_empty_page_with_a_new_cursor_is_passed(world: World, nothing: bytes) -> None:
    answers = {"": nothing}
    with answering(told(answers)) as at:
        assert pulled(world, at) == 0
        assert pulled(world, at) == 0
        assert at.cursors == ["", "1", "1"], "the cursor is kept, though no row came with it"
        answers |= {"1": answer(calls("a"), next="2"), "2": answer(b"", next="3")}
        answers |= {"3": answer(calls("b"), next="4")}
        assert pulled(world, at) == 2
    assert events(world) == ["a", "b"]


def test_an_endpoint_that_always_has_a_new_cursor_has_nothing_more_for_now(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_pages, "EMPTY_IN_A_ROW", 12)  # Each of them is a commit.
    with answering(lambda cursor: answer(b"", next=str(int(cursor or 0) + 1))) as at:
        assert pulled(world, at) == 0
        assert len(at.cursors) == 12
        pulled(world, at)
        assert at.cursors[12] == "12"


@pytest.mark.parametrize("end", [{}, {"next": ""}, {"next": "{cursor}"}], ids=str)
@pytest.mark.parametrize("first", ["", "1"])
def test_a_last_page_without_a_cursor_is_stored_and_may_grow(
    world: World, end: dict[str, str], first: str
) -> None:
    told_end = {name: value.format(cursor=first) for name, value in end.items()}
    answers = {"": answer(calls("0"), next="1")} if first else {}
    with answering(told(answers)) as at:
        answers[first] = answer(calls("a", "a", "b"), **told_end)
        pulled(world, at)
        before = DeltaTable(f"{world.source_uri}/calls").version()
        assert pulled(world, at) == 0
        assert DeltaTable(f"{world.source_uri}/calls").version() == before
        assert at.cursors[-2:] == [first, first]
        answers[first] = answer(calls("a", "a", "b", "b", "c"), **told_end)
        (page,) = pages_of(world, at)
        assert (page.rows, page.known) == (2, 3)
        answers |= {first: answer(calls("a", "a", "b", "b", "c", "d"), next="2")}
        answers |= {"2": answer(calls("e"))}
        assert pulled(world, at) == 2
    assert events(world) == ["0"] * bool(first) + ["a", "a", "b", "b", "c", "d", "e"]


def test_c2_a_pull_from_an_earlier_cursor_leaves_out_what_is_there(world: World) -> None:
    answers = {"": answer(calls("a"), next="1"), "1": answer(calls("b"), next="2")}
    with answering(told(answers)) as at:
        assert pulled(world, at) == 2
        assert [(one.rows, one.known) for one in pages_of(world, at, "1")] == [(0, 1)]
        assert pulled(world, at) == 0
    assert events(world) == ["a", "b"]


NO_CALLS = {
    "html": answer(b"<html>\n<p>Log in</p>", Content_Type="text/html; charset=utf-8", next="9"),
    "html under a wrong name": answer(b"<html>\n<p>Log in</p>", next="9"),
    "xml": answer(b"<?xml?><Error/>", Content_Type="application/xml", next="9"),
    "text": answer(b"upstream connect error", Content_Type="text/plain", next="9"),
    "an array": answer(b'[{"type": "track"}]', Content_Type="application/json", next="9"),
    "an envelope": answer(b'{"calls": [{"type": "track"}], "next": 5}', next="9"),
    "an object over lines": answer(b'{\n "calls": []\n}', next="9"),
    "html without a cursor": answer(b"<html>\n<p>Log in</p>"),
}


@pytest.mark.parametrize("page", NO_CALLS.values(), ids=NO_CALLS)
def test_a_200_that_holds_no_calls_moves_nothing_on(world: World, page: bytes) -> None:
    answers = {"": answer(calls("a"), next="1"), "1": page, "9": answer(calls("z"))}
    with answering(told(answers)) as at:
        with pytest.raises(SourceError, match=r"holds no calls|is a call"):
            pulled(world, at)
        answers["1"] = answer(calls("b"), next="9")
        assert pulled(world, at) == 2
    assert events(world) == ["a", "b", "z"]


def test_a_page_of_calls_of_unknown_types_is_told_and_passed(world: World) -> None:
    answers = {"": answer(b'{"type": "teleport"}', next="1"), "1": answer(calls("a"))}
    with answering(told(answers)) as at:
        pages = pages_of(world, at)
    assert [len(one.bad) for one in pages] == [1, 0]
    assert events(world) == ["a"]


FAR = "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"


def header(asked: str | int) -> str:
    """The text of a `Retry-After`; a number is a date, so many seconds from now."""
    if isinstance(asked, str):
        return asked
    return format_datetime(datetime.now(UTC) + timedelta(seconds=asked), usegmt=True)


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [("7", 7, 7), ("0", 0, 0), (120, 30, 120), (-9, 0, 0), ("soon", 1, 1), (FAR, 1, 1)],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_kept_and_told(
    world: World, asked: str | int, least: float, most: float, status: int
) -> None:
    waited: list[float] = []
    said: list[str] = []
    answers = [answer(b"", status, Retry_After=header(asked)), answer(THREE), END]
    patience = RetryRules(sleep=waited.append, say=said.append)
    with answering(lambda _: answers.pop(0)) as at:
        assert sum(one.rows for one in pages_of(world, at, patience=patience)) == 3
    assert least <= waited[0] <= most
    assert f"The endpoint answered {status}. Waiting" in said[0]
    assert "before try 2 of 5" in said[0]


@pytest.mark.parametrize("asked", ["3600", 3610])
def test_a_retry_after_beyond_patience_ends_the_pull_with_a_word(
    world: World, asked: str | int
) -> None:
    def awake(_: float) -> None:
        raise AssertionError("waited")

    with (
        answering(lambda _: answer(b"", 429, Retry_After=header(asked))) as at,
        pytest.raises(SourceUnavailable, match="left alone for 60 minutes"),
    ):
        pages_of(world, at, patience=RetryRules(sleep=awake))


@pytest.mark.parametrize("token", ["", "zoë", "a\nb", "a\x00", " "])
def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(InvalidConfig, match="header") as caught:
        Endpoint("https://calls.example/", token)
    assert not token.strip() or token not in str(caught.value)


@pytest.fixture
def command(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[Asked], Any]:
    monkeypatch.setenv("CIO_HOME", str(world.root / "home"))
    monkeypatch.setenv("CIO_SOURCE", f"delta:{world.source_uri}")
    monkeypatch.setenv("CALLS_TOKEN", TOKEN)
    monkeypatch.setattr(RetryRules, "wait", spoken)
    words = ["source", "pull", "calls", "--token", "env:CALLS_TOKEN", "--workspace", "1"]
    return lambda at: CliRunner().invoke(app, [*words, "--endpoint", at.url])


def spoken(patience: RetryRules, _tried: int, _again: Any) -> None:
    patience.say("Waiting a while.")


def test_the_command_tells_what_it_does_and_what_it_stored_before_an_error(
    world: World, command: Callable[[Asked], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_pull, "TOLD_EVERY", 0.0)

    def busy(pages: dict[str, bytes]) -> Iterator[bytes]:
        yield answer(b"", 503)
        yield pages[""]
        yield pages["1"]

    calm = busy({"": answer(calls("a", "b"), next="1"), "1": answer(b"<html>", next="2")})
    with answering(lambda _: next(calm)) as at:
        done = command(at)
    assert isinstance(done.exception, SourceError)
    assert "Waiting a while." in done.stderr
    assert "Pulled 1 page(s) with 2 call(s) …" in done.stderr
    assert "1 page(s) with 2 call(s) were stored before." in done.stderr
    assert events(world) == ["a", "b"]
