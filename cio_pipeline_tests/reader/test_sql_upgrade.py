"""D7: what readers are told, and run in their tables, before a sync goes from v4 to v5."""

from pathlib import Path

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from cio_pipeline.cli.upgrade_preview import preview
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.lifecycle.order import Order
from cio_pipeline.pipeline.lifecycle.upgrade import upgrade
from cio_pipeline.reader.sql import DialectName
from cio_pipeline.reader.sql.dialects import DIALECTS
from cio_pipeline.reader.sql.kit import script
from cio_pipeline.reader.sql.loads import Place
from cio_pipeline.reader.sql.relations import relations_of
from cio_pipeline.reader.sql.upgrade import altered
from cio_pipeline_tests.world import World, during

FEEDS = relations_of(Feed.DATA_OUT, 4), relations_of(Feed.DATA_OUT, 5)


def test_d7_tables_of_v4_take_files_of_v5_after_an_upgrade(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    world.sync("a", 1, version=4)
    world.commit("metrics", {"event_id": "e1"}, at=during(0))
    world.run(0, "metrics")
    upgrade(world.services, Order("a", during(0), "ann", ()))
    world.commit("metrics", {"event_id": "e2"}, at=during(1))
    world.run(1, "metrics")
    place, dialect = Place(str(world.folder()), "acme"), DIALECTS["duckdb"]
    old, new = (relations_of(Feed.DATA_OUT, one, wanted=["metrics"]) for one in (4, 5))
    with duckdb.connect() as connection:
        for one in script(old, place, dialect):
            connection.execute(one.sql)
        for sql in altered(old, new, "acme", dialect):
            connection.execute(sql)
        for one in script(new, place, dialect):
            connection.execute(one.sql)
        rows = connection.sql("SELECT event_id, machine FROM acme.metrics_newest ORDER BY 1")
        assert rows.fetchall() == [("e1", None), ("e2", False)]


@pytest.mark.parametrize("name", DIALECTS)
def test_d7_what_an_upgrade_changes_is_of_its_dialect(name: DialectName) -> None:
    statements = list(altered(*FEEDS, "acme", DIALECTS[name]))
    for one in statements:
        if not one.startswith("--"):
            assert not isinstance(sqlglot.parse_one(one, read=name), exp.Command), one
    added = [one for one in statements if " ADD " in one]
    assert len(added) == (0 if name == "databricks" else 8)


def test_d7_a_preview_tells_what_changes_and_does_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "world")
    sync = world.sync("a", 1, version=4, exports=["people", "metrics"])
    found = preview(sync, 5, "snowflake", "acme")
    assert {(one.export, one.column, one.what) for one in found.differences} >= {
        ("metrics", "machine", "new column"),
        ("people", "created_at", "other meaning"),
    }
    assert ("metrics", "metrics_v4_*", "metrics_v5_*") in found.names
    assert not [one for one in found.differences if one.export == "subjects"]
    beside = Sync.model_validate(found.beside)
    world.sync(beside.id, 1, **beside.model_dump(exclude={"id", "workspace_id"}))
    assert world.ledger.registry.get("a").sync.version == 4
    with pytest.raises(InvalidConfig, match="has the newest version"):
        preview(beside, 5, None, "acme")
