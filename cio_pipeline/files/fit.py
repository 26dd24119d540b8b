"""Whether rows fit their contract, and what it means when Polars fails to read or write them."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import polars as pl

from cio_pipeline.contracts.declare import Export
from cio_pipeline.contracts.dtypes import polars_schema
from cio_pipeline.files.failures import reason, spool_error
from cio_pipeline.model.changes import SERIES
from cio_pipeline.model.errors import (
    CioError,
    ColumnMismatch,
    SourceError,
    SourceUnavailable,
    VersionGone,
)
from cio_pipeline.model.plans import PRODUCER


@dataclass(frozen=True)
class Shape:
    """What all files of one encoding have in common."""

    export: Export
    version: int
    timestamp_unit: str
    rows_per_file: int
    producer: str = PRODUCER


def fitted(rows: pl.LazyFrame, shape: Shape) -> pl.LazyFrame:
    """The rows with times in the shape's unit; raises ColumnMismatch unless all else fits."""
    expected = polars_schema(shape.export, shape.version, shape.timestamp_unit)
    found = _schema(rows, shape)
    if list(found) != [*expected, SERIES]:
        odd = sorted(set(found) ^ {*expected, SERIES}) or ["their order"]
        raise _mismatch(shape, f"these columns differ: {', '.join(odd)}")
    for name, dtype in expected.items():
        if not _castable(found[name], dtype):
            raise _mismatch(shape, f"{name} is {found[name]} instead of {dtype}")
    return rows.cast({name: expected[name] for name in expected if found[name] != expected[name]})


def _schema(rows: pl.LazyFrame, shape: Shape) -> pl.Schema:
    try:
        return rows.collect_schema()
    except pl.exceptions.PolarsError as error:
        # Nothing has been read yet: this text holds names and dtypes only.
        raise _mismatch(shape, str(error).partition("\n")[0]) from error


def _castable(found: pl.DataType, expected: pl.DataType) -> bool:
    """Whether two dtypes are equal but for the unit of a UTC time."""
    if isinstance(found, pl.Datetime) and isinstance(expected, pl.Datetime):
        return found.time_zone == expected.time_zone
    return found == expected


@contextmanager
def named_errors(rows: pl.LazyFrame, shape: Shape) -> Generator[None]:
    """Turns what Polars raises into the product's errors.

    Their texts may hold values of rows, so they are not passed on (`from None`).
    """
    try:
        yield
    except CioError:
        raise
    except FileNotFoundError:
        raise VersionGone(
            f"A file of the source that {shape.export.name} reads is gone.",
            "Keep the table's versions for longer; `cio-pipeline source status` says how long.",
        ) from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise spool_error(error) or _source_error(error, rows, shape) from None


def _source_error(error: BaseException, rows: pl.LazyFrame, shape: Shape) -> CioError:
    if isinstance(error, pl.exceptions.SchemaError) and "nullable is false" in str(error):
        return _mismatch(shape, f"{_columns_with_nulls(rows, shape)} must not be null, but is")
    name = shape.export.name
    if isinstance(error, OSError):
        return SourceUnavailable(
            f"Reading the source for {name} failed ({reason(error)}).", "It is tried again."
        )
    return SourceError(
        f"Reading the source for {name} failed ({reason(error)}).",
        f"Check the table {shape.export.source} with `cio-pipeline source status`.",
    )


def _columns_with_nulls(rows: pl.LazyFrame, shape: Shape) -> str:
    required = [c.name for c in shape.export.columns_of(shape.version) if c.required]
    counts = rows.select(pl.col(required).null_count())
    nulls = counts.collect(engine="streaming")
    return ", ".join(name for name in required if nulls[name].item())


def _mismatch(shape: Shape, text: str) -> ColumnMismatch:
    return ColumnMismatch(
        f"The rows of {shape.export.name} do not fit its contract v{shape.version}: {text}.",
        "Rows that break the contract belong into quarantine before: please report this bug.",
    )
