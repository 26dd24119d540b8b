"""Rules of the exports about messages: delivery content and metrics (D3)."""

import polars as pl

from cio_pipeline.changesets.expressions import LINK_URL_BYTES, first_bytes, flag
from cio_pipeline.changesets.reading import Reading
from cio_pipeline.contracts.declare import CURRENT_VERSION

_EMAIL_ONLY = ("email_client", "inbox_domain", "inbox_provider", "mx_host")
_OF_CAMPAIGNS = ("campaign_id", "action_id")


def delivery_content(frame: pl.LazyFrame, reading: Reading) -> pl.LazyFrame:
    """Content has the ids of its campaign or of its newsletter, never of both.

    A newsletter without variants has content 0.
    """
    campaign = pl.col("campaign_id").is_not_null()
    newsletter = ~campaign & pl.col("newsletter_id").is_not_null()
    index = pl.when(newsletter).then(pl.col("content_id").fill_null(0))
    rows = frame.with_columns(
        *(pl.when(~newsletter).then(pl.col(name)).alias(name) for name in _OF_CAMPAIGNS),
        pl.when(~campaign).then(pl.col("newsletter_id")).alias("newsletter_id"),
        index.when(~campaign).then(pl.col("content_id")).alias("content_id"),
    )
    if reading.version >= CURRENT_VERSION:
        return rows
    return rows.with_columns(pl.col("body_plain").fill_null(""))


def metrics(frame: pl.LazyFrame, _: Reading) -> pl.LazyFrame:
    """URLs cut, flags false and email-only columns null where they do not apply."""
    email = (pl.col("channel") == "email").fill_null(value=False)
    opened = email & (pl.col("metric") == "opened").fill_null(value=False)
    clicked = email & (pl.col("metric") == "clicked").fill_null(value=False)
    return frame.with_columns(
        first_bytes("link_url", LINK_URL_BYTES).alias("link_url"),
        (opened & flag("proxied")).alias("proxied"),
        (opened & flag("prefetched")).alias("prefetched"),
        (clicked & flag("machine")).alias("machine"),
        *(pl.when(email).then(pl.col(name)).alias(name) for name in _EMAIL_ONLY),
    )
