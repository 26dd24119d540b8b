"""What is odd in buckets: files that are gone, numbers with gaps (O1, D5)."""

from collections.abc import Iterator

from cio_pipeline.model.findings import Finding
from cio_pipeline.model.looks import BucketLook
from cio_pipeline.monitoring.missing import told_missing, told_odd
from cio_pipeline.pipeline.checking.scene import Scene


def missing(scene: Scene) -> Iterator[Finding]:
    """Files that were not there at the last look, now or at most a day ago."""
    for one in _looks(scene):
        if one.missing:
            yield told_missing(one, scene.syncs[one.sync_id].sync)


def sequences(scene: Scene) -> Iterator[Finding]:
    """Gaps and repeats in the numbers of the files that were looked for."""
    for one in _looks(scene):
        yield from told_odd(one, scene.syncs[one.sync_id].sync)


def _looks(scene: Scene) -> list[BucketLook]:
    return [one for key, one in sorted(scene.looks.items()) if key in scene.syncs]
