"""Rules of the exports about objects: objects, object types and object attributes."""

import polars as pl

from cio_pipeline.changesets.expressions import flag
from cio_pipeline.changesets.people import attribute_value
from cio_pipeline.changesets.reading import Reading
from cio_pipeline.changesets.split import grown, split, states

_OBJECT = ["workspace_id", "internal_object_id"]


def objects(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """D1: objects and object types; current ones in an initial export, gone ones in `chngs`."""
    rows = frame.with_columns(
        *states("deleted"),
        grown("updated_at", reading).alias("updated_at"),
    )
    return split(rows, reading, flag("deleted"))


def object_attributes(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """D1, D3: current values of current objects in an initial export, else each change."""
    rows = frame
    if reading.initial:
        current = reading.join("objects").filter(~flag("deleted")).select(_OBJECT)
        rows = frame.filter(pl.col("attribute_value").is_not_null()).join(
            current, on=_OBJECT, how="semi", maintain_order="left"
        )
    return rows.with_columns(*attribute_value())
