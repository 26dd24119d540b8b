"""Redshift's own manifest files: COPY loads exactly the files that one names."""

import json
from collections.abc import Iterable
from pathlib import Path

from cio_pipeline.reader.feed import Feed
from cio_pipeline.reader.files import FeedFile


def write_manifests(feed: Feed, location: str, folder: Path, since: int) -> dict[str, int]:
    """Write a manifest file for each table that was sent something after a manifest's ordinal.

    The number of files that each names, by table. Raises what Feed.files does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, int] = {}
    for table in feed.tables():
        files = [one for one in feed.files(table.name) if (one.ordinal or 0) > since]
        path = folder / f"{table.name}.manifest"
        if files:
            path.write_text(_manifest(files, location), encoding="utf-8")
            found[table.name] = len(files)
        else:
            path.unlink(missing_ok=True)
    return found


def _manifest(files: Iterable[FeedFile], location: str) -> str:
    # Of Parquet, Redshift wants the length of each file.
    entries = [
        {
            "url": f"{location}/{one.key}",
            "mandatory": True,
            "meta": {"content_length": one.bytes},
        }
        for one in files
    ]
    return json.dumps({"entries": entries}, indent=1)
