"""The entries of a Delta table's log: what each commit says, and when it was.

`DeltaTable.history()` is not used: it numbers its entries by counting down from the version that
was opened, which is wrong once somebody else commits meanwhile or a commit has no `commitInfo`.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib import import_module
from typing import Any, cast

from cio_pipeline.contracts.arrow import arrow
from cio_pipeline.model.errors import SourceError, VersionGone
from cio_pipeline.model.times import EARLIEST, iso_time
from cio_pipeline.sources.delta_errors import translate
from cio_pipeline.sources.places import for_deltalake

COMMITTED_AT_KEY = "cio.committed_at"
"""Key in a commit's metadata: the commit's time, instead of the one that the log gives (ISO)."""

_FOLDER = "_delta_log"
_ENTRY = f"{_FOLDER}/{{:020}}.json"
_NAME = re.compile(r"(\d{20})\.json$")
AT_ONCE = 32


@dataclass(frozen=True)
class Entry:
    """What one commit wrote into the log.

    `time` is its own, `deliberate` if our own key states it; else that of the log's file.
    """

    table: str
    version: int
    time: datetime
    body: bytes
    deliberate: bool = False

    def actions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(kind, fields) of its actions, in their order; raises SourceError if it is damaged."""
        try:
            for line in self.body.splitlines():
                if line.strip():
                    yield from actions_of(line)
        except ValueError as error:
            raise log_damaged(self.table, self.version) from error

    def counted(self, seen: datetime) -> datetime:
        """The time that it counts as committed, first `seen` then: others' clocks may go wrong."""
        return self.time if self.deliberate else min(self.time, seen)


@dataclass(frozen=True)
class Reached:
    """The last version before a time, None if there is none, and the commit that comes next."""

    version: int | None
    stopped_by: Entry | None = None


@dataclass(frozen=True)
class CommitLog:
    """The log of one table in a store."""

    table: str
    uri: str
    storage_options: Mapping[str, str]

    @property
    def folder(self) -> str:
        """Where it is, as Polars takes it."""
        return f"{self.uri}/{_FOLDER}"

    def names(self) -> list[str]:
        """The names of its files; lists the log's folder."""
        try:
            found = self._store.get_file_info_selector(arrow("fs").FileSelector(_FOLDER))
        except Exception as error:
            raise (translate(error, self.table, None) or error) from error
        return [str(info.path) for info in found]

    def versions(self) -> list[int]:
        """All versions whose log entry is still there, in order."""
        names = map(_NAME.search, self.names())
        return sorted(int(name.group(1)) for name in names if name)

    def entries(self, first: int, last: int) -> Iterator[Entry]:
        """The entries from `first` to `last`, read little by little.

        Raises VersionGone for a version whose entry was removed.
        """
        if first == last:  # as after most windows: not worth a pool
            yield self._entry(first)
            return
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for start in range(first, last + 1, AT_ONCE):
                yield from pool.map(self._entry, range(start, min(start + AT_ONCE, last + 1)))

    def last_before(
        self, at: datetime, first: int, last: int, seen: Callable[[int], datetime]
    ) -> Reached:
        """The last version of `first`..`last` before any that counts as committed at or after `at`.

        `seen` tells when a version was first seen. No version if `first` itself comes later.
        Entries removed from the log's start count as older than the oldest one left. Raises
        VersionGone if that one does not tell.
        """
        start = first
        if first <= last and self._modified(first) is None:
            start = min((v for v in self.versions() if v >= first), default=last + 1)
        reached = None if start == first else start - 1
        stopped_by = None
        for entry in self.entries(start, last):
            if entry.counted(seen(entry.version)) >= at:
                stopped_by = entry
                break
            reached = entry.version
        if start > first and reached == start - 1:
            raise log_gone(self.table, first)
        return Reached(reached, stopped_by)

    @cached_property
    def _store(self) -> Any:
        """The table's folder in its store, as pyarrow wants it: see `contracts.arrow.arrow`."""
        handler = import_module("deltalake.fs").DeltaStorageHandler
        return handler(for_deltalake(self.uri), dict(self.storage_options))

    def _entry(self, version: int) -> Entry:
        try:
            body = self._store.open_input_file(_ENTRY.format(version)).read()
        except FileNotFoundError as error:
            raise log_gone(self.table, version) from error
        except Exception as error:
            raise (translate(error, self.table, version) or error) from error
        time, deliberate = self._committed_at(version, body)
        known = time or self._modified(version) or EARLIEST
        return Entry(self.table, version, known, body, deliberate)

    def _committed_at(self, version: int, body: bytes) -> tuple[datetime | None, bool]:
        """The time that an entry states, if any, and whether it does so on purpose."""
        try:
            lines = (actions_of(line) for line in body.splitlines() if b'"commitInfo"' in line)
            told = (info for actions in lines for kind, info in actions if kind == "commitInfo")
            info = next(told, dict[str, Any]())
            ours = info.get(COMMITTED_AT_KEY)
            if ours is None:
                millis = info.get("inCommitTimestamp", info.get("timestamp"))
                time = None if millis is None else datetime.fromtimestamp(int(millis) / 1000, UTC)
                return time, COMMITTED_AT_KEY in info
        except (ValueError, TypeError, AttributeError, OverflowError, OSError) as error:
            raise log_damaged(self.table, version) from error
        with suppress(ValueError):
            if datetime.fromisoformat(str(ours)).tzinfo is not None:
                return iso_time(str(ours)), True
        raise SourceError(
            f"Version {version} of table {self.table} has a {COMMITTED_AT_KEY} "
            "that is no ISO 8601 time with an offset.",
            "Write it like 2026-11-22T05:15:00Z.",
        )

    def _modified(self, version: int) -> datetime | None:
        """When the entry's file was written: the commit's time if the entry has none."""
        return self._store.get_file_info([_ENTRY.format(version)])[0].mtime


def actions_of(line: str | bytes) -> Iterable[tuple[str, dict[str, Any]]]:
    """(kind, fields) of what a line of the log says; raises ValueError if it is damaged."""
    return cast("dict[str, dict[str, Any]]", json.loads(line)).items()


def log_gone(table: str, version: int) -> VersionGone:
    """The error for a log entry that is still needed and is no more."""
    return VersionGone(
        f"The log of table {table} no longer has version {version}.",
        "Restore the files of its _delta_log, or register the syncs that still need it under new "
        "ids; then raise delta.logRetentionDuration.",
    )


def log_damaged(table: str, version: int) -> SourceError:
    """The error for a log entry that is no log entry."""
    return SourceError(
        f"Version {version} of table {table} has a log entry that cannot be read.",
        "Restore that file of its _delta_log.",
    )
