"""How a person is taken out of the delivered files of each feed."""

from pathlib import Path

import polars as pl

from cio_pipeline.changesets.erasing import erased, holds, told_by
from cio_pipeline.contracts.dtypes import arrow_schema
from cio_pipeline.contracts.exports.calls import type_export
from cio_pipeline.contracts.feeds import ALL_EXPORTS
from cio_pipeline.files.call_erasing import erase_calls, told_by_calls
from cio_pipeline.files.call_names import parse_call_name
from cio_pipeline.files.message_erasing import erase_message
from cio_pipeline.files.rewrite import rewrite_parquet
from cio_pipeline.model.erasure import Traces
from cio_pipeline.model.plans import Plan


def erase_rows(copy: Path, to: Path, plan: Plan, key: str, traces: Traces) -> int | None:
    """See `maker.Erase`."""
    del key
    export, rows = ALL_EXPORTS[plan.export], pl.scan_parquet(copy)
    theirs = rows.filter(holds(export, plan.version, traces)).select(pl.len())
    if not theirs.collect(engine="streaming").item():
        return None
    left = erased(rows, export, plan.version, traces)
    schema = arrow_schema(export, plan.version, plan.timestamp_unit)
    rewrite_parquet(copy, left, to, schema)
    return pl.scan_parquet(to).select(pl.len()).collect().item()


def told_by_rows(copy: Path, plan: Plan, key: str, traces: Traces) -> Traces:
    """See `maker.Told`."""
    del key
    return told_by(pl.scan_parquet(copy), ALL_EXPORTS[plan.export], plan.version, traces)


def erase_call_file(copy: Path, to: Path, plan: Plan, key: str, traces: Traces) -> int | None:
    """See `maker.Erase`."""
    name = parse_call_name(key)
    how = {"file_format": name.format, "unit": plan.timestamp_unit}
    return erase_calls(copy, to, type_export(name.type), traces, **how)


def told_by_call_file(copy: Path, plan: Plan, key: str, traces: Traces) -> Traces:
    """See `maker.Told`."""
    del plan
    name = parse_call_name(key)
    return told_by_calls(copy, type_export(name.type), name.format, traces)


def erase_object(copy: Path, to: Path, plan: Plan, key: str, traces: Traces) -> int | None:
    """See `maker.Erase`."""
    del plan, key
    return erase_message(copy, to, traces)


def told_by_nothing(copy: Path, plan: Plan, key: str, traces: Traces) -> Traces:
    """See `maker.Told`: messages tell nothing that others name somebody by."""
    del copy, plan, key
    return traces
