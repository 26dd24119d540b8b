"""A small bucket made by hand: real Parquet files and a chain of manifests."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import ColumnType, Export, fingerprint
from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.files.encode import encode
from cio_pipeline.files.names import FileName, render_name
from cio_pipeline.files.spool import Spool
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.manifests import (
    Manifest,
    ManifestFile,
    Superseded,
    VoidSequence,
    digest,
    manifest_key,
    render_manifest,
)
from cio_pipeline.model.plans import Mode, Series
from cio_pipeline.verification.report import ProblemKind, VerifyReport
from cio_pipeline_tests.files.rows import NO_REJECTS, rows_of

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
WORKSPACE = 7
PEOPLE_2 = "people_v5_7_2.parquet"
"""A file of the whole bucket."""


class Bucket:
    """A folder, how it is filled, and what its manifests say."""

    def __init__(self, root: Path) -> None:
        self.root = root / "bucket"
        self.folder = LocalFolder(self.root)
        self.spool = Spool(root / "spool")
        self.manifests: list[Manifest] = []

    def file(
        self,
        export: str,
        sequence: int,
        *,
        series: Series = Series.PLAIN,
        part: int | None = None,
        rows: int = 3,
        workspace: int = WORKSPACE,
    ) -> ManifestFile:
        """Put one file; `workspace` is whose rows it holds, whatever its name says."""
        contract = EXPORTS[export]
        frame = rows_of(contract, 5, rows, series=series).with_columns(
            pl.lit(f"{series} {sequence} {part}").alias(_text_column(contract)),
            workspace_id=pl.lit(workspace, pl.Int64),
        )
        (encoded,) = encode(
            frame,
            NO_REJECTS,
            contract,
            5,
            "us",
            rows_per_file=1000,
            spool=self.spool,
            folder="f",
        ).files
        key = render_name(FileName(contract.stem, 5, series, WORKSPACE, sequence, part))
        self.folder.put(key, self.spool.path(encoded.path), encoded.sha256)
        return ManifestFile(
            key=key,
            export=export,
            series=series,
            sequence=sequence,
            part=part,
            rows=encoded.rows,
            bytes=encoded.bytes,
            sha256=encoded.sha256,
            fingerprint=fingerprint(contract, 5),
            version=5,
            window_end=START,
            generation=1,
            mode=Mode.CHANGES,
            min_time=encoded.min_time,
            max_time=encoded.max_time,
        )

    def commit(
        self,
        *files: ManifestFile,
        void: Sequence[VoidSequence] = (),
        superseded: Sequence[Superseded] = (),
    ) -> None:
        """Put one more manifest."""
        ordinal = len(self.manifests) + 1
        manifest = Manifest(
            sync_id="acme",
            workspace_id=WORKSPACE,
            feed=Feed.DATA_OUT,
            version=5,
            generation=1,
            ordinal=ordinal,
            created_at=START + timedelta(minutes=15 * ordinal),
            previous=digest(render_manifest(self.manifests[-1])) if self.manifests else None,
            files=files,
            void=tuple(void),
            exports=(),
            superseded=tuple(superseded),
        )
        self.manifests.append(manifest)
        self.folder.put_bytes(manifest_key(ordinal), render_manifest(manifest))

    def erase(self, listed: ManifestFile, rows: int) -> Superseded:
        """Rewrite a file in place with fewer rows."""
        other = Bucket(self.root.parent / f"rewritten-{rows}")
        now = other.file(listed.export, listed.sequence, series=listed.series, rows=rows)
        (self.root / listed.key).write_bytes((other.root / now.key).read_bytes())
        return Superseded(listed.key, listed.sha256, now.sha256, now.rows, now.bytes)

    def rewrite(self, ordinal: int, *, rechain: bool = True, **changes: Any) -> None:
        """Replace a manifest by a changed one, and by default chain those after it again."""
        at = ordinal - 1
        self.manifests[at] = replace(self.manifests[at], **changes)
        for i in range(at, len(self.manifests) if rechain else ordinal):
            if i > at:
                previous = digest(render_manifest(self.manifests[i - 1]))
                self.manifests[i] = replace(self.manifests[i], previous=previous)
            body = render_manifest(self.manifests[i])
            (self.root / manifest_key(i + 1)).write_bytes(body)

    def alter(self, key: str, body: bytes, entry: ManifestFile) -> ManifestFile:
        """Replace an object, and return its entry as if that had been delivered."""
        (self.root / key).write_bytes(body)
        return replace(entry, bytes=len(body), sha256=hashlib.sha256(body).hexdigest())


def _text_column(contract: Export) -> str:
    """A column that tells files apart: no two hold the same bytes."""
    return next(column.name for column in contract.columns if column.type is ColumnType.STRING)


def whole_bucket(root: Path) -> Bucket:
    """Three manifests that list 8 files with 24 rows and one void number."""
    bucket = Bucket(root)
    bucket.commit(
        bucket.file("metrics", 1, part=1),
        bucket.file("metrics", 1, part=2),
        bucket.file("people", 1),
    )
    bucket.commit(
        bucket.file("people", 2),
        bucket.file("people", 1, series=Series.CHNGS),
        bucket.file("actions", 1),
        void=[VoidSequence("people", Series.PLAIN, 3)],
    )
    bucket.commit(bucket.file("people", 4), bucket.file("metrics", 2))
    return bucket


def named(report: VerifyReport) -> list[tuple[ProblemKind, str]]:
    """The kind and the key of each problem."""
    return [(problem.kind, problem.key) for problem in report.problems]


def entry(bucket: Bucket, key: str) -> ManifestFile:
    """What the manifests say of a file."""
    return next(file for m in bucket.manifests for file in m.files if file.key == key)


def with_entry(bucket: Bucket, changed: ManifestFile, key: str = "") -> None:
    """Say something else of one file, in a chain that holds."""
    key = key or changed.key
    for manifest in bucket.manifests:
        if any(file.key == key for file in manifest.files):
            files = tuple(changed if file.key == key else file for file in manifest.files)
            bucket.rewrite(manifest.ordinal, files=files)
            return
