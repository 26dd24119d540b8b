"""Rules of the exports about what is sent from: campaigns, actions, broadcasts (D3)."""

import polars as pl

from cio_pipeline.changesets.expressions import blank_to_null, empty_to_null
from cio_pipeline.changesets.reading import Reading


def with_topics(frame: pl.LazyFrame, _: Reading) -> pl.LazyFrame:
    """Campaigns and broadcasts: no topics are null, never an empty list."""
    return frame.with_columns(empty_to_null("topic_names").alias("topic_names"))


def actions(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """Actions: the same, and no name is null."""
    return with_topics(frame, reading).with_columns(blank_to_null("name").alias("name"))
