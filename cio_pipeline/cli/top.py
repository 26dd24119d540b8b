"""`cio-pipeline top`: all syncs on one screen, again and again."""

from typing import Annotated

import typer

from cio_pipeline.cli.context import services
from cio_pipeline.extras import needs
from cio_pipeline.model.feeds import Feed
from cio_pipeline.pipeline.checking.overview import overview


def top(
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.5)] = 5.0,
    feed: Annotated[Feed | None, typer.Option(help="Only syncs of this feed.")] = None,
) -> None:
    """Watch all syncs live: lag, rates and errors, without writing to the ledger.

    Keys: w shows only what is wrong, s sorts by another column, r looks at once, q ends it.
    """
    needs("textual")
    from cio_pipeline.cli.top_screen import Top  # noqa: PLC0415 - the library may be missing

    found = services()
    Top(lambda: overview(found), every, feed).run()
