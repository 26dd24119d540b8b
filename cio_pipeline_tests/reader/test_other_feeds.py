"""C2, C3, M1, M4: calls and messages as tables, in every format."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cio_pipeline.model.errors import FileAltered
from cio_pipeline.model.feeds import Feed as FeedKind
from cio_pipeline.model.manifests import ExportStatus, InitialProgress
from cio_pipeline.model.scope import Scope
from cio_pipeline.model.windows import window_holding
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.run_export import run_export
from cio_pipeline.reader import Feed
from cio_pipeline_tests.calls import steps
from cio_pipeline_tests.messages.sending import commit_messages, row
from cio_pipeline_tests.pipeline.buckets import Bucket
from cio_pipeline_tests.reader.histories import message, messages
from cio_pipeline_tests.world import NOON, World, during, window

TRACK = (
    '{"messageId":"m1","type":"track","event":"Order Completed","userId":"u,\\"1\\"",'
    '"timestamp":"2026-03-01T11:59:59.123Z","properties":{"n":9007199254740993,"e":"\\u00e9"}}'
)
"""What a text, a time and an object of any format must survive: digits, quotes, escapes."""


def calls_of(world: World, file_format: str) -> Feed:
    steps.calls_sync(world, format=file_format)
    steps.commit(
        world,
        steps.call_row("track", TRACK),
        steps.call_row("identify", '{"messageId":"i1","type":"identify","userId":null}'),
        at=NOON,
    )
    steps.run(world, 0)
    return Feed(world.folder())


@pytest.mark.parametrize("file_format", ["csv", "json", "parquet"])
def test_c3_calls_are_one_table_a_type_in_every_format(
    world: World, file_format: Literal["csv", "json", "parquet"]
) -> None:
    feed = calls_of(world, file_format)
    (track,) = feed.table("track").collect().to_dicts()
    assert track["message_id"] == "m1"
    assert track["event"] == "order_completed"
    assert track["user_id"] == 'u,"1"'
    assert track["timestamp"] == datetime(2026, 3, 1, 11, 59, 59, 123_000, UTC)
    assert '"n":9007199254740993' in track["properties"]
    identify = feed.table("identify").collect()
    assert identify["user_id"].to_list() == [None]
    assert feed.table("alias").collect().is_empty()
    assert feed.verify().ok
    with_manifests = feed.changes("track").collect()
    for path in (world.folder() / "_cio").iterdir():
        path.unlink()
    assert_frame_equal(Feed(world.folder()).changes("track").collect(), with_manifests)


ODD_CALLS = (
    {"timestamp": "2026-03-01T11:59:59.123Z", "properties": None, "context": "mobile"},
    {"timestamp": "2026-03-01", "properties": 5, "context": []},
    {"timestamp": "2026-03-01T11:59:59", "properties": "a\u2028\r\nb", "integrations": True},
    {"timestamp": "2026-03-01T11:59+01:00", "event": "a\r\nb", "userId": "\r"},
    {"timestamp": "2026-03-01t11:59:59.123456789z", "event": None, "userId": 7},
    {"timestamp": "tomorrow", "event": ["a"], "userId": "\ud800", "context": ""},
)
"""What SDKs may send in the place of what is usual; the first has the usual time."""


def test_c3_a_table_has_the_same_rows_in_every_format(world: World) -> None:
    """JSON keeps what came in: the reader takes it as the sender did for columns with types."""
    formats = ("parquet", "json", "csv")
    for one in formats:
        steps.calls_sync(world, one, format=one)
    rows = [{"type": "track", "messageId": f"m{n}", **odd} for n, odd in enumerate(ODD_CALLS)]
    steps.commit(world, *(steps.call_row("track", one) for one in rows), at=NOON)
    steps.run(world, 0)
    typed, *others = [Feed(world.folder(one)).table("track").sort("message_id") for one in formats]
    expected = typed.drop("extra").collect()
    assert expected["timestamp"].null_count() == 1
    assert expected["properties"].to_list()[:3] == ["null", "5", r'"a\u2028\r\nb"']
    for other in others:
        assert_frame_equal(other.drop("extra").collect(), expected)


def test_m1_a_payload_is_read_with_the_line_breaks_that_it_has(world: World) -> None:
    world.sync(feed="messages", at=NOON)
    payload = '{"a":\r1,\r\n"b": 2\n}'
    commit_messages(world, row("m", payload), at=during(0))
    at = window_holding(during(0), FeedKind.MESSAGES)
    world.now = at.end
    run_export(world.services, "messages", at, Scope())
    commit_window(world.services, at, feed=FeedKind.MESSAGES)
    (found,) = Feed(world.folder()).table("messages").collect()["data"]
    assert found == payload


def test_m4_messages_are_rows_and_of_equal_keys_the_last_counts(world: World) -> None:
    world.sync(feed="messages", key_template="metadata.objectName", at=NOON)
    big = '{"commitNumber":9007199254740993}'
    for number, payload in enumerate(("{}", big)):
        commit_messages(
            world,
            row(f"m{number}", payload, metadata={"objectName": "same", "event-id": "e"}),
            row(f"n{number}", metadata={"objectName": f"other-{number}", "event-id": "e"}),
            at=during(number),
        )
        at = window_holding(during(number), FeedKind.MESSAGES)
        world.now = at.end
        run_export(world.services, "messages", at, Scope())
        commit_window(world.services, at, feed=FeedKind.MESSAGES)
    feed = Feed(world.folder())
    found = feed.table("messages").sort("key").collect()
    assert found["key"].to_list() == ["other-0", "other-1", "same"]
    assert found.filter(pl.col("key") == "same")["data"].to_list() == [big]


@pytest.mark.parametrize("read", [Feed.table, Feed.changes, Feed.arrow, Feed.duckdb])
def test_m4_what_a_later_manifest_overwrote_is_named_with_it(
    tmp_path: Path, read: Callable[..., object]
) -> None:
    """The message's own words are gone from the bucket: no digest can be met."""
    bucket = Bucket(tmp_path)
    list(messages(bucket, last=True))
    feed = Feed(bucket.root)
    for as_of in (1, window(0).end):
        with pytest.raises(FileAltered, match=r"'same.json'.*manifest 2.*as_of=2"):
            read(feed, "messages", as_of=as_of)
    assert feed.table("messages", as_of=2).collect()["data"].to_list() == ["{}"]


def test_m4_messages_of_a_window_under_way_count_at_once(tmp_path: Path) -> None:
    """Each is an object of its own, and what it took the place of is not there any more."""
    bucket = Bucket(tmp_path)
    bucket.commit(message(bucket, 1, "1"))
    bucket.commit(replace(message(bucket, 2, "2"), window_end=window(1).end))
    begun = InitialProgress(window(1).end, slices=2, slice_rows=3, done=1)
    status = ExportStatus("messages", "outstanding", window(0).end, initial=begun)
    for ordinal in (1, 2):
        bucket.rewrite(ordinal, feed=FeedKind.MESSAGES)
    bucket.rewrite(2, exports=(status,))
    assert Feed(bucket.root).table("messages").collect()["data"].to_list() == ["2"]
