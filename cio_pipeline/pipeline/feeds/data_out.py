"""Files of data-out: changesets as Parquet, named by stem, version, workspace and number (D5)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import polars as pl

from cio_pipeline.changesets.counted import Counting
from cio_pipeline.changesets.erasing import TELL
from cio_pipeline.changesets.quarantine import IDENTITY, identity_expr
from cio_pipeline.contracts.catalog import EXPORTS
from cio_pipeline.contracts.declare import Export
from cio_pipeline.contracts.feeds import exports_in, exports_of_stems, exports_of_sync
from cio_pipeline.files.encode import Encoded, SpooledFile, encode
from cio_pipeline.files.names import FileName, check_stems, render_key
from cio_pipeline.files.spool import Spool
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.plans import Mode, Plan, SealedFile, Series
from cio_pipeline.model.slices import Slice
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.feeds.erasing import erase_rows, told_by_rows
from cio_pipeline.pipeline.feeds.maker import Maker, Numbers
from cio_pipeline.pipeline.planning.cohorts import Cohort
from cio_pipeline.pipeline.planning.rows import (
    changeset_of,
    in_force,
    remember_gone,
    remember_unknown,
)
from cio_pipeline.pipeline.services import Services
from cio_pipeline.verification.files import name_of


def encode_exports(
    services: Services,
    cohort: Cohort[Plan],
    part: Slice | None,
    folder: str,
    *,
    retried: pl.DataFrame | None,
    asked: pl.DataFrame,
) -> Encoded:
    """See `maker.Encode`."""
    model, export, seen = cohort.model, cohort.export, list[pl.DataFrame]()
    remember_gone(services.source, services.ledger, export, cohort.plans)
    changeset = changeset_of(
        services.source,
        services.ledger,
        cohort,
        part,
        retried,
        note=seen.append,
        terms=in_force(services, model) if model.contract else None,
    )
    counting = None if model.mode in {Mode.INITIAL, Mode.RETRY} else Counting(export)
    encoded = encode(
        counting.watch(changeset.rows) if counting else changeset.rows,
        changeset.rejected,
        export,
        model.version,
        model.timestamp_unit,
        rows_per_file=model.rows_per_file,
        spool=services.spool,
        folder=folder,
        total=changeset.total,
        producer=model.producer,
    )
    if seen:
        remember_unknown(services.ledger, model, seen, f"{model.plan_id}.{model.slice}")
    if not asked.is_empty():
        delivered = _delivered(services.spool, export, model.timestamp_unit, encoded, asked)
        encoded = replace(encoded, delivered=delivered)
    return replace(encoded, counts=counting.counts()) if counting else encoded


def _delivered(
    spool: Spool,
    export: Export,
    timestamp_unit: str,
    encoded: Encoded,
    asked: pl.DataFrame,
) -> frozenset[tuple[int, str]]:
    """Which of the rows that were asked for are in the files.

    One more read of files just written, only of workspaces that have rows in quarantine.
    """
    workspaces = set(asked["workspace_id"])
    of_them = [file for file in encoded.files if file.workspace_id in workspaces]
    if not of_them:
        return frozenset()
    paths = [spool.path(file.path) for file in of_them]
    identity = identity_expr(export, timestamp_unit).alias("identity")
    rows = pl.scan_parquet(paths).select("workspace_id", identity)
    found = rows.join(asked.lazy(), on=IDENTITY, how="semi").unique().collect()
    return frozenset(found.iter_rows())


def name_exports(
    registry: Registry,  # noqa: ARG001 - the protocol's
    plan: Plan,
    files: Sequence[SpooledFile],
) -> tuple[SealedFile, ...]:
    """Keys and numbers: counted per series, but for the parts of an initial metrics export."""
    in_parts = EXPORTS[plan.export].numbered_parts and plan.mode is Mode.INITIAL
    named: list[SealedFile] = []
    for file in files:
        first, place = plan.first[file.series], plan.sent.files.get(file.series, 0) + file.index
        sequence, part = (first, place + 1) if in_parts else (first + place, None)
        name = FileName(plan.stem, plan.version, file.series, plan.workspace_id, sequence, part)
        named.append(file.sealed(render_key(name, plan.day), sequence, part))
    return tuple(named)


def numbers_of_exports(sync: Sync, keys: Iterable[str]) -> Numbers:
    """See `maker.Maker`; also of exports that the sync does not send."""
    stems = exports_of_stems(sync.stems)
    found: dict[tuple[str, Series], set[int]] = {}
    for name in filter(None, map(name_of, keys)):
        if name.stem in stems and name.workspace_id == sync.workspace_id:
            found.setdefault((stems[name.stem], name.series), set()).add(name.sequence)
    return found


def check_exports(sync: Sync) -> tuple[str, ...]:
    """See `maker.Maker`: exports, and stems of exports that the sync can send."""
    known = [one.name for one in exports_in(sync)]
    names = exports_of_sync(sync)
    unknown = sorted(set(sync.stems) - set(known))
    if unknown:
        raise InvalidConfig(
            f"Sync '{sync.id}' names stems of exports that v{sync.version} does not have: "
            f"{', '.join(unknown)}.",
            f"It has {', '.join(known)}.",
        )
    check_stems({name: sync.stems.get(name, EXPORTS[name].stem) for name in names})
    return ()


DATA_OUT = Maker(
    encode_exports,
    name_exports,
    numbers_of_exports,
    check_exports,
    erase_rows,
    told_by_rows,
    TELL,
)
