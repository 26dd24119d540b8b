"""The files of each feed."""

from collections.abc import Mapping

from cio_pipeline.contracts.feeds import feed_of
from cio_pipeline.model.windows import Feed
from cio_pipeline.pipeline.feeds.make_calls import CALL_FILES
from cio_pipeline.pipeline.feeds.make_exports import EXPORT_FILES
from cio_pipeline.pipeline.feeds.make_messages import MESSAGE_OBJECTS
from cio_pipeline.pipeline.feeds.maker import Maker

MAKERS: Mapping[Feed, Maker] = {
    Feed.DATA_OUT: EXPORT_FILES,
    Feed.CALLS: CALL_FILES,
    Feed.MESSAGES: MESSAGE_OBJECTS,
}
"""How the rows of each feed become files."""


def maker_of(export: str) -> Maker:
    """How an export's rows become files."""
    return MAKERS[feed_of(export)]
