"""Leases: which run may work on which (sync, export), and the tokens that fence off zombies."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, bindparam, select, update

from cio_pipeline.ledger.bulk import chunks, insert_missing, name_pairs, of_pairs
from cio_pipeline.ledger.schema import leases
from cio_pipeline.ledger.transactions import Database
from cio_pipeline.model.errors import LeaseLost
from cio_pipeline.model.registry import Lease, LeaseHolder
from cio_pipeline.pipeline.ports import Pair


@dataclass(frozen=True)
class SqlLeases:
    """Who may work on what; fulfils `pipeline.ports.Leases`."""

    database: Database

    def claim(
        self, pairs: Collection[Pair], owner: str, now: datetime, ttl: timedelta
    ) -> tuple[Lease, Sequence[LeaseHolder]]:
        """Claim every pair that is free, expired or already the owner's; name who has the rest.

        The token grows with every claim, the owner's own ones included: a zombie of the same run
        is fenced off too.
        """
        expires_at = now + ttl
        if not pairs:
            return Lease(owner, expires_at, {}), []

        def work(connection: Connection) -> tuple[Lease, Sequence[LeaseHolder]]:
            found = locked(connection, pairs)
            new = set(pairs) - set(found)
            for chunk in chunks(sorted(new)):
                insert_missing(connection, leases, [_free(pair, now) for pair in chunk])
            rows = {**found, **locked(connection, new)}
            held = {pair: row for pair, row in rows.items() if _is_taken(row, owner, now)}
            granted = {pair: row.token + 1 for pair, row in rows.items() if pair not in held}
            _give(connection, granted, {"owner": owner, "expires_at": expires_at}, grow=1)
            return Lease(owner, expires_at, granted), [
                LeaseHolder(*pair, row.owner, row.expires_at) for pair, row in sorted(held.items())
            ]

        return self.database.write(work)

    def renew(self, lease: Lease, now: datetime, ttl: timedelta) -> Lease:
        """Push the expiry of all pairs; raises LeaseLost if any is another's."""
        expires_at = now + ttl

        def work(connection: Connection) -> Lease:
            hold(connection, lease, lease.tokens)
            _give(connection, lease.tokens, {"expires_at": expires_at})
            return replace(lease, expires_at=expires_at)

        return self.database.write(work)

    def check(self, lease: Lease, pair: Pair) -> None:
        """Raise LeaseLost if the pair's fencing token is no longer this lease's."""
        of_pair = {"of_sync": pair[0], "of_export": pair[1]}
        rows = self.database.read(lambda connection: connection.execute(_ONE, of_pair).all())
        _require(lease, [pair], dict(_by_pair(rows)))

    def release(self, lease: Lease) -> None:
        """Give back all pairs that are still this lease's; their tokens stay, to grow on."""

        def work(connection: Connection) -> None:
            rows = locked(connection, lease.tokens)
            still = [pair for pair, row in rows.items() if _is_held(lease, pair, row)]
            _give(connection, still, {"owner": None})

        self.database.write(work)

    def owners(self, now: datetime) -> Collection[str]:
        """Who holds a lease that has not expired: the runs that give a sign of life."""
        query = (
            select(leases.c.owner)
            .distinct()
            .where(leases.c.owner.is_not(None), leases.c.expires_at > now)
        )
        return self.database.read(lambda connection: connection.execute(query).scalars().all())


_ONE = select(leases).where(
    leases.c.sync_id == bindparam("of_sync"), leases.c.export == bindparam("of_export")
)
"""The lease of one pair, which is asked for before every put."""

_LOCKED = (
    select(leases)
    .where(of_pairs(leases))
    .order_by(leases.c.sync_id, leases.c.export)
    .with_for_update()
)
_GIVE = (
    update(leases)
    .where(of_pairs(leases))
    .values(token=leases.c.token + bindparam("grow", type_=BigInteger))
)


def hold(connection: Connection, lease: Lease, pairs: Collection[Pair]) -> None:
    """Keep pairs from being claimed until this transaction ends.

    Raises LeaseLost if any is not the lease's any more.
    """
    _require(lease, pairs, locked(connection, pairs))


def locked(connection: Connection, pairs: Collection[Pair]) -> dict[Pair, Row[Any]]:
    """The leases of pairs, their rows locked in one order (on SQLite the whole file is)."""
    found: dict[Pair, Row[Any]] = {}
    for chunk in chunks(sorted(set(pairs))):
        found.update(_by_pair(connection.execute(_LOCKED, {"pairs": chunk})))
    return found


def _by_pair(rows: Iterable[Row[Any]]) -> Iterator[tuple[Pair, Row[Any]]]:
    return (((row.sync_id, row.export), row) for row in rows)


def _free(pair: Pair, now: datetime) -> dict[str, Any]:
    return {"sync_id": pair[0], "export": pair[1], "owner": None, "token": 0, "expires_at": now}


def _is_taken(row: Row[Any], owner: str, now: datetime) -> bool:
    return row.owner not in {None, owner} and row.expires_at > now


def _is_held(lease: Lease, pair: Pair, row: Row[Any] | None) -> bool:
    if row is None or pair not in lease.tokens:
        return False
    return (row.owner, row.token) == (lease.owner, lease.tokens[pair])


def _require(lease: Lease, pairs: Collection[Pair], rows: Mapping[Pair, Row[Any]]) -> None:
    lost = [pair for pair in pairs if not _is_held(lease, pair, rows.get(pair))]
    if lost:
        raise LeaseLost(
            f"The run '{lease.owner}' has no longer the lease of {name_pairs(lost)}.",
            "Another run took over; nothing needs to be done.",
        )


def _give(
    connection: Connection, pairs: Collection[Pair], values: Mapping[str, Any], grow: int = 0
) -> None:
    for chunk in chunks(sorted(pairs)):
        connection.execute(_GIVE, {**values, "pairs": chunk, "grow": grow})
