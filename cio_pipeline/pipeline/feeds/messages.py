"""Objects of messages: one each, under the key that the sync's template gives it (M1, M2)."""

from collections.abc import Sequence

import polars as pl

from cio_pipeline.contracts.message_envelope import DEFAULT_KEY_TEMPLATE
from cio_pipeline.contracts.tables.feeds import ARRIVAL
from cio_pipeline.files.encode import Encoded, SpooledFile
from cio_pipeline.files.encode_messages import COLUMNS, encode_messages
from cio_pipeline.files.message_keys import compile_template
from cio_pipeline.files.message_pack import is_whole
from cio_pipeline.files.template_check import check_template
from cio_pipeline.ledger.registry import Registry
from cio_pipeline.model.changeset import VERSION
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.plans import Plan, SealedFile, Series
from cio_pipeline.model.slices import Slice
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.feeds.erasing import erase_object
from cio_pipeline.pipeline.feeds.maker import Maker
from cio_pipeline.pipeline.feeds.put_messages import objects_again, put_messages
from cio_pipeline.pipeline.planning.cohorts import Cohort
from cio_pipeline.pipeline.planning.rows import forwarded_rows
from cio_pipeline.pipeline.services import Services


def encode_of_messages(
    services: Services,
    cohort: Cohort[Plan],
    part: Slice | None,
    folder: str,
    *,
    retried: pl.DataFrame | None,
    asked: pl.DataFrame,
) -> Encoded:
    """See `maker.Encode`; the syncs of a cohort agree in the template, which is their stem."""
    rows = forwarded_rows(services.source, services.ledger, cohort, part, retried)
    return encode_messages(
        in_order(rows),
        compile_template(cohort.model.stem),
        cohort.export,
        spool=services.spool,
        folder=folder,
        asked=frozenset(asked.iter_rows()),
    )


def in_order(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The rows workspace by workspace, as they were committed and arrived."""
    order = ("workspace_id", VERSION, ARRIVAL, "timestamp", "message_id", "payload")
    return rows.sort(*order, nulls_last=True).select(COLUMNS)


def name_messages(
    registry: Registry,  # noqa: ARG001 - keys are made with the objects
    plan: Plan,
    files: Sequence[SpooledFile],
) -> tuple[SealedFile, ...]:
    """Keys and numbers: every message counts, in the order that equal keys are put in."""
    first = plan.first[Series.PLAIN] + plan.sent.files.get(Series.PLAIN, 0)
    return tuple(file.sealed(file.kind, first + file.index) for file in files)


def check_template_of(sync: Sync) -> tuple[str, ...]:
    """See `maker.Maker`: whether the sync's template can be used, and what to mind in it (M2)."""
    try:
        return check_template(sync.key_template or DEFAULT_KEY_TEMPLATE)
    except InvalidConfig as error:
        raise InvalidConfig(f"Sync '{sync.id}': {error.message}", error.next_step) from None


# Any key may be a message's, so none tells a number.
MESSAGES = Maker(
    encode_of_messages,
    name_messages,
    lambda _sync, _keys: {},
    check_template_of,
    erase_object,
    put=put_messages,
    are_whole=is_whole,
    again=objects_again,
)
