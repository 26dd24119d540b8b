"""A file that goes right after it was held against its manifest."""

from pathlib import Path

import pytest

from cio_pipeline.reader.copies import Copies
from cio_pipeline.reader.files import FeedFile
from cio_pipeline_tests.pipeline.buckets import PEOPLE_2, Bucket


def gone_once_checked(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `PEOPLE_2` go between its check and its reading, as a purge would."""
    check = Copies._check  # pyright: ignore[reportPrivateUsage]

    def checked(copies: Copies, file: FeedFile, path: Path) -> None:
        check(copies, file, path)
        if file.key == PEOPLE_2:
            (bucket.root / PEOPLE_2).unlink()

    monkeypatch.setattr(Copies, "_check", checked)
