"""The chain of manifests: its last link, and the next one (D10)."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from itertools import chain, groupby
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from cio_pipeline.contracts.feeds import ALL_EXPORTS, facts_of
from cio_pipeline.ledger.cuts import cuts_at
from cio_pipeline.ledger.given import rows_given
from cio_pipeline.ledger.schema import files, manifests, plans, syncs, voids
from cio_pipeline.ledger.statements import CHUNK, insert_rows, places
from cio_pipeline.ledger.states import export_states, registered_syncs
from cio_pipeline.model.cuts import Cut
from cio_pipeline.model.errors import LeaseLost, PositionMoved
from cio_pipeline.model.manifests import (
    ExportStatus,
    InitialProgress,
    Manifest,
    ManifestFile,
    Replay,
    Since,
    Superseded,
    VoidSequence,
    digest,
    render_file,
    render_manifest,
)
from cio_pipeline.model.plans import Mode
from cio_pipeline.model.registry import ExportState, RegisteredSync
from cio_pipeline.model.windows import Window

_UNMARKED = -1


@dataclass(frozen=True)
class Listed:
    """Files of some plans of a sync, rendered as its next manifest lists them."""

    plans: set[int] = field(default_factory=set[int])
    exports: set[str] = field(default_factory=set[str])
    files: list[bytes] = field(default_factory=list[bytes])
    replays: dict[str, Replay] = field(default_factory=dict[str, Replay])
    begun: dict[tuple[str, datetime], datetime] = field(
        default_factory=dict[tuple[str, datetime], datetime]
    )

    def since(self, cuts: Mapping[datetime, Cut]) -> tuple[Since, ...]:
        """Where what it lists of exports that forward begins."""
        return tuple(
            Since(export, start, end, cuts[start].tables.get(ALL_EXPORTS[export].source))
            for (export, end), start in sorted(self.begun.items())
        )


def to_list(
    connection: Connection, plan_ids: Collection[int], *, marked: int = _UNMARKED
) -> Mapping[str, Listed]:
    """What `list_next` lists of plans, by sync: files that no manifest lists, or `marked` so.

    Rendered one by one, since a window may send very many messages.
    """
    found: dict[str, Listed] = {}
    given = {"ids": plan_ids, "marked": marked}
    rows = connection.execute(_UNLISTED, given) if plan_ids else None
    for row in chain.from_iterable(rows.partitions(CHUNK)) if rows else ():
        sync_id, plan_id, export, mode = _OF_PLAN(row)
        its = found.setdefault(sync_id, Listed())
        its.plans.add(plan_id)
        its.exports.add(export)
        its.files.append(render_file(manifest_file(row)))
        if mode is Mode.REPLAY:
            all_rows = row.until_at is None
            its.replays[export] = Replay(export, row.lower_at, row.window_end, all_rows)
        elif mode in {Mode.CHANGES, Mode.CATCH_UP} and facts_of(export).forwards:
            its.begun[export, row.window_end] = row.lower_at
    return found


def list_next(
    connection: Connection,
    sync_ids: Collection[str],
    listed: Mapping[str, Listed],
    window: Window | None,
    at: datetime,
    *,
    marked: int = _UNMARKED,
    superseded: Mapping[str, Sequence[Superseded]] = MappingProxyType({}),
) -> dict[str, int]:
    """Store the next manifest of each sync that has something to list; how many files each lists.

    These are the files `listed` (`to_list`), those `superseded`, and numbers that became void.
    Where exports stand is told as this transaction leaves it. Raises PositionMoved if files were
    listed by another since.
    """
    connection.execute(_CONTINUED, {"wanted": sync_ids}).all()
    void = _voids(connection, sync_ids)
    found = registered_syncs(connection, {*listed, *void, *superseded})
    exports = {export for one in found.values() for export in one.switches}
    states = export_states(connection, found, exports, list(found), numbers=False)
    of_sync = {key: list(its) for key, its in groupby(states, key=lambda state: state.sync.id)}
    lasts = lasts_of(connection, found)
    begun = cuts_at(connection, (at for one in listed.values() for at in one.begun.values()))
    made: list[tuple[Manifest, bytes]] = []
    for sync_id, one in found.items():
        its = listed.get(sync_id, Listed())
        stand, last = of_sync.get(sync_id, ()), lasts.get(sync_id)
        manifest = replace(
            next_manifest(one, last, stand, window, at, sent=its.exports),
            void=tuple(void.get(sync_id, ())),
            superseded=tuple(superseded.get(sync_id, ())),
            replay_of=tuple(one for _, one in sorted(its.replays.items())),
            since=its.since(begun),
        )
        made.append((manifest, render_manifest(manifest, its.files)))
    _mark(connection, listed, {one.sync_id: one.ordinal for one, _ in made}, marked)
    _store(connection, made)
    return {sync_id: len(listed[sync_id].files) if sync_id in listed else 0 for sync_id in found}


def _mark(
    connection: Connection, listed: Mapping[str, Listed], ordinals: Mapping[str, int], marked: int
) -> None:
    """By number: most chains are of one length."""
    for ordinal in sorted(set(ordinals.values())):
        some = {sync_id: listed[sync_id] for sync_id in listed if ordinals[sync_id] == ordinal}
        ids = [plan_id for its in some.values() for plan_id in its.plans]
        given = {"ids": ids, "marked": marked, "listed_by": ordinal}
        number = sum(len(its.files) for its in some.values())
        if number and connection.execute(_LIST_FILES, given).rowcount != number:
            raise PositionMoved(
                f"Files of sync '{min(some)}', or of others with it, were listed by another run "
                "meanwhile.",
                "Do it again.",
            )


def append(connection: Connection, manifest: Manifest) -> None:
    """Store a manifest that lists nothing; LeaseLost if it does not continue its chain."""
    connection.execute(_CONTINUED, {"wanted": [manifest.sync_id]}).all()
    last = lasts_of(connection, [manifest.sync_id]).get(manifest.sync_id)
    if last != (manifest.ordinal - 1, manifest.previous):
        raise LeaseLost(
            f"Manifest {manifest.ordinal} of sync '{manifest.sync_id}' does not continue what the "
            "ledger holds: another run stored one.",
            "Do it again.",
        )
    _store(connection, [(manifest, render_manifest(manifest))])


def lasts_of(connection: Connection, sync_ids: Collection[str]) -> dict[str, tuple[int, str]]:
    """Ordinal and digest of the last stored manifest of each sync that has any."""
    rows = connection.execute(_LASTS, {"wanted": sync_ids}).all()
    return {sync_id: (ordinal, digest) for sync_id, ordinal, digest in rows}


def manifest_file(row: Row[Any]) -> ManifestFile:
    """A file as manifests list it, from its row joined with its plan's: see LISTED."""
    return ManifestFile(*_OF_FILE(row))


