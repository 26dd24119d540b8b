"""D10: from bucket and manifests alone, `verify` proves completeness or names what is wrong."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.model.errors import DestinationUnavailable
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.manifests import (
    Manifest,
    ManifestFile,
    VoidSequence,
)
from cio_pipeline.model.plans import Mode, Series
from cio_pipeline.verification.report import ProblemKind, VerifyReport
from cio_pipeline.verification.sequences import check_sequences
from cio_pipeline.verification.verify import verify
from cio_pipeline_tests.pipeline.buckets import (
    PEOPLE_2,
    START,
    Bucket,
    named,
)


def test_d10_a_whole_bucket_is_complete(bucket: Bucket) -> None:
    steps: list[tuple[int, int]] = []
    report = verify(bucket.folder, progress=lambda done, total: steps.append((done, total)))
    assert report == VerifyReport(
        sync_id="acme",
        workspace_id=7,
        manifests=3,
        complete_up_to=3,
        files=8,
        rows=24,
        bytes=sum(file.bytes for m in bucket.manifests for file in m.files),
        expired=0,
        problems=(),
        warnings=(),
    )
    assert report.ok
    assert steps == [(n, 8) for n in range(1, 9)]
    assert verify(bucket.folder, deep=False) == report


def test_d10_nothing_delivered_yet_is_no_problem(tmp_path: Path) -> None:
    report = verify(LocalFolder(tmp_path / "nowhere"))
    assert (report.ok, report.manifests, report.complete_up_to) == (True, 0, 0)


def test_d10_foreign_objects_are_left_alone(bucket: Bucket) -> None:
    for key in ("cio-validate", "readme.txt", "_cio/notes", "people", "_cio/01.manifest"):
        bucket.folder.put_bytes(key, b"x")
    assert verify(bucket.folder).ok


@pytest.mark.parametrize("deep", [True, False])
def test_d10_a_deleted_file_is_missing(bucket: Bucket, *, deep: bool) -> None:
    bucket.folder.delete(PEOPLE_2)
    report = verify(bucket.folder, deep=deep)
    assert named(report) == [(ProblemKind.MISSING, PEOPLE_2)]
    assert (report.complete_up_to, report.manifests, report.files) == (1, 3, 7)


def test_d10_every_deleted_file_is_named(bucket: Bucket) -> None:
    files = [file.key for m in bucket.manifests for file in m.files]
    for key in files:
        bucket.folder.delete(key)
    report = verify(bucket.folder)
    assert named(report) == [(ProblemKind.MISSING, key) for key in files]
    assert (report.complete_up_to, report.files, report.rows) == (0, 0, 0)


@pytest.mark.parametrize("at", [0, 4, 400, -9, -1])
def test_d10_one_altered_byte_is_found(bucket: Bucket, at: int) -> None:
    path = bucket.root / PEOPLE_2
    body = bytearray(path.read_bytes())
    body[at] ^= 1
    path.write_bytes(body)
    report = verify(bucket.folder)
    assert named(report) == [(ProblemKind.ALTERED, PEOPLE_2)]
    assert report.complete_up_to == 1
    assert verify(bucket.folder, deep=False).ok


@pytest.mark.parametrize("deep", [True, False])
def test_d10_another_size_is_found(bucket: Bucket, *, deep: bool) -> None:
    path = bucket.root / PEOPLE_2
    path.write_bytes(path.read_bytes()[:-1])
    assert named(verify(bucket.folder, deep=deep)) == [(ProblemKind.ALTERED, PEOPLE_2)]


def test_d5_a_number_that_is_neither_delivered_nor_void_is_a_gap(bucket: Bucket) -> None:
    bucket.rewrite(2, void=())
    report = verify(bucket.folder)
    assert named(report) == [(ProblemKind.GAP, "people_v5_7_4.parquet")]
    text = "Number 3 of people (plain) is neither delivered nor void."
    assert report.problems[0].message.startswith(text)
    assert report.complete_up_to == 2


def test_d5_a_missing_part_is_a_gap(bucket: Bucket) -> None:
    bucket.rewrite(1, files=bucket.manifests[0].files[1:])
    report = verify(bucket.folder)
    assert (ProblemKind.GAP, "metrics_v5_7_1_2.parquet") in named(report)
    assert (ProblemKind.UNLISTED, "metrics_v5_7_1_1.parquet") in named(report)


def test_d10_files_of_a_running_window_are_only_a_warning(bucket: Bucket) -> None:
    keys = {
        "people_v5_7_5.parquet",
        "people_v5_chngs_7_2.parquet",
        "metrics_v5_7_3.parquet",
        "events_v5_7_1.parquet",
    }
    for key in keys:
        bucket.folder.put_bytes(key, b"x")
    report = verify(bucket.folder)
    assert (report.ok, report.complete_up_to) == (True, 3)
    assert {(w.kind, w.key) for w in report.warnings} == {
        (ProblemKind.UNLISTED, key) for key in keys
    }


def test_d10_an_abandoned_file_is_only_a_warning(bucket: Bucket) -> None:
    bucket.folder.put_bytes("people_v5_7_3.parquet", b"x")
    report = verify(bucket.folder)
    assert report.ok
    assert [w.key for w in report.warnings] == ["people_v5_7_3.parquet"]


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("people_v4_7_2.parquet", ProblemKind.UNLISTED),
        ("metrics_v5_7_1.parquet", ProblemKind.UNLISTED),
        ("sub/people_v5_7_2.parquet", ProblemKind.UNLISTED),
        ("people_v5_8_9.parquet", ProblemKind.FOREIGN),
    ],
)
def test_d10_strange_export_files_are_named(bucket: Bucket, key: str, kind: ProblemKind) -> None:
    bucket.folder.put_bytes(key, b"x")
    report = verify(bucket.folder)
    assert named(report) == [(kind, key)]
    assert report.complete_up_to == 3


def test_d10_old_files_that_readers_deleted_are_expired(bucket: Bucket) -> None:
    for file in bucket.manifests[0].files:
        bucket.folder.delete(file.key)
    bucket.folder.delete(PEOPLE_2)
    after_first = bucket.manifests[0].created_at + timedelta(days=30, seconds=1)
    report = verify(bucket.folder, expire_days=30, now=after_first)
    assert named(report) == [(ProblemKind.MISSING, PEOPLE_2)]
    assert (report.expired, report.files, report.complete_up_to) == (3, 4, 1)
    later = verify(bucket.folder, expire_days=30, now=after_first + timedelta(days=1))
    assert (later.ok, later.expired, later.complete_up_to) == (True, 4, 3)


class Failing(LocalFolder):
    """A folder on a share that does not answer for some calls."""

    def __init__(self, root: Path, broken: Callable[[str], bool]) -> None:
        super().__init__(root)
        self.broken = broken

    def list(self, prefix: str = ""):
        self._answer(f"list:{prefix}")
        return super().list(prefix)

    def get(self, key: str) -> bytes:
        self._answer(key)
        return super().get(key)

    def download(self, key: str, to: Path) -> None:
        self._answer(key)
        super().download(key, to)

    def _answer(self, what: str) -> None:
        if self.broken(what):
            raise DestinationUnavailable("The share does not answer.")


@pytest.mark.parametrize("what", ["list:_cio", "list:", "_cio/2.manifest", PEOPLE_2])
def test_d10_a_store_that_does_not_answer_is_named(bucket: Bucket, what: str) -> None:
    report = verify(Failing(bucket.root, lambda asked: asked == what))
    assert report.problems[0].kind is ProblemKind.UNREADABLE
    assert "does not answer" in report.problems[0].message
    assert report.complete_up_to == (1 if report.manifests else 0)


def test_d10_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    report = verify(LocalFolder(tmp_path / "file"))
    assert named(report) == [(ProblemKind.UNREADABLE, "")]


NUMBERS = st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=12)


@given(NUMBERS)
def test_d5_every_number_is_delivered_or_void_or_named(steps: list[tuple[int, bool]]) -> None:
    """Steps of 1 are sound; 0 uses a number again; more leaves numbers out."""
    manifests: list[Manifest] = []
    last, highest, expected = 0, 0, []
    for ordinal, (step, void) in enumerate(steps, start=1):
        last = highest + step
        if step == 0:
            expected.append(ProblemKind.REUSED)
        if step > 1:
            expected.append(ProblemKind.GAP)
        highest = max(highest, last)
        manifests.append(numbered(ordinal, last, void=void))
    assert [f.problem.kind for f in check_sequences(manifests)] == expected


def numbered(ordinal: int, sequence: int, *, void: bool) -> Manifest:
    files = () if void else (listed(ordinal, sequence),)
    voids = (VoidSequence("events", Series.PLAIN, sequence),) if void else ()
    return Manifest(
        "acme", 7, Feed.DATA_OUT, 5, 1, ordinal, START, None, files=files, void=voids, exports=()
    )


def listed(ordinal: int, sequence: int) -> ManifestFile:
    key = f"{ordinal}/events_v5_7_{sequence}.parquet"
    return ManifestFile(
        key,
        "events",
        Series.PLAIN,
        sequence,
        None,
        1,
        1,
        "",
        "",
        5,
        START,
        1,
        Mode.CHANGES,
        None,
        None,
    )
