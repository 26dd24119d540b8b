"""Snapshots of tables whose log begins with a checkpoint, in each form that there is (D6)."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from cio_pipeline.sources.delta import DeltaSource
from cio_pipeline_tests.sources.crafted import Crafted, without
from cio_pipeline_tests.sources.test_one_reader import MORE, OLD, by_key
from cio_pipeline_tests.sources.things import THINGS, at_version

FORMS = [
    "one file", "parts", "sidecars",
    "json", "json, sidecar late", "json, own files", "json, own files late",
]  # fmt: skip
TRANSACTIONS = [{"txn": {"appId": f"app{n}", "version": 1}} for n in range(150)]


@pytest.mark.parametrize("form", FORMS)
def test_d6_vectors_are_found_in_each_form_of_a_checkpoint(tmp_path: Path, form: str) -> None:
    """Also where no older entry of the log is left."""
    lake = Crafted(
        tmp_path, pl.DataFrame.write_parquet, features=("deletionVectors", "v2Checkpoint")
    )
    lake.create()
    lake.commit(*(without(add, [1, 3]) for add in lake.added(OLD)), state=OLD[::2])
    lake.commit(*lake.added(MORE), state=pl.concat([OLD[::2], MORE]))
    DeltaTable(lake.folder).create_checkpoint()
    log = lake.folder / "_delta_log"
    rewrite(log, form)
    for version in range(3):
        (log / f"{version:020d}.json").unlink()
    more = lake.added(OLD.with_columns(key=pl.col("key") + "!"))
    state = pl.concat([lake.states[-1], OLD[1:].with_columns(key=pl.col("key") + "!")])
    lake.commit(*(without(add, [0]) for add in more), state=state)
    found = DeltaSource(str(tmp_path))
    for version in (2, 3):
        rows = found.snapshot(THINGS, at_version(found, version)).collect()
        assert by_key(rows) == by_key(lake.states[version])


def rewrite(log: Path, form: str) -> None:
    """The checkpoint in another of the forms that Delta's protocol has."""
    name = f"{2:020d}.checkpoint"
    whole = pl.read_parquet(log / f"{name}.parquet")
    rest, adds = whole.filter(pl.col("add").is_null()), whole.filter(pl.col("add").is_not_null())
    if form == "one file":
        return
    (log / f"{name}.parquet").unlink()
    (log / "_last_checkpoint").unlink(missing_ok=True)
    if form == "parts":
        rest.write_parquet(log / f"{name}.{1:010d}.{2:010d}.parquet")
        adds.write_parquet(log / f"{name}.{2:010d}.{2:010d}.parquet")
        return
    sidecar = log / "_sidecars/a b.parquet"
    sidecar.parent.mkdir()
    adds.select("add").write_parquet(sidecar)
    size = sidecar.stat().st_size
    refers = {"path": "a%20b.parquet", "sizeInBytes": size, "modificationTime": 1, "tags": None}
    unique = "80a083e8-7026-4e79-81be-64bd76c43a11"
    if "json" in form:
        last = with_vectors_last(adds) if "own files" in form else [{"sidecar": refers}]
        others = [*(TRANSACTIONS if "late" in form else ()), *actions_of(rest)]
        actions = [*others, *last] if "late" in form else [*last, *others]
        lines = [{"checkpointMetadata": {"version": 2}}, *actions]
        (log / f"{name}.{unique}.json").write_text("\n".join(map(json.dumps, lines)))
        return
    top = pl.concat(
        [
            rest,
            pl.DataFrame({"checkpointMetadata": [{"version": 2}]}),
            pl.DataFrame({"sidecar": [refers]}),
        ],
        how="diagonal_relaxed",
    )
    top.drop("add").write_parquet(log / f"{name}.{unique}.parquet")


def with_vectors_last(adds: pl.DataFrame) -> list[dict[str, Any]]:
    """Its files as lines, those without a deletion vector first."""
    found = actions_of(adds.select("add"))
    whole = [action for action in found if "deletionVector" not in action["add"]]
    return [*whole, *(action for action in found if action not in whole)]


def actions_of(rest: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows of a checkpoint as lines of one."""
    found: list[dict[str, Any]] = []
    for row in rest.to_dicts():
        for kind, fields in row.items():
            if fields is None:
                continue
            if kind == "metaData":
                fields["format"]["options"] = {}
            found.append({kind: {k: v for k, v in fields.items() if v is not None}})
    return found