LISTED = select(
    files,
    plans.c.export,
    plans.c.fingerprint,
    plans.c.version,
    plans.c.lower_at,
    plans.c.upper_at.label("window_end"),
    plans.c.until_at,
    plans.c.generation,
    plans.c.mode,
    plans.c.contract,
).join(plans, plans.c.id == files.c.plan_id)
"""Files with what a manifest says of them."""

_OF_FILE = places(LISTED, [one.name for one in fields(ManifestFile)])
_OF_PLAN = places(LISTED, ("sync_id", "plan_id", "export", "mode"))

_LATER = manifests.alias()
# One look into the index for each sync: else SQLite walks through whole chains.
_NUMBER = select(func.max(_LATER.c.ordinal)).where(_LATER.c.sync_id == syncs.c.id).scalar_subquery()
_LASTS = (
    select(syncs.c.id, manifests.c.ordinal, manifests.c.digest)
    .where(manifests.c.sync_id == syncs.c.id, manifests.c.ordinal == _NUMBER)
    .where(rows_given((syncs.c.id,), "wanted"))
)
_OF_PLANS = rows_given((files.c.plan_id,), "ids") & (
    func.coalesce(files.c.manifest_ordinal, _UNMARKED) == bindparam("marked")
)
_UNLISTED = LISTED.where(_OF_PLANS).order_by(files.c.plan_id, files.c.number)
_LIST_FILES = (
    update(files).where(_OF_PLANS).values(manifest_ordinal=bindparam("listed_by"), counts=None)
)
_LIST_VOID = (
    update(voids)
    .where(
        voids.c.sync_id == bindparam("of_sync"),
        voids.c.export == bindparam("of_export"),
        voids.c.series == bindparam("of_series"),
        voids.c.sequence == bindparam("of_sequence"),
    )
    .values(manifest_ordinal=bindparam("listed_by"))
)
"""One row each, many at a time: a list of keys would become part of the statement's text."""


