"""D10: what no manifest lists is a copy, foreign, void or in flight, and is named as such."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.model.errors import DestinationUnavailable, ObjectMissing
from cio_pipeline.model.manifests import VoidSequence, manifest_key
from cio_pipeline.model.plans import Series
from cio_pipeline.verification.report import ProblemKind
from cio_pipeline.verification.verify import verify
from cio_pipeline_tests.pipeline.buckets import PEOPLE_2, Bucket, named


def copied(bucket: Bucket, to: str) -> None:
    (bucket.root / to).parent.mkdir(exist_ok=True)
    shutil.copyfile(bucket.root / PEOPLE_2, bucket.root / to)


@pytest.mark.parametrize(
    "name",
    [
        "copy_people_v5_7_2.parquet",
        "people_v5_7_99.parquet",
        "people_v5_7_2 (1).parquet",
        "people_v5_7_2.parquet.bak",
        "people_v5_8_2.parquet",
        "people_v4_7_2.parquet",
        "old/people_v5_7_2.parquet",
        "_cio/people_v5_7_2.parquet",
        "backup",
    ],
)
@pytest.mark.parametrize("deep", [True, False])
def test_d10_a_copy_is_doubled_whatever_its_name(bucket: Bucket, name: str, *, deep: bool) -> None:
    copied(bucket, name)
    report = verify(bucket.folder, deep=deep)
    assert named(report) == [(ProblemKind.DOUBLED, name)]
    assert (PEOPLE_2 if deep else "--quick") in report.problems[0].message
    assert report.complete_up_to == 3


@pytest.mark.parametrize("name", ["people_v5_7_5.parquet", "people_v5_7_3.parquet"])
def test_d10_a_copy_under_a_number_that_may_be_there_needs_its_bytes_read(
    bucket: Bucket, name: str
) -> None:
    """A running window may put a file that has the size of another by chance."""
    copied(bucket, name)
    assert named(verify(bucket.folder)) == [(ProblemKind.DOUBLED, name)]
    quick = verify(bucket.folder, deep=False)
    assert quick.ok
    assert [one.key for one in quick.warnings] == [name]
    assert "--quick" in quick.warnings[0].message


def test_d10_the_same_size_is_no_copy(bucket: Bucket) -> None:
    body = bytes((bucket.root / PEOPLE_2).stat().st_size)
    bucket.folder.put_bytes("people_v5_7_5.parquet", body)
    bucket.folder.put_bytes("readme", body)
    report = verify(bucket.folder)
    assert report.ok
    assert [one.key for one in report.warnings] == ["people_v5_7_5.parquet"]


def test_d10_a_renamed_file_is_told_from_a_copy(bucket: Bucket) -> None:
    (bucket.root / PEOPLE_2).rename(bucket.root / "people.old")
    report = verify(bucket.folder)
    assert named(report) == [(ProblemKind.MISSING, PEOPLE_2), (ProblemKind.DOUBLED, "people.old")]
    assert "under another name" in report.problems[1].message


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("copy_people_v5_7_5.parquet", ProblemKind.STRANGE),
        ("people_v5_7_5 (1).parquet", ProblemKind.STRANGE),
        ("people.parquet", ProblemKind.STRANGE),
        (".people_v5_7_5.PARQUET", ProblemKind.STRANGE),
        ("persons_v5_7_1.parquet", ProblemKind.STRANGE),
        ("people_v5_8_5.parquet", ProblemKind.FOREIGN),
        ("people_v5_7_99.parquet", ProblemKind.UNLISTED),
        ("people_v5_7_6.parquet", ProblemKind.UNLISTED),
        ("sub/x_v5_7_1.parquet", ProblemKind.STRANGE),
        ("people_v4_7_5.parquet", ProblemKind.UNLISTED),
        ("old/people_v5_7_5.parquet", ProblemKind.UNLISTED),
        ("events_v5_chngs_7_1.parquet", ProblemKind.UNLISTED),
        ("events_v5_7_1_1.parquet", ProblemKind.UNLISTED),
        ("metrics_v5_7_1_3.parquet", ProblemKind.UNLISTED),
    ],
)
@pytest.mark.parametrize("deep", [True, False])
def test_d10_a_foreign_parquet_file_is_a_problem(
    bucket: Bucket, name: str, kind: ProblemKind, *, deep: bool
) -> None:
    bucket.folder.put_bytes(name, b"x")
    report = verify(bucket.folder, deep=deep)
    assert named(report) == [(kind, name)]
    assert not report.warnings


def test_d5_only_numbers_without_a_gap_can_be_in_flight(bucket: Bucket) -> None:
    for number in (5, 6, 7, 9):
        bucket.folder.put_bytes(f"people_v5_7_{number}.parquet", b"x")
    report = verify(bucket.folder)
    assert named(report) == [(ProblemKind.UNLISTED, "people_v5_7_9.parquet")]
    assert [one.key for one in report.warnings] == [f"people_v5_7_{n}.parquet" for n in (5, 6, 7)]


def test_d5_void_numbers_are_no_gap(bucket: Bucket) -> None:
    bucket.commit(void=[VoidSequence("people", Series.PLAIN, number) for number in (5, 6)])
    bucket.folder.put_bytes("people_v5_7_7.parquet", b"x")
    bucket.folder.put_bytes("people_v5_7_5.parquet", b"x")
    report = verify(bucket.folder)
    assert report.ok
    assert "declared void" in report.warnings[0].message
    assert "No manifest lists it yet" in report.warnings[1].message


def test_d5_further_parts_of_an_initial_export_can_be_in_flight(tmp_path: Path) -> None:
    bucket = Bucket(tmp_path)
    bucket.commit(bucket.file("metrics", 1, part=1))
    for part in (2, 3, 5):
        bucket.folder.put_bytes(f"metrics_v5_7_1_{part}.parquet", b"x")
    report = verify(bucket.folder)
    assert named(report) == [(ProblemKind.UNLISTED, "metrics_v5_7_1_5.parquet")]
    assert len(report.warnings) == 2


def test_d10_stems_of_the_sync_are_no_foreign_ones(bucket: Bucket) -> None:
    bucket.folder.put_bytes("happenings_v5_7_1.parquet", b"x")
    assert not verify(bucket.folder).ok
    report = verify(bucket.folder, stems={"events": "happenings"})
    assert report.ok
    assert [one.key for one in report.warnings] == ["happenings_v5_7_1.parquet"]


def test_d10_objects_that_loose_patterns_match_are_a_warning(bucket: Bucket) -> None:
    for name in ("people_v5_7_9.parquet.tmp", "people_v5_7.csv", "cio-validate", "people_video"):
        bucket.folder.put_bytes(name, b"x")
    report = verify(bucket.folder)
    assert report.ok
    assert [one.key for one in report.warnings] == [
        "people_v5_7.csv",
        "people_v5_7_9.parquet.tmp",
    ]


class Unread(LocalFolder):
    """A folder that gives no digest."""

    def __init__(self, root: Path, error: Exception) -> None:
        super().__init__(root)
        self.error = error

    def sha256(self, key: str) -> str:
        self.error.add_note(key)
        raise self.error


def test_d10_what_cannot_be_read_may_be_a_copy(bucket: Bucket) -> None:
    copied(bucket, "people_v5_7_5.parquet")
    report = verify(Unread(bucket.root, DestinationUnavailable("The share does not answer.")))
    assert named(report) == [(ProblemKind.UNREADABLE, "people_v5_7_5.parquet")]
    assert verify(Unread(bucket.root, ObjectMissing("It is gone."))).ok


DAMAGE: dict[str, Callable[[Bucket], object]] = {
    "no manifest": lambda b: [b.folder.delete(manifest_key(n)) for n in (1, 2, 3)],
    "no second manifest": lambda b: b.folder.delete(manifest_key(2)),
    "no manifest's bytes": lambda b: (b.root / manifest_key(2)).write_bytes(b"{"),
    "a future format": lambda b: (b.root / manifest_key(2)).write_bytes(b'{"format": 99}'),
    "another sync": lambda b: b.rewrite(3, sync_id="beta"),
    "a broken chain": lambda b: b.rewrite(1, previous="0" * 64),
    "no file": lambda b: b.folder.delete(PEOPLE_2),
    "another file": lambda b: (b.root / PEOPLE_2).write_bytes(b"x"),
    "other bytes": lambda b: (b.root / PEOPLE_2).write_bytes(
        bytes((b.root / PEOPLE_2).stat().st_size)
    ),
    "a file twice": lambda b: b.rewrite(3, files=b.manifests[1].files),
    "a gap": lambda b: b.rewrite(2, void=()),
    "a copy": lambda b: copied(b, "copy_people_v5_7_2.parquet"),
    "a foreign file": lambda b: b.folder.put_bytes("x.parquet", b"x"),
    "a file in flight": lambda b: b.folder.put_bytes("people_v5_7_5.parquet", b"x"),
    "a void file": lambda b: b.folder.put_bytes("people_v5_7_3.parquet", b"x"),
    "another workspace": lambda b: b.folder.put_bytes("people_v5_8_5.parquet", b"x"),
}

NEXT_STEP = re.compile(
    r"\b(Put|put|Remove|remove|Verify|verify|Upgrade|Find out|Give|Mend|report|Make room)\b"
)


@pytest.mark.parametrize("damage", DAMAGE)
def test_every_message_says_what_to_do_next(bucket: Bucket, damage: str) -> None:
    DAMAGE[damage](bucket)
    report = verify(bucket.folder)
    assert report.problems or report.warnings
    for one in (*report.problems, *report.warnings):
        *_, last = [part for part in one.message.split(". ") if part]
        assert NEXT_STEP.search(last) or "files_expire_after" in last, one.message
