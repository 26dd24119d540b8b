"""The rows of syncs: their configuration, switches and history."""

import difflib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

from sqlalchemy import BindParameter, Connection, bindparam, func, insert, select, update

from cio_pipeline.ledger.first_window import begin
from cio_pipeline.ledger.schema import switches, sync_history, syncs
from cio_pipeline.ledger.statements import CHUNK, insert_missing, upsert
from cio_pipeline.model.errors import UnknownSync
from cio_pipeline.model.history import Deed, difference
from cio_pipeline.model.registry import ExportSwitch, RegisteredSync, changed_meanwhile
from cio_pipeline.model.sync import Sync

_MOST_NAMED = 20


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


def generations(connection: Connection, sync_ids: Collection[str]) -> dict[str, int]:
    """The current generation of some syncs; raises UnknownSync."""
    some = {"sync_ids": list(sync_ids)} if len(sync_ids) <= CHUNK else None
    query = _GENERATIONS if some is None else _GENERATIONS_OF
    found = {row.id: row.generation for row in connection.execute(query, some)}
    missing = sorted(set(sync_ids) - set(found))
    return unknown(connection, missing) if missing else found


def registered_syncs(
    connection: Connection, sync_ids: Collection[str] | None
) -> dict[str, RegisteredSync]:
    """Syncs by id, in order of id; all for None. Unknown ids are left out."""
    few = None if sync_ids is None or len(sync_ids) > CHUNK else list(sync_ids)
    some = None if few is None else {"sync_ids": few}
    of_sync = _switches(connection, some)
    rows = connection.execute(_SYNCS if some is None else _SYNCS_OF, some).all()
    return {
        row.id: RegisteredSync(
            _parse(row.config),
            row.generation,
            row.created_at,
            of_sync.get(row.id, {}),
            row.disabled_at,
            row.first_manifest,
        )
        for row in sorted(rows, key=lambda row: row.id)
        if sync_ids is None or row.id in sync_ids
    }


def _switches(
    connection: Connection, some: Mapping[str, list[str]] | None
) -> dict[str, dict[str, ExportSwitch]]:
    on, others = (_PLAIN, _OTHERS) if some is None else (_PLAIN_OF, _OTHERS_OF)
    found: dict[str, dict[str, ExportSwitch]] = defaultdict(dict)
    for sync_id, exports in connection.execute(on, some):
        found[sync_id] = dict(_all_on(exports))
    for sync_id, export, *how in connection.execute(others, some):
        found[sync_id][export] = ExportSwitch(*how)
    return found


_IS_PLAIN = switches.c.enabled & switches.c.paused_at.is_(None) & switches.c.resumed_at.is_(None)
# Nearly all are on and were never paused: those of a sync come as one row, since a thousand
# syncs have fifteen each.
_PLAIN = (
    select(switches.c.sync_id, func.aggregate_strings(switches.c.export, ","))
    .where(_IS_PLAIN)
    .group_by(switches.c.sync_id)
)
_OTHERS = select(
    switches.c.sync_id,
    switches.c.export,
    switches.c.enabled,
    switches.c.paused_at,
    switches.c.resumed_at,
).where(~_IS_PLAIN)
_SYNCS = select(syncs)
_GENERATIONS = select(syncs.c.id, syncs.c.generation)

# The same of some syncs.
_IDS: BindParameter[str] = bindparam("sync_ids", expanding=True)
_PLAIN_OF = _PLAIN.where(switches.c.sync_id.in_(_IDS))
_OTHERS_OF = _OTHERS.where(switches.c.sync_id.in_(_IDS))
_SYNCS_OF = _SYNCS.where(syncs.c.id.in_(_IDS))
_GENERATIONS_OF = _GENERATIONS.where(syncs.c.id.in_(_IDS))


@lru_cache(maxsize=64)
def _all_on(exports: str) -> Mapping[str, ExportSwitch]:
    return dict.fromkeys(sorted(exports.split(",")), ExportSwitch(enabled=True))


@lru_cache(maxsize=4096)
def _parse(config: str) -> Sync:
    # Cached, since every run and every look of the sensor reads the same few texts.
    return Sync.model_validate_json(config)


def _switch_row(sync_id: str, export: str, switch: ExportSwitch) -> dict[str, Any]:
    return {
        "sync_id": sync_id,
        "export": export,
        "enabled": switch.enabled,
        "paused_at": switch.paused_at,
        "resumed_at": switch.resumed_at,
    }


def unknown(connection: Connection, missing: Sequence[str]) -> NoReturn:
    """Raise UnknownSync for the first of the ids that nobody registered, naming the known ones."""
    known = sorted(connection.scalars(select(syncs.c.id)))
    wrong = missing[0]
    close = difflib.get_close_matches(wrong, known, n=1)
    guess = f" Did you mean '{close[0]}'?" if close else ""
    if not known:
        raise UnknownSync(
            f"No sync '{wrong}': none is registered.",
            "Register some with `cio-pipeline sync apply FILE`.",
        )
    more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
    raise UnknownSync(
        f"No sync '{wrong}' is registered.{guess}",
        f"Known: {', '.join(known[:_MOST_NAMED])}{more}.",
    )
