"""D10: manifests that are missing, altered, in another order or of another sync are named."""

from typing import Any

import pytest

from cio_pipeline.model.manifests import manifest_key
from cio_pipeline.verification.report import ProblemKind
from cio_pipeline.verification.verify import verify
from cio_pipeline_tests.pipeline.buckets import PEOPLE_2, START, Bucket, entry, named


def test_d10_a_missing_manifest_is_named(bucket: Bucket) -> None:
    bucket.folder.delete(manifest_key(2))
    report = verify(bucket.folder)
    assert (ProblemKind.MANIFEST_MISSING, "_cio/2.manifest") in named(report)
    assert (ProblemKind.UNLISTED, PEOPLE_2) in named(report)
    assert report.complete_up_to == 1


def test_d10_missing_first_manifests_are_named(bucket: Bucket) -> None:
    bucket.folder.delete(manifest_key(1))
    bucket.folder.delete(manifest_key(2))
    report = verify(bucket.folder)
    assert report.problems[0].message.startswith("Manifests 1 to 2 are missing.")
    assert report.complete_up_to == 0


def test_d10_files_without_any_manifest_prove_nothing(bucket: Bucket) -> None:
    for ordinal in (1, 2, 3):
        bucket.folder.delete(manifest_key(ordinal))
    assert named(verify(bucket.folder)) == [(ProblemKind.NO_MANIFEST, "_cio")]


def test_d10_a_number_far_off_is_named_at_once(bucket: Bucket) -> None:
    (bucket.root / manifest_key(3)).rename(bucket.root / manifest_key(10**18))
    report = verify(bucket.folder)
    assert (ProblemKind.MANIFEST_MISSING, "_cio/3.manifest") in named(report)
    assert (ProblemKind.MANIFEST_BROKEN, f"_cio/{10**18}.manifest") in named(report)
    assert report.complete_up_to == 2


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"format": 99}', b"\xff", b"null"])
def test_d10_a_manifest_that_cannot_be_read_is_named(bucket: Bucket, body: bytes) -> None:
    (bucket.root / manifest_key(2)).write_bytes(body)
    report = verify(bucket.folder)
    assert named(report)[:2] == [
        (ProblemKind.MANIFEST_BROKEN, "_cio/2.manifest"),
        (ProblemKind.CHAIN_BROKEN, "_cio/2.manifest"),
    ]
    assert report.complete_up_to == 1


def test_d10_an_altered_manifest_breaks_the_chain(bucket: Bucket) -> None:
    bucket.rewrite(2, rechain=False, created_at=START)
    report = verify(bucket.folder)
    assert named(report) == [(ProblemKind.CHAIN_BROKEN, "_cio/2.manifest")]
    assert report.complete_up_to == 1


def test_d10_manifests_in_another_order_break_the_chain(bucket: Bucket) -> None:
    one, two = bucket.root / manifest_key(2), bucket.root / manifest_key(3)
    bodies = one.read_bytes(), two.read_bytes()
    two.write_bytes(bodies[0])
    one.write_bytes(bodies[1])
    report = verify(bucket.folder)
    assert {
        (ProblemKind.MANIFEST_BROKEN, "_cio/2.manifest"),
        (ProblemKind.CHAIN_BROKEN, "_cio/1.manifest"),
    } <= {*named(report)}
    assert report.complete_up_to == 0


def test_d10_a_first_manifest_that_continues_another_is_named(bucket: Bucket) -> None:
    bucket.rewrite(1, previous="0" * 64)
    assert named(verify(bucket.folder)) == [(ProblemKind.CHAIN_BROKEN, "_cio/1.manifest")]


@pytest.mark.parametrize("change", [{"sync_id": "beta"}, {"workspace_id": 8}])
def test_d10_a_manifest_of_another_sync_is_named(bucket: Bucket, change: dict[str, Any]) -> None:
    bucket.rewrite(3, **change)
    report = verify(bucket.folder)
    assert (ProblemKind.MANIFEST_BROKEN, "_cio/3.manifest") in named(report)
    assert report.complete_up_to == 2


def test_d10_a_file_listed_twice_is_named(bucket: Bucket) -> None:
    again = entry(bucket, PEOPLE_2)
    bucket.rewrite(3, files=(*bucket.manifests[2].files, again))
    report = verify(bucket.folder)
    assert named(report) == [(ProblemKind.LISTED_TWICE, PEOPLE_2)]
    assert (report.complete_up_to, report.files) == (2, 8)


def test_d10_a_manifest_of_no_feed_is_named_and_nothing_is_raised(bucket: Bucket) -> None:
    path = bucket.root / manifest_key(3)
    path.write_bytes(path.read_bytes().replace(b'"data-out"', b'"made-up"'))
    assert (ProblemKind.MANIFEST_BROKEN, manifest_key(3)) in named(verify(bucket.folder))
