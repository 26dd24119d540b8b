"""What must hold after a run, and at the end: the buckets against the model and the source."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from cio_pipeline.ports import Destination
from cio_pipeline_tests.convergence.buckets import Bucket
from cio_pipeline_tests.convergence.merging import Read, differences
from cio_pipeline_tests.convergence.reference import Course, Feed
from cio_pipeline_tests.convergence.sending import Frozen, Reader, bare
from cio_pipeline_tests.convergence.tables import Tables
from cio_pipeline_tests.convergence.timeline import Key
from cio_pipeline_tests.world import World

Listings = Mapping[str, Mapping[str, object]]
Pair = tuple[str, str]
"""Sync and export."""

Courses = dict[Pair, set[Course]]


@dataclass
class Proofs:
    """A world, and what the model says of it."""

    world: World
    feed: Feed
    buckets: dict[str, Bucket] = field(default_factory=dict[str, Bucket])
    tables: Tables = field(default_factory=Tables)

    def compare(self, sync_ids: Collection[str]) -> None:
        """What was delivered and held back is what the model says, and no other workspace's.

        Nothing can be said yet of what a crash left open.
        """
        every = self._held(sync_ids)
        for sync_id in sync_ids:
            reader, bucket = self.feed.readers[sync_id], self.buckets[sync_id]
            for file in bucket.files():
                workspaces = {file.workspace, *(row["workspace_id"] for row in file.rows)}
                assert (workspaces, file.version) == ({reader.workspace}, reader.version), file
            for export in reader.switches:
                rows, back = bucket.counted(export), every.get((sync_id, export), set())
                if not self.feed.seen(sync_id, export, rows, back):
                    raise AssertionError(self._told(sync_id, export, rows, back))

    def _held(self, sync_ids: Collection[str]) -> dict[Pair, set[tuple[Key, str]]]:
        """The rows in quarantine, with the reason, by sync and export."""
        found: dict[Pair, set[tuple[Key, str]]] = {}
        for entry in self.world.ledger.quarantine.entries(sync_ids):
            key = (entry.workspace_id, *json.loads(entry.identity))
            found.setdefault((entry.sync_id, entry.export), set()).add((key, entry.reason))
        return found

    def _told(self, sync_id: str, export: str, rows: Counter[Frozen], held: object) -> str:
        lines = [f"{export} of {sync_id}, quarantine {held}:"]
        for course in self.feed.courses[sync_id, export]:
            lines.append(f" position {course.position}, quarantine {set(course.held)}")
            wanted = bare(course.sent)
            lines += [f"  missing {row}" for row in (wanted - rows).elements()]
            lines += [f"  too much {row}" for row in (rows - wanted).elements()]
        return "\n".join(lines)

    def listings(self) -> Listings:
        """Every object of every sync, with what is another once it was written again."""
        return {sync_id: bucket.listing() for sync_id, bucket in self.buckets.items()}

    def quiet(self, sync_ids: Collection[str], before: Listings, courses: Courses) -> None:
        """A run without news wrote nothing to these syncs, not even a manifest."""
        for sync_id in sync_ids:
            pairs = [pair for pair in courses if pair[0] == sync_id]
            news = any(
                {one.sent for one in courses[pair]} != {one.sent for one in self.feed.courses[pair]}
                for pair in pairs
            )
            if not news and all(len(courses[pair]) == 1 for pair in pairs):
                assert self.buckets[sync_id].listing() == before[sync_id], "written without news"

    def untouched(self, sync_ids: Iterable[str], before: Listings) -> None:
        """Nothing was sent to these syncs."""
        for sync_id in sync_ids:
            assert self.buckets[sync_id].listing() == before[sync_id], "sent in spite of it"

    def whole(self) -> None:
        """At rest: numbers have no gap, the chain holds, readers have what the source has."""
        for sync_id, reader in self.feed.readers.items():
            bucket = self.buckets[sync_id]
            assert bucket.gaps() == [], sync_id
            self.load(sync_id)
            for export in reader.switches:
                self._merged(reader, export)
            if bucket.files():
                report = self.world.verify(sync_id)
                assert report.ok, report.problems
                assert not report.warnings, report.warnings
                assert report.files == len(bucket.files())
        left = [path for path in (self.world.root / "spool").rglob("*") if path.is_file()]
        assert left == [], "files are left in the spool"

    def _merged(self, reader: Reader, export: str) -> None:
        """What a reader makes of the files is the source, as it was at the position.

        A crash may leave open which that is, for an export that was paused before the next run.
        """
        courses = self.feed.courses[reader.sync_id, export]
        assert not unfinished(courses)
        bucket, sync_id = self.bucket_of(reader.sync_id), reader.sync_id
        read = Read([], [])
        if self.buckets[sync_id].files():
            rows = self.tables.rows(bucket, sync_id, export)
            read = Read(rows, self.tables.newest(bucket, sync_id, export))
        wrong = [differences(self.feed.source, reader, export, c, read) for c in courses]
        assert not all(wrong), wrong

    def bucket_of(self, sync_id: str) -> Destination:
        """A sync's bucket as the product opens it."""
        return self.world.services.destinations(self.world.ledger.registry.get(sync_id).sync)

    def load(self, sync_id: str) -> None:
        """A reader loads what has come of a sync."""
        self.tables.load(self.bucket_of(sync_id))


def unfinished(courses: Iterable[Course]) -> bool:
    """Whether a crash may have left a plan open."""
    return any(course.plan for course in courses)
