"""What can be told of syncs before and between their windows: their rights (D8), their rows."""

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from cio_pipeline.contracts.declare import SourceTable
from cio_pipeline.contracts.source_tables import SOURCE_TABLES
from cio_pipeline.model.errors import CioError, SourceError, SourceUnavailable
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.objects import Permission
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.in_parallel import caught
from cio_pipeline.pipeline.services import Secret, Services, no_secrets
from cio_pipeline.ports import Destinations, Source

_THREADS = 8


@dataclass(frozen=True)
class Validated:
    """What came of trying one sync's permissions."""

    sync_id: str
    feed: Feed
    permissions: tuple[Permission, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is missing that the sync needs."""
        return not any(one.granted is False and self.needs(one) for one in self.permissions)

    def needs(self, permission: Permission) -> bool:
        """Whether this sync cannot do without."""
        return permission.needed_by in self.feed.facts.needs


def tried_out(
    destinations: Destinations, syncs: Sequence[Sync], secret: Secret = no_secrets
) -> list[Validated]:
    """Each sync's permissions, tried out side by side; what goes wrong with one is told of it.

    The salt of a data contract is a `secret` that must be there, too.
    """

    def tried(sync: Sync) -> Validated:
        found: list[Permission] = []
        failure = caught(lambda: found.extend(destinations(sync).permissions()))
        if failure is not None:
            found = [
                Permission(
                    "reach the store",
                    granted=False,
                    needed_for="everything",
                    detail=failure.text,
                    next_step="Check its address: what answers there may be something else.",
                    needed_by="all",
                )
            ]
        found.extend(_salt(sync, secret))
        return Validated(sync.id, sync.feed, tuple(found))

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="validate") as pool:
        return list(pool.map(tried, syncs))


def _salt(sync: Sync, secret: Secret) -> Iterator[Permission]:
    """Whether what is hashed can be: without its salt, nothing of such an export is sent."""
    salt = sync.contract and sync.contract.salt
    if salt:

        def read() -> None:
            secret(salt)

        failure = caught(read)
        yield Permission(
            "read the salt",
            granted=failure is None,
            needed_for="what the data contract hashes",
            detail=failure.text if failure else "",
            needed_by="all",
        )


def unknown_workspaces(services: Services, workspaces: Collection[int]) -> set[int]:
    """Those of the workspaces that no source table has a row of by now.

    Reads the one column `workspace_id`, table by table until all are found. Raises the error of a
    table that cannot be read, if that one might have them.
    """
    missing, now = set(workspaces), services.clock()
    failures: list[CioError] = []
    for table in SOURCE_TABLES.values():
        if not missing:
            break
        try:
            missing -= _found_in(services.source, table, missing, now)
        except (SourceError, SourceUnavailable) as error:
            failures.append(error)
            if isinstance(error, SourceUnavailable):
                break
    if missing and failures:
        raise failures[0]
    return missing


def _found_in(
    source: Source, table: SourceTable, wanted: Collection[int], now: datetime
) -> set[int]:
    at = source.look(table, now, None, now).reached
    if at is None:
        return set()
    owner = pl.col("workspace_id")
    rows = source.snapshot(table, at).select(owner)
    found = rows.filter(owner.is_in(sorted(wanted))).unique().collect(engine="streaming")
    return set(found["workspace_id"])
