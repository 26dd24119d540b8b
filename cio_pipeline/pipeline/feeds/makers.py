"""The feeds, each declared in its own module beside this one."""

from collections.abc import Mapping

from cio_pipeline.contracts.feeds import FEEDS
from cio_pipeline.model.feeds import Feed
from cio_pipeline.pipeline.feeds.calls import CALLS
from cio_pipeline.pipeline.feeds.data_out import DATA_OUT
from cio_pipeline.pipeline.feeds.maker import Maker
from cio_pipeline.pipeline.feeds.messages import MESSAGES

MAKERS: Mapping[Feed, Maker] = {
    Feed.DATA_OUT: DATA_OUT,
    Feed.CALLS: CALLS,
    Feed.MESSAGES: MESSAGES,
}
"""How the rows of each feed become files, and how these are told again."""

MAKER_OF: Mapping[str, Maker] = {name: MAKERS[feed] for feed in Feed for name in FEEDS[feed]}
"""The same by the names of exports."""
