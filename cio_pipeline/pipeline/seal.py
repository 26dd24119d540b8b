"""Sealing: encode a cohort once into the spool, and give each plan its files and numbers."""

from collections.abc import Collection, Sequence

import polars as pl

from cio_pipeline.changesets.quarantine import identity_expr
from cio_pipeline.contracts.declare import Export
from cio_pipeline.files.encode import Encoded, SpooledFile, encode
from cio_pipeline.files.names import FileName, render_key
from cio_pipeline.files.spool import sha256_of
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.plans import (
    Mode,
    Plan,
    PlanState,
    SealedFile,
    SealedPlan,
)
from cio_pipeline.model.registry import Lease
from cio_pipeline.pipeline.cohorts import Cohort, changeset_of
from cio_pipeline.pipeline.services import Services
from cio_pipeline.pipeline.slices import rest_of


def seal_cohort(services: Services, lease: Lease, cohort: Cohort[Plan]) -> list[SealedPlan]:
    """Encode a cohort's changeset, or its slice, and record every file before the first put.

    A plan that was sealed before must come out with the digests sealed then: DigestMismatch.
    """
    model = cohort.model
    part = rest_of(services, model)[0]
    changeset = changeset_of(services.source, services.ledger, cohort, part)
    encoded = encode(
        changeset.rows,
        changeset.rejected,
        cohort.export,
        model.version,
        model.timestamp_unit,
        rows_per_file=model.rows_per_file,
        spool=services.spool,
        folder=_folder(cohort),
        total=changeset.total,
    )
    held_back = _open_identities(services, cohort)
    nobody: frozenset[str] = frozenset()
    sealed = [
        _sealed(services, plan, cohort.export, encoded, held_back.get(plan.sync_id, nobody))
        for plan in cohort.plans
    ]
    services.ledger.plans.seal(lease, sealed, services.clock())
    return sealed


def _folder(cohort: Cohort[Plan]) -> str:
    """A folder of the spool that no other cohort or slice encodes into."""
    model = cohort.model
    first = min(plan.plan_id for plan in cohort.plans)
    # What is encoded again must not wipe the folder that the cohort's other files still lie in.
    again = any(plan.state is PlanState.SEALED for plan in cohort.plans)
    part = f"-{model.slice}" if model.slices > 1 else ""
    return f"{model.export}-{first}{part}" + ("-again" if again else "")


def still_spooled(services: Services, plans: Collection[Plan]) -> list[SealedPlan]:
    """Those of the sealed plans whose files all lie in the spool, unaltered."""
    sealed = [plan for plan in plans if plan.state is PlanState.SEALED]
    if not sealed:
        return []
    files = services.ledger.plans.sealed(sealed)
    found = [SealedPlan(plan, files.get(plan.plan_id, ())) for plan in sealed]
    return [plan for plan in found if all(_whole(services, file) for file in plan.files)]


def _whole(services: Services, file: SealedFile) -> bool:
    try:
        return sha256_of(services.spool.path(file.spool)) == file.sha256
    except (CioError, OSError):
        return False


def _open_identities(services: Services, cohort: Cohort[Plan]) -> dict[str, frozenset[str]]:
    """Identities held back earlier, by sync: those that are no longer rejected are resolved."""
    entries = services.ledger.quarantine.entries([plan.sync_id for plan in cohort.plans])
    found: dict[str, set[str]] = {}
    for entry in entries:
        if entry.export == cohort.export.name:
            found.setdefault(entry.sync_id, set()).add(entry.identity)
    return {sync_id: frozenset(identities) for sync_id, identities in found.items()}


def _sealed(
    services: Services, plan: Plan, export: Export, encoded: Encoded, held_back: frozenset[str]
) -> SealedPlan:
    files = [file for file in encoded.files if file.workspace_id == plan.workspace_id]
    rejected = tuple(row for row in encoded.rejected if row.workspace_id == plan.workspace_id)
    resolved = _delivered(services, plan, export, files, held_back)
    return SealedPlan(plan, _numbered(plan, export, files), rejected, resolved)


def _delivered(
    services: Services,
    plan: Plan,
    export: Export,
    files: Sequence[SpooledFile],
    wanted: frozenset[str],
) -> tuple[str, ...]:
    """Which of the wanted identities are in these files.

    One more read of files just written, only for syncs that have rows in quarantine.
    """
    if not wanted or not files:
        return ()
    paths = [services.spool.path(file.path) for file in files]
    identities = pl.scan_parquet(paths).select(
        identity_expr(export, plan.timestamp_unit).alias("identity")
    )
    found = identities.filter(pl.col("identity").is_in(sorted(wanted))).unique().collect()
    return tuple(sorted(found["identity"]))


def _numbered(plan: Plan, export: Export, files: Sequence[SpooledFile]) -> tuple[SealedFile, ...]:
    """Keys and numbers: counted per series, but for the parts of an initial metrics export."""
    sent = plan.sent.files
    places = [(file, sent.get(file.series, 0) + file.index) for file in files]
    if export.numbered_parts and plan.mode is Mode.INITIAL:
        return tuple(_named(plan, f, plan.first[f.series], place + 1) for f, place in places)
    return tuple(_named(plan, f, plan.first[f.series] + place, None) for f, place in places)


def _named(plan: Plan, file: SpooledFile, sequence: int, part: int | None) -> SealedFile:
    name = FileName(plan.stem, plan.version, file.series, plan.workspace_id, sequence, part)
    return SealedFile(
        key=render_key(name, plan.day),
        series=file.series,
        sequence=sequence,
        part=part,
        rows=file.rows,
        bytes=file.bytes,
        sha256=file.sha256,
        min_time=file.min_time,
        max_time=file.max_time,
        spool=file.path,
    )
