"""A bucket with three manifests, and a warehouse in memory."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cio_pipeline.reader.warehouse import database
from cio_pipeline_tests.pipeline.buckets import Bucket, whole_bucket


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return whole_bucket(tmp_path)


@pytest.fixture
def db() -> Iterator[Any]:
    with closing(duckdb.connect()) as connection:
        database.prepare(connection)
        yield connection
