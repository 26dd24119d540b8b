"""Opens a sync's destination by its type."""

from pathlib import Path

from cio_pipeline.destinations.azure import AzureContainer
from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.destinations.s3 import S3Bucket
from cio_pipeline.model.destinations import AzureDestination, LocalDestination, S3Destination
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.ports import Destination


def open_destination(sync: Sync, base: Path) -> Destination:
    """The destination of a sync; relative local paths start at `base`. Nothing is touched yet."""
    match sync.destination:
        case LocalDestination(path=path):
            return LocalFolder(base / path)
        case S3Destination() as options:
            return S3Bucket(options)
        case AzureDestination() as options:
            return AzureContainer(options)
