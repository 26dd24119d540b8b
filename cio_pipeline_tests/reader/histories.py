"""How buckets go on: new files, rewritten ones, and messages under one key."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.manifests import ManifestFile, Superseded
from cio_pipeline.model.plans import Mode, Series
from cio_pipeline_tests.pipeline.buckets import PEOPLE_2, START, Bucket, entry


def grown(bucket: Bucket) -> None:
    """Two more manifests: new rows, a file that was rewritten, rows that are sent again."""
    bucket.commit(
        bucket.file("people", 5),
        replace(bucket.file("metrics", 3), mode=Mode.REPLAY),
        superseded=[bucket.erase(entry(bucket, PEOPLE_2), rows=2)],
    )
    bucket.commit(bucket.file("people", 2, series=Series.CHNGS), bucket.file("events", 1))


def message(bucket: Bucket, number: int, data: str) -> ManifestFile:
    """Put a message under a key that all share."""
    body = f'{{"data": {data}}}'.encode()
    end = START + number * timedelta(minutes=15)
    of = replace(
        bucket.file("people", number), export="messages", rows=1, key="same.json", window_end=end
    )
    return bucket.alter("same.json", body, of)


def messages(bucket: Bucket, *, last: bool) -> Iterator[None]:
    """One message under a key, erased, and followed by another; after each manifest.

    `last`: the erasure came after the other message, which it rewrote.
    """
    for step, _ in enumerate(_messages(bucket, last=last)):
        bucket.rewrite(step + 1, feed=Feed.MESSAGES)
        yield


def _messages(bucket: Bucket, *, last: bool) -> Iterator[None]:
    first = message(bucket, 1, '{"who": "ann"}')
    bucket.commit(first)
    yield
    erased = bucket.alter("same.json", b'{"data": {}}', first)
    told = Superseded("same.json", first.sha256, erased.sha256, 1, erased.bytes)
    if last:
        second = message(bucket, 2, '{"who": "ann", "n": 2}')
        bucket.commit(second)
        yield
        bucket.alter("same.json", b'{"data": {}}', second)
        bucket.commit(superseded=[replace(told, before=second.sha256)])
    else:
        bucket.commit(superseded=[told])
        yield
        bucket.commit(message(bucket, 2, '{"n": 2}'))
    yield
