"""What readers have: the product's own tables of what was delivered, read in two ways."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import duckdb
import polars as pl

from cio_pipeline.ports import Destination
from cio_pipeline.reader import Feed
from cio_pipeline.reader.warehouse.database import prepare
from cio_pipeline.reader.warehouse.load import load
from cio_pipeline_tests.convergence.meaning import Row
from cio_pipeline_tests.convergence.sending import Frozen, frozen


def _connected() -> Any:
    connection = duckdb.connect()
    prepare(connection)
    return connection


@dataclass
class Tables:
    """A warehouse that is loaded as a history goes on, and held against `Feed`."""

    db: Any = field(default_factory=_connected)

    def load(self, bucket: Destination) -> None:
        """What is new of a sync, if anything was delivered."""
        if any(bucket.list("_cio")):
            load(self.db, bucket)

    def rows(self, bucket: Destination, sync_id: str, export: str) -> list[Row]:
        """All rows of an export, in no order."""
        found = self._loaded(f"{sync_id}.{export}")
        assert counted(found) == counted(Feed(bucket).changes(export).collect().to_dicts())
        return found

    def newest(self, bucket: Destination, sync_id: str, export: str) -> list[Row]:
        """The newest row of everything that the rows of an export speak of."""
        found = self._loaded(f"{sync_id}.{export}_newest")
        assert counted(found) == counted(Feed(bucket).table(export).collect().to_dicts())
        return found

    def _loaded(self, relation: str) -> list[Row]:
        rows = pl.DataFrame(self.db.sql(f"FROM {relation}").to_arrow_table())
        return rows.drop("_file", "_row", strict=False).to_dicts()

    def close(self) -> None:
        """Let go of the database."""
        self.db.close()


def counted(rows: Iterable[Row]) -> Counter[Frozen]:
    """How often each row is there."""
    return Counter(map(frozen, rows))
