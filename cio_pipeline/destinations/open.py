"""Opens a sync's destination by its type."""

from pathlib import Path

from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.ports import Destination


def open_destination(sync: Sync, base: Path) -> Destination:
    """The destination of a sync; relative local paths start at `base`. Nothing is touched yet."""
    match sync.destination.type:
        case "local":
            return LocalFolder(base / sync.destination.path)
        case "s3" | "azure":
            raise InvalidConfig(f"Destinations of type {sync.destination.type} cannot be opened.")
