"""The reader's side: what was delivered, as tables. It needs the bucket, and nothing of the sender.

Belongs here: following manifests, newest rows, loading a warehouse. Not here: ledger and Dagster.
"""

from cio_pipeline.reader.feed import Feed
from cio_pipeline.reader.files import FeedFile
from cio_pipeline.reader.tables import Table

__all__ = ["Feed", "FeedFile", "Table"]
