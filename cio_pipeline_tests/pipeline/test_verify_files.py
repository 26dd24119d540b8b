"""D5, D10: files whose rows, footer or name contradict their manifest are named."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from cio_pipeline.model.plans import Series
from cio_pipeline.verification.report import ProblemKind
from cio_pipeline.verification.verify import verify
from cio_pipeline_tests.pipeline.buckets import PEOPLE_2, Bucket, entry, named, with_entry


def test_d10_rows_of_another_workspace_are_named(bucket: Bucket) -> None:
    bucket.commit(bucket.file("events", 1, workspace=8))
    report = verify(bucket.folder)
    assert named(report) == [(ProblemKind.FOREIGN, "events_v5_7_1.parquet")]
    assert report.complete_up_to == 3


def test_d10_one_foreign_row_is_enough(bucket: Bucket) -> None:
    path = bucket.root / PEOPLE_2
    frame = pl.read_parquet(path).with_columns(
        workspace_id=pl.when(pl.int_range(pl.len()) == 1).then(6).otherwise("workspace_id")
    )
    frame.write_parquet(path, metadata=pl.read_parquet_metadata(path))
    with_entry(bucket, bucket.alter(PEOPLE_2, path.read_bytes(), entry(bucket, PEOPLE_2)))
    assert named(verify(bucket.folder)) == [(ProblemKind.FOREIGN, PEOPLE_2)]


def test_d10_without_statistics_no_workspace_is_proven(bucket: Bucket) -> None:
    path = bucket.root / PEOPLE_2
    metadata = pl.read_parquet_metadata(path)
    pl.read_parquet(path).write_parquet(path, statistics=False, metadata=metadata)
    with_entry(bucket, bucket.alter(PEOPLE_2, path.read_bytes(), entry(bucket, PEOPLE_2)))
    assert named(verify(bucket.folder)) == [(ProblemKind.FOREIGN, PEOPLE_2)]


@pytest.mark.parametrize(
    "change",
    [{"rows": 4}, {"fingerprint": "0" * 16}, {"export": "subjects"}, {"export": "made_up"}],
    ids=str,
)
def test_d10_what_the_footer_contradicts_is_named(bucket: Bucket, change: dict[str, Any]) -> None:
    changed = replace(entry(bucket, "campaign_actions_v5_7_1.parquet"), **change)
    with_entry(bucket, changed)
    assert named(verify(bucket.folder)) == [
        (ProblemKind.CONTRACT, "campaign_actions_v5_7_1.parquet")
    ]


def test_d10_a_file_that_is_no_parquet_is_named(bucket: Bucket) -> None:
    for body in (b"", b"PAR1", b"not a Parquet file at all", b"PAR1" * 50):
        with_entry(bucket, bucket.alter(PEOPLE_2, body, entry(bucket, PEOPLE_2)))
        assert named(verify(bucket.folder)) == [(ProblemKind.CONTRACT, PEOPLE_2)]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"series": Series.CHNGS, "sequence": 2}, ProblemKind.MISNAMED),
        ({"version": 4}, ProblemKind.MISNAMED),
        ({"part": 1}, ProblemKind.MISNAMED),
    ],
    ids=str,
)
def test_d5_a_name_that_contradicts_its_manifest_is_named(
    bucket: Bucket, change: dict[str, Any], kind: ProblemKind
) -> None:
    with_entry(bucket, replace(entry(bucket, PEOPLE_2), **change))
    report = verify(bucket.folder, deep=False)
    assert (kind, PEOPLE_2) in named(report)
    assert report.complete_up_to == 1


@pytest.mark.parametrize("name", ["people.parquet", "people_v5_8_2.parquet", "../x", "a//b"])
def test_d5_a_key_that_is_no_name_of_this_workspace_is_named(bucket: Bucket, name: str) -> None:
    with_entry(bucket, replace(entry(bucket, PEOPLE_2), key=name), PEOPLE_2)
    report = verify(bucket.folder)
    assert {key for _, key in named(report)} == {name, PEOPLE_2}
    assert (ProblemKind.MISSING, name) in named(report)


def test_d5_two_exports_with_one_stem_are_named(bucket: Bucket) -> None:
    changed = replace(entry(bucket, "campaign_actions_v5_7_1.parquet"), export="campaigns")
    bucket.commit(replace(changed, key="people_v5_7_5.parquet", sequence=2))
    report = verify(bucket.folder, deep=False)
    assert (ProblemKind.MISNAMED, "people_v5_7_5.parquet") in named(report)
