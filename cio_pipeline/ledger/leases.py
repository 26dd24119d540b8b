"""Leases: which run may work on which (sync, export), and the tokens that fence off zombies."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Connection, and_, bindparam, func, select, update

from cio_pipeline.ledger.database import Database, reading, writing
from cio_pipeline.ledger.given import name_pairs, numbered_pairs, of_pairs
from cio_pipeline.ledger.schema import leases
from cio_pipeline.ledger.statements import insert_missing
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
            pair: LeaseHolder(*pair, other, until)
            for pair, (other, _, until) in rows.items()
            if other is not None and other != owner and until > now
        }
        granted = {pair: token + 1 for pair, (_, token, _) in rows.items() if pair not in held}
        _give(connection, granted, {"owner": owner, "expires_at": expires_at}, grow=1)
        return Lease(owner, expires_at, granted), [held[pair] for pair in sorted(held)]

    @writing
    def renew(self, connection: Connection, lease: Lease, now: datetime, ttl: timedelta) -> Lease:
        """Push the expiry of all pairs that are still held, which the lease returned has.

        Raises LeaseLost if none is: others that were lost do not cost a run the rest.
        """
        held = _held(connection, lease)
        if lease.tokens and not held:
            raise _lost(lease, lease.tokens)
        _give(connection, held, {"expires_at": now + ttl})
        return replace(lease, expires_at=now + ttl, tokens=held)

    @reading
    def lost(
        self, connection: Connection, lease: Lease, pairs: Collection[Pair]
    ) -> Mapping[Pair, LeaseLost]:
        """Those of the pairs whose fencing token is no longer this lease's, each as an error."""
        return {pair: _lost(lease, [pair]) for pair in _not_held(connection, lease, pairs)}

    @writing
    def release(self, connection: Connection, lease: Lease) -> None:
        """Give back all pairs that are still this lease's; their tokens stay, to grow on."""
        _give(connection, _held(connection, lease), {"owner": None})

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
_STANDS = select(*_ORDER, leases.c.owner, leases.c.token, leases.c.expires_at)
_LOCKED = _STANDS.where(of_pairs(leases)).order_by(*_ORDER).with_for_update()
_WANTED = numbered_pairs("tokens")
_IS_HELD = and_(
    leases.c.sync_id == _WANTED.sync_id,
    leases.c.export == _WANTED.export,
    leases.c.token == _WANTED.number,
    leases.c.owner == bindparam("of"),
)
_HELD = select(leases.c.token).select_from(_WANTED.given.join(leases, _IS_HELD))
_HELD_LOCKED = _HELD.order_by(*_ORDER).with_for_update(of=leases).subquery()
_LOCK = select(func.count()).select_from(_HELD_LOCKED)
_NOT_HELD = (
    select(_WANTED.sync_id, _WANTED.export)
    .select_from(_WANTED.given)
    .where(~select(leases.c.token).where(_IS_HELD).exists())
)
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
    lost = _locked_and_lost(connection, lease, pairs)
    if lost:
        raise _lost(lease, lost)


def _held(connection: Connection, lease: Lease) -> Mapping[Pair, int]:
    """The pairs, with their tokens, that are still this lease's; their rows are locked."""
    lost = _locked_and_lost(connection, lease, lease.tokens)
    return {pair: token for pair, token in lease.tokens.items() if pair not in lost}


def _locked_and_lost(
    connection: Connection, lease: Lease, pairs: Collection[Pair]
) -> Collection[Pair]:
    """Lock the rows of those pairs that are this lease's; the others.

    In one order (on SQLite the whole file is). They are only counted: nearly always that is all
    of them, and a window asks for each of its pairs many times.
    """
    if not pairs:
        return ()
    wanted = set(pairs)
    number = connection.scalar(_LOCK, _tokens(lease, wanted))
    return () if number == len(wanted) else _not_held(connection, lease, wanted) or wanted


def _not_held(connection: Connection, lease: Lease, pairs: Collection[Pair]) -> Collection[Pair]:
    rows = connection.execute(_NOT_HELD, _tokens(lease, pairs)).all() if pairs else ()
    return {(sync_id, export) for sync_id, export in rows}


def _tokens(lease: Lease, pairs: Collection[Pair]) -> dict[str, Any]:
    return {"tokens": {pair: lease.tokens.get(pair) for pair in pairs}, "of": lease.owner}


def _locked(
    connection: Connection, pairs: Collection[Pair]
) -> dict[Pair, tuple[str | None, int, datetime]]:
    """Who has pairs, by which token and until when; their rows are locked."""
    rows = connection.execute(_LOCKED, {"pairs": pairs}).all()
    return {(sync_id, export): (owner, token, at) for sync_id, export, owner, token, at in rows}


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
