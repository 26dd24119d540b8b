"""Leases: which run may work on which (sync, export), and the tokens that fence off zombies."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, Select, bindparam, select, update

from cio_pipeline.ledger.database import Database, reading, writing
from cio_pipeline.ledger.schema import leases
from cio_pipeline.ledger.statements import (
    insert_missing,
    name_pairs,
    of_pairs,
)
from cio_pipeline.model.errors import LeaseLost
from cio_pipeline.model.registry import Lease, LeaseHolder, Pair


@dataclass(frozen=True)
class Leases:
    """Who may work on what."""

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
        return self._claim(pairs, owner, now, expires_at)

    @writing
    def _claim(
        self,
        connection: Connection,
        pairs: Collection[Pair],
        owner: str,
        now: datetime,
        expires_at: datetime,
    ) -> tuple[Lease, Sequence[LeaseHolder]]:
        rows = _locked(connection, pairs)
        new = set(pairs) - set(rows)
        if new:
            insert_missing(connection, leases, [_free(pair, now) for pair in new])
            rows |= _locked(connection, new)
        held = {
            pair: row
            for pair, row in rows.items()
            if row.owner not in {None, owner} and row.expires_at > now
        }
        granted = {pair: row.token + 1 for pair, row in rows.items() if pair not in held}
        _give(connection, granted, {"owner": owner, "expires_at": expires_at}, grow=1)
        return Lease(owner, expires_at, granted), [
            LeaseHolder(*pair, row.owner, row.expires_at) for pair, row in sorted(held.items())
        ]

    @writing
    def renew(self, connection: Connection, lease: Lease, now: datetime, ttl: timedelta) -> Lease:
        """Push the expiry of all pairs that are still held, which the lease returned has.

        Raises LeaseLost if none is: others that were lost do not cost a run the rest.
        """
        still = _held(connection, lease, lease.tokens)
        if lease.tokens and not still:
            raise _lost(lease, lease.tokens)
        held = {pair: token for pair, token in lease.tokens.items() if pair in still}
        _give(connection, held, {"expires_at": now + ttl})
        return replace(lease, expires_at=now + ttl, tokens=held)

    @reading
    def lost(
        self, connection: Connection, lease: Lease, pairs: Collection[Pair]
    ) -> Mapping[Pair, LeaseLost]:
        """Those of the pairs whose fencing token is no longer this lease's, each as an error."""
        held = _held(connection, lease, pairs, _HELD)
        return {pair: _lost(lease, [pair]) for pair in pairs if pair not in held}

    @writing
    def release(self, connection: Connection, lease: Lease) -> None:
        """Give back all pairs that are still this lease's; their tokens stay, to grow on."""
        _give(connection, _held(connection, lease, lease.tokens), {"owner": None})

    @reading
    def tokens(self, connection: Connection, export: str) -> Mapping[Pair, int]:
        """The tokens of pairs of an export that were claimed before, and given back since.

        Who holds one may still change how it stands, and gives it back without another token.
        """
        return {
            (sync_id, export): token
            for sync_id, token in connection.execute(_TOKENS, {"of": export}).all()
        }

    @reading
    def holders(self, connection: Connection, now: datetime) -> Sequence[LeaseHolder]:
        """Who holds which pair, by leases that have not expired."""
        query = select(leases).where(leases.c.owner.is_not(None), leases.c.expires_at > now)
        return [
            LeaseHolder(row.sync_id, row.export, row.owner, row.expires_at)
            for row in sorted(connection.execute(query))
        ]

    @reading
    def owners(self, connection: Connection, now: datetime) -> Collection[str]:
        """Who holds a lease that has not expired: the runs that give a sign of life."""
        query = (
            select(leases.c.owner)
            .distinct()
            .where(leases.c.owner.is_not(None), leases.c.expires_at > now)
        )
        return connection.scalars(query).all()


_ORDER = leases.c.sync_id, leases.c.export
_LOCKED = select(leases).where(of_pairs(leases)).order_by(*_ORDER).with_for_update()
_HELD = select(*_ORDER, leases.c.token).where(of_pairs(leases), leases.c.owner == bindparam("of"))
_HELD_LOCKED = _HELD.order_by(*_ORDER).with_for_update()
_TOKENS = select(leases.c.sync_id, leases.c.token).where(
    leases.c.export == bindparam("of"), leases.c.owner.is_(None)
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
    held = _held(connection, lease, pairs)
    lost = [pair for pair in pairs if pair not in held]
    if lost:
        raise _lost(lease, lost)


def _held(
    connection: Connection,
    lease: Lease,
    pairs: Collection[Pair],
    query: Select[str, str, int] = _HELD_LOCKED,
) -> Collection[Pair]:
    """Those of the pairs that are still this lease's.

    Their rows are locked, in one order (on SQLite the whole file is).
    """
    given = {"pairs": pairs, "of": lease.owner}
    rows = connection.execute(query, given).all() if pairs else ()
    tokens = lease.tokens
    return {(s, e) for s, e, token in rows if tokens.get((s, e)) == token}


def _locked(connection: Connection, pairs: Collection[Pair]) -> dict[Pair, Row[Any]]:
    rows = connection.execute(_LOCKED, {"pairs": pairs}).all()
    return {(row.sync_id, row.export): row for row in rows}


def _free(pair: Pair, now: datetime) -> dict[str, Any]:
    return {"sync_id": pair[0], "export": pair[1], "owner": None, "token": 0, "expires_at": now}


def _lost(lease: Lease, pairs: Collection[Pair]) -> LeaseLost:
    return LeaseLost(
        f"The run '{lease.owner}' has no longer the lease of {name_pairs(pairs)}.",
        "Another run took over; nothing needs to be done.",
    )


def _give(
    connection: Connection, pairs: Collection[Pair], values: Mapping[str, Any], grow: int = 0
) -> None:
    if pairs:
        connection.execute(_GIVE, {**values, "pairs": pairs, "grow": grow})
