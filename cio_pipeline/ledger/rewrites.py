"""Files that are rewritten in place: on record before the first of them is replaced (D10)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Update, delete, insert, select, update

from cio_pipeline.ledger.chain import lasts_of, list_next
from cio_pipeline.ledger.database import Database, reading, writing
from cio_pipeline.ledger.leases import hold
from cio_pipeline.ledger.schema import IS_COMMITTED, files, rewrites
from cio_pipeline.ledger.statements import insert_rows
from cio_pipeline.model.erasure import Rewrite
from cio_pipeline.model.manifests import Superseded
from cio_pipeline.model.registry import Lease

_C = rewrites.c
_UNDER_WAY = _C.manifest_ordinal.is_(None)


@dataclass(frozen=True)
class Rewrites:
    """What is rewritten, and what was. A call is stored whole or not at all."""

    database: Database

    @writing
    def seal(self, connection: Connection, lease: Lease, one: Rewrite) -> None:
        """Record a file before it is replaced, in place of what is on record of it under way."""
        hold(connection, lease, lease.tokens)
        _forget(connection, one)
        connection.execute(insert(rewrites).values(**_row(one)))

    @writing
    def forget(self, connection: Connection, lease: Lease, one: Rewrite) -> None:
        """Take back one under way, whose file lies there as it was."""
        hold(connection, lease, lease.tokens)
        _forget(connection, one)

    @writing
    def commit(
        self, connection: Connection, lease: Lease, done: Sequence[Rewrite], now: datetime
    ) -> Mapping[str, int]:
        """Store the next manifest of a sync, which tells that its files were replaced.

        They are what the ledger knows under these keys from then on. Raises LeaseLost.
        """
        hold(connection, lease, lease.tokens)
        told: dict[str, list[Superseded]] = {}
        for one in done:
            told.setdefault(one.sync_id, []).append(
                Superseded(one.key, one.before, one.sha256, one.rows, one.bytes)
            )
            as_now(connection, one.sync_id, told[one.sync_id][-1])
        listed = list_next(connection, set(told), {}, None, now, superseded=told)
        for one in done:
            connection.execute(_its(one).values(manifest_ordinal=_last(connection, one.sync_id)))
        return listed

    @writing
    def leave_gone(self, connection: Connection, lease: Lease, gone: Sequence[Rewrite]) -> None:
        """Keep which files were gone when somebody was erased: nobody knows whether they held them.

        They have no manifest (ordinal 0), and are not put back.
        """
        hold(connection, lease, lease.tokens)
        for sync_id in {one.sync_id for one in gone}:
            known = set(connection.scalars(select(_C.key).where(_C.sync_id == sync_id)))
            new = [_row(one) for one in gone if one.sync_id == sync_id and one.key not in known]
            insert_rows(connection, rewrites, new)

    @reading
    def under_way(
        self, connection: Connection, sync_ids: Collection[str] | None
    ) -> Sequence[Rewrite]:
        """What is on record of some syncs or of all, and told by no manifest yet, in order."""
        found = _of(connection, select(rewrites).where(_UNDER_WAY))
        return [one for one in found if sync_ids is None or one.sync_id in sync_ids]

    @reading
    def of_subject(self, connection: Connection, subject: str) -> Sequence[Rewrite]:
        """All that was rewritten for somebody, in order."""
        return _of(connection, select(rewrites).where(_C.subject == subject))

    @reading
    def of_key(self, connection: Connection, sync_id: str, key: str) -> Sequence[Rewrite]:
        """What a file was rewritten to, one after the other."""
        its = _C.sync_id == sync_id, _C.key == key
        return _of(connection, select(rewrites).where(*its))

    @reading
    def keys(self, connection: Connection, sync_id: str) -> Collection[str]:
        """The keys of a sync that were rewritten, or are: nothing encodes their bytes again."""
        return set(connection.scalars(select(_C.key).where(_C.sync_id == sync_id)))


def as_now(connection: Connection, sync_id: str, now: Superseded) -> None:
    """Let a file be what a manifest says that it was rewritten to."""
    its = files.c.sync_id == sync_id, files.c.key == now.key, files.c.sha256 == now.before
    changed = {"sha256": now.sha256, "rows": now.rows, "bytes": now.bytes}
    connection.execute(update(files).where(*its, IS_COMMITTED).values(**changed))


def keep_told(
    connection: Connection, sync_id: str, told: Superseded, ordinal: int, now: datetime
) -> None:
    """Take in what a manifest of a bucket tells; for whom it was rewritten, no manifest tells."""
    as_now(connection, sync_id, told)
    key, before, made = told.key, told.before, (told.sha256, told.rows, told.bytes)
    one = Rewrite(sync_id, key, before, *made, "", "", now, ordinal)
    its = _C.sync_id == sync_id, _C.key == key, _C.sha256 == told.sha256, _UNDER_WAY
    connection.execute(delete(rewrites).where(*its))
    connection.execute(insert(rewrites).values(**_row(one)))


def _its(one: Rewrite) -> Update:
    """The row of a file under way."""
    return update(rewrites).where(_C.sync_id == one.sync_id, _C.key == one.key, _UNDER_WAY)


def _forget(connection: Connection, one: Rewrite) -> None:
    its = _C.sync_id == one.sync_id, _C.key == one.key
    connection.execute(delete(rewrites).where(*its, _UNDER_WAY))


def _last(connection: Connection, sync_id: str) -> int:
    return lasts_of(connection, [sync_id])[sync_id][0]


def _of(connection: Connection, query: Select[Any]) -> list[Rewrite]:
    return [Rewrite(*row) for _, *row in connection.execute(query.order_by(_C.id))]


def _row(one: Rewrite) -> dict[str, Any]:
    values = dict(vars(one))
    return values | {"manifest_ordinal": values.pop("ordinal")}
