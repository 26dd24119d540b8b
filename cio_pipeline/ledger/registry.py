"""The registry: which syncs there are, what becomes of each, and what each sends next.

With the syncs are registered: the terms of their data contracts, kept for whoever makes a plan
again that was made under them; and the hour that a deployment's windows begin with.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, exists, insert, select, update

from cio_pipeline.ledger.chain import append
from cio_pipeline.ledger.database import Database, reading, writing
from cio_pipeline.ledger.leases import hold
from cio_pipeline.ledger.looks import forget_differences
from cio_pipeline.ledger.plans import store_plans
from cio_pipeline.ledger.positions import require_finished
from cio_pipeline.ledger.quarantine import forget_held
from cio_pipeline.ledger.schema import contracts, counters, switches, sync_history, syncs
from cio_pipeline.ledger.statements import insert_missing, upsert
from cio_pipeline.ledger.states import export_states, registered_syncs, unknown
from cio_pipeline.ledger.troubles import forget_errors
from cio_pipeline.model.data_contract import DataContract, Terms, read_terms
from cio_pipeline.model.errors import LedgerError
from cio_pipeline.model.history import Deed, HistoryLine, difference
from cio_pipeline.model.manifests import Manifest
from cio_pipeline.model.plans import PlanDraft
from cio_pipeline.model.registry import (
    ExportState,
    ExportSwitch,
    Lease,
    RegisteredSync,
    changed_meanwhile,
)
from cio_pipeline.model.sync import Sync
from cio_pipeline.model.windows import FIRST_WINDOW, hour_of


@dataclass(frozen=True)
class Contracts:
    """The terms that syncs have and had."""

    database: Database

    @reading
    def terms(self, connection: Connection, digest: str) -> Terms:
        """The terms that a plan names; raises LedgerError if they are not there."""
        body = connection.scalar(select(contracts.c.body).where(contracts.c.digest == digest))
        if body is None:
            raise LedgerError(
                f"The ledger lacks the data contract {digest} that a plan was made under.",
                "Apply the contract that it was made under once more, which keeps it, or restore a "
                "backup of the ledger.",
            )
        return read_terms(body)


def keep_terms(connection: Connection, contract: DataContract | None) -> None:
    """Store what plans will be made under; what is there already stays."""
    if contract is not None:
        kept = (contract.terms(export) for export in contract.exports)
        rows = [{"digest": one.digest, "body": one.body} for one in kept if one is not None]
        insert_missing(connection, contracts, rows)


NAME = "first window"
"""Name of the ledger's counter: seconds since 1970. Ledgers with syncs and without it are older."""

_ITS = counters.c.name == NAME


def begin(connection: Connection, at: datetime) -> None:
    """Let the windows begin with the hour of a sync that is to be registered, or before."""
    first = int(hour_of(at).timestamp())
    if not connection.scalar(select(exists().select_from(syncs))):
        insert_missing(connection, counters, [{"name": NAME, "value": first}])
    earlier = update(counters).where(_ITS, counters.c.value > first)
    connection.execute(earlier.values(value=first))


def first_window(connection: Connection) -> datetime | None:
    """The hour that the windows begin with; None before the first sync is registered."""
    found = connection.scalar(select(counters.c.value).where(_ITS))
    if found is not None:
        return datetime.fromtimestamp(found, UTC)
    return FIRST_WINDOW if connection.scalar(select(exists().select_from(syncs))) else None