# Whoever continues one of these chains waits for the end of the transaction. Not against rows that
# only refer to a sync: those are inserted meanwhile.
_CONTINUED = (
    select(syncs.c.id)
    .where(rows_given((syncs.c.id,), "wanted"))
    .order_by(syncs.c.id)
    .with_for_update(key_share=True)
)


def _voids(connection: Connection, sync_ids: Collection[str]) -> Mapping[str, list[VoidSequence]]:
    found: dict[str, list[VoidSequence]] = defaultdict(list)
    rows = connection.execute(_UNLISTED_VOIDS, {"wanted": sync_ids}).all()
    for row in sorted(rows, key=lambda r: (r.export, r.series, r.sequence)):
        found[row.sync_id].append(VoidSequence(row.export, row.series, row.sequence))
    return found


_UNLISTED_VOIDS = select(voids).where(
    rows_given((voids.c.sync_id,), "wanted"), voids.c.manifest_ordinal.is_(None)
)


def _store(connection: Connection, made: Collection[tuple[Manifest, bytes]]) -> None:
    """Keep manifests with their bytes, and which numbers they list as void."""
    rows = [
        {"sync_id": one.sync_id, "ordinal": one.ordinal, "digest": digest(body), "body": body}
        for one, body in made
    ]
    insert_rows(connection, manifests, rows)
    void = [
        {
            "of_sync": one.sync_id,
            "of_export": number.export,
            "of_series": number.series,
            "of_sequence": number.sequence,
            "listed_by": one.ordinal,
        }
        for one, _ in made
        for number in one.void
    ]
    if void:
        connection.execute(_LIST_VOID, void)


def next_manifest(
    registered: RegisteredSync,
    last: tuple[int, str] | None,
    states: Sequence[ExportState],
    window: Window | None,
    at: datetime,
    *,
    sent: Collection[str] = (),
) -> Manifest:
    """The manifest that goes on from the last one (number, digest), as of a window's run, if any.

    It tells how the exports stand, of which files of `sent` ones are listed.
    """
    sync = registered.sync
    return Manifest(
        sync_id=sync.id,
        workspace_id=sync.workspace_id,
        feed=sync.feed,
        version=sync.version,
        generation=registered.generation,
        ordinal=last[0] + 1 if last else 1,
        created_at=at,
        previous=last[1] if last else None,
        files=(),
        void=(),
        exports=tuple(export_status(state, window, sent) for state in states),
    )


def export_status(state: ExportState, window: Window | None, sent: Collection[str]) -> ExportStatus:
    """Where an export stands: paused, initial-running, outstanding, delivered or empty."""
    position, plan = state.position.at if state.position else None, state.open_plan
    if not state.on:
        name = "paused"
    elif position is None or (plan is not None and plan.is_first):
        name = "initial-running"
    elif plan is not None or (
        window is not None and window.due(state.sync.cadence) and position < window.end
    ):
        name = "outstanding"
    else:
        name = "delivered" if state.export in sent else "empty"
    initial = None
    if plan is not None and plan.slice and plan.mode is not Mode.REPLAY:
        # It delivered some of its slices.
        lower = None if plan.is_first else plan.lower
        since = lower.tables.get(ALL_EXPORTS[plan.export].source) if lower else None
        told = plan.slices, plan.slice_rows, plan.slice
        initial = InitialProgress(plan.upper.at, *told, since)
    cut = plan.upper if plan and initial else state.position
    source = cut.tables.get(ALL_EXPORTS[state.export].source) if cut else None
    return ExportStatus(state.export, name, position, source, initial)
