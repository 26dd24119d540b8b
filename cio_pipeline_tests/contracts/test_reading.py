"""docs/reading.md, followed word for word over a folder that was delivered."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.model.manifests import ExportStatus, Manifest, ManifestFile
from cio_pipeline.model.plans import Mode
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during

PAGE = (Path(__file__).parents[2] / "docs" / "reading.md").read_text(encoding="utf-8")
PLACE = ".cio/bucket/acme-v5"
FOLDER = {"type": "local", "path": PLACE}


def metric(event: str, number: int, seq_num: int, **fields: Any) -> dict[str, Any]:
    return {
        "event_id": event,
        "delivery_id": "d1",
        "channel": "email",
        "seq_num": seq_num,
        "created_at": during(number),
        **fields,
    }


@pytest.fixture
def delivered(world: World) -> World:
    """Two windows; in the second a person moves, another goes, and a click is a machine's."""
    world.sync("acme-v5", destination=FOLDER)
    world.commit("people", person("ann"), person("bob"), person("cid"), at=during(0))
    attribute = {"internal_customer_id": "ann", "attribute_name": "plan", "timestamp": during(0)}
    world.commit("attributes", {**attribute, "attribute_value": '"pro"'}, at=during(0))
    world.commit("deliveries", {"delivery_id": "d1", "seq_num": 1}, at=during(0))
    opened, clicked = {"metric": "opened"}, {"metric": "clicked"}
    world.commit(
        "metrics",
        metric("o1", 0, 1, **opened, prefetched=False, proxied=False),
        metric("o2", 0, 2, **opened, prefetched=True, proxied=False),
        metric("o3", 0, 3, **opened, prefetched=False, proxied=True),
        metric("c1", 0, 4, **clicked, machine=False),
        metric("c2", 0, 5, **clicked, machine=False),
        at=during(0),
    )
    world.run(0)
    # Ann's time does not grow: a tie, in which `chngs` counts.
    world.commit("people", person("ann", email="new@acme.example"), at=during(1))
    world.commit("people", person("bob", number=1, deleted=True), at=during(1))
    world.commit("metrics", metric("c2", 1, 6, **clicked, machine=True), at=during(1))
    world.run(1)
    return world


def test_d1_the_views_of_the_page_show_the_present_state(
    delivered: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D1: newest rows, ties, who is gone, human opens; what no manifest lists does not count."""
    monkeypatch.chdir(delivered.root)
    folder = delivered.root / PLACE
    (folder / "people_v5_1_9.parquet").write_bytes((folder / "people_v5_1_1.parquet").read_bytes())
    (block,) = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)

    with duckdb.connect() as db:
        db.execute(block)
        people = db.execute("SELECT customer_id, email_addr FROM people ORDER BY 1").fetchall()
        assert people == [("ann", "new@acme.example"), ("cid", "cid@acme.example")]
        assert db.execute("SELECT event_id FROM human_opens").fetchall() == [("o1",)]
        assert db.execute("SELECT event_id FROM human_clicks").fetchall() == [("c1",)]
        for view in ("attributes", "deliveries"):
            assert db.execute("SELECT count(*) FROM query_table(?)", [view]).fetchall() == [(1,)]


def test_d10_every_field_of_a_manifest_is_told() -> None:
    told = set(re.findall(r"`([a-z-]\w*(?:-\w+)*)`", PAGE))
    of = [field.name for kind in (Manifest, ManifestFile, ExportStatus) for field in fields(kind)]
    assert set(of) | {"format"} | {mode.value for mode in Mode} <= told


@pytest.mark.parametrize("name", EXPORTS)
def test_d1_the_page_has_every_entity_key(name: str) -> None:
    export = EXPORTS[name]
    key = ", ".join(f"`{column}`" for column in export.entity_key)
    newest = f"`{export.newest_by}`" if export.newest_by else "one row each"
    assert f"| {name} | {key} | {newest} |" in PAGE