@dataclass(frozen=True)
class Registry:
    """Which syncs there are."""

    database: Database

    @reading
    def all(
        self, connection: Connection, among: Collection[str] | None = None
    ) -> Sequence[RegisteredSync]:
        """Every sync, or those `among` some ids, by id."""
        found = registered_syncs(connection, None)
        return [one for key, one in found.items() if among is None or key in among]

    @reading
    def get(self, connection: Connection, sync_id: str) -> RegisteredSync:
        """One sync; raises UnknownSync, naming the known ones."""
        found = registered_syncs(connection, [sync_id])
        return found[sync_id] if found else unknown(connection, [sync_id])

    @reading
    def history(self, connection: Connection, sync_id: str) -> Sequence[HistoryLine]:
        """Who did what to a sync, oldest first."""
        c = sync_history.c
        query = select(c.at, c.who, c.what, c.before, c.after).where(c.sync_id == sync_id)
        return [
            HistoryLine(sync_id, at, who, what, json.loads(before), json.loads(after))
            for at, who, what, before, after in connection.execute(query.order_by(c.id))
        ]

    @reading
    def states(
        self,
        connection: Connection,
        exports: Collection[str],
        sync_ids: Collection[str] | None = None,
    ) -> Sequence[ExportState]:
        """The state of each (sync, export) among `exports` that the syncs carry a switch for.

        Raises UnknownSync for an id that is not registered. Eight queries, however many syncs.
        """
        wanted = None if sync_ids is None else set(sync_ids)
        registered = registered_syncs(connection, wanted)
        missing = sorted((wanted or set()) - set(registered))
        if missing:
            unknown(connection, missing)
        return export_states(connection, registered, exports, wanted)

    @writing
    def put(
        self,
        connection: Connection,
        sync: Sync,
        exports: Mapping[str, ExportSwitch],
        at: datetime,
        deed: Deed | None = None,
        *,
        known: RegisteredSync | None = None,
    ) -> RegisteredSync:
        """Register a sync (created `at`, generation 1) or replace its configuration.

        The switches given are stored as they are, others stay as they were; a sync that exists
        keeps created_at and generation. The `deed` becomes a line of its history. Raises LeaseLost
        if the sync is not what is `known` any more.
        """
        if known is not None:
            require_known(connection, known)
        before = registered_syncs(connection, [sync.id]).get(sync.id)
        register(connection, sync, exports, at)
        after = registered_syncs(connection, [sync.id])[sync.id]
        if deed is not None:
            record(connection, deed, before, after, at)
        return after

    @writing
    def change(
        self,
        connection: Connection,
        lease: Lease,
        known: RegisteredSync,
        to: RegisteredSync,
        deed: Deed,
        *,
        at: datetime,
        again: Collection[str] = (),
        manifest: Manifest | None = None,
        plans: Sequence[PlanDraft] = (),
    ) -> None:
        """Make a sync as a whole what it is `to` be, with a line of its history (D7).

        The lease holds all its pairs. What is sent `again` is so by `plans`, if it was before;
        `manifest` is stored with it, to begin a chain anew. Raises LeaseLost, also if the sync is
        not what is `known` any more; PositionMoved if a plan is unfinished.
        """
        hold(connection, lease, lease.tokens)
        require_known(connection, known)
        anew = known.switches if known.generation != to.generation else again
        of_chain = known.switches if known.first_manifest != to.first_manifest else anew
        require_finished(connection, [(to.sync.id, export) for export in of_chain])
        _become(connection, to)
        for forget in (forget_errors, forget_differences, forget_held):
            forget(connection, to.sync.id, anew)
        if manifest is not None:
            append(connection, manifest)
        if plans:
            store_plans(connection, plans, at)
        record(connection, deed, known, to, at)


def register(
    connection: Connection, sync: Sync, exports: Mapping[str, ExportSwitch], at: datetime
) -> None:
    """Insert or reconfigure a sync, see `Registry.put`."""
    row: dict[str, Any] = {
        "config": sync.model_dump_json(),
        "workspace_id": sync.workspace_id,
        "feed": sync.feed.value,
    }
    new = {"id": sync.id, "generation": 1, "created_at": at}
    begin(connection, at)
    insert_missing(connection, syncs, [{**new, **row}])
    connection.execute(update(syncs).where(syncs.c.id == sync.id).values(**row))
    keep_terms(connection, sync.contract)
    upsert(connection, switches, [_switch_row(sync.id, *item) for item in exports.items()])


def require_known(connection: Connection, known: RegisteredSync) -> None:
    """Raise LeaseLost if a sync was changed meanwhile: what was made of it would undo that.

    Nobody else changes it until this transaction ends.
    """
    sync_id = known.sync.id
    # Every change of a sync comes by here: whoever waited reads what the other has made of it.
    connection.execute(select(syncs.c.id).where(syncs.c.id == sync_id).with_for_update())
    if registered_syncs(connection, [sync_id]).get(sync_id) != known:
        raise changed_meanwhile(sync_id)


def record(
    connection: Connection,
    deed: Deed,
    before: RegisteredSync | None,
    after: RegisteredSync,
    at: datetime,
) -> None:
    """Add a line to a sync's history, in the transaction that does what it tells."""
    old, new = difference(before, after)
    connection.execute(
        insert(sync_history).values(
            sync_id=after.sync.id,
            at=at,
            who=deed.who,
            what=deed.what,
            before=json.dumps(old, sort_keys=True),
            after=json.dumps(new, sort_keys=True),
        )
    )


def _switch_row(sync_id: str, export: str, switch: ExportSwitch) -> dict[str, Any]:
    return {"sync_id": sync_id, "export": export, **vars(switch)}


def _become(connection: Connection, to: RegisteredSync) -> None:
    """Make a sync what it is `to` be, but for its positions."""
    register(connection, to.sync, to.switches, to.created_at)
    stands = {
        "generation": to.generation,
        "created_at": to.created_at,
        "disabled_at": to.disabled_at,
        "first_manifest": to.first_manifest,
    }
    connection.execute(update(syncs).where(syncs.c.id == to.sync.id).values(**stands))
