"""Opens a sync's destination by its type.

A store's client is imported with the first sync that delivers there: Azure's alone takes a third of
a second, for which nobody else should wait.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from cio_pipeline.destinations.azure_sas import parse_sas
from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.destinations.paced import pace_of, paced
from cio_pipeline.destinations.secrets import secret_of
from cio_pipeline.model.destinations import (
    AnyDestination,
    AzureDestination,
    LocalDestination,
    S3Destination,
)
from cio_pipeline.model.errors import CioError
from cio_pipeline.model.sync import Sync
from cio_pipeline.ports import Destination


def _never() -> bool:
    return False


def open_destination(sync: Sync, base: Path, begun: Callable[[], bool] = _never) -> Destination:
    """The destination of a sync; relative local paths start at `base`. Nothing is touched yet.

    `begun` tells, when it is asked, whether something was put there before.
    """
    per_second = sync.destination.puts_per_second
    opened = open_place(sync.destination, base, begun)
    return opened if per_second is None else paced(opened, pace_of(sync.id, per_second))


def credentials_until(sync: Sync) -> datetime | None:
    """When the SAS URL of a sync ends; None for other destinations, or if it cannot be told."""
    if not isinstance(sync.destination, AzureDestination):
        return None
    try:
        return parse_sas(secret_of(sync.destination.sas_url)).expires
    except CioError:
        # Its runs and `sync validate` say what is wrong with it.
        return None


def open_place(
    place: AnyDestination, base: Path, begun: Callable[[], bool] = _never
) -> Destination:
    """A place that is told like a sync's destination; see open_destination."""
    match place:
        case LocalDestination(path=path):
            return LocalFolder(base / path, begun)
        case S3Destination() as options:
            from cio_pipeline.destinations.s3 import S3Bucket  # noqa: PLC0415 - see above

            return S3Bucket(options)
        case AzureDestination() as options:
            from cio_pipeline.destinations.azure import AzureContainer  # noqa: PLC0415 - the same

            return AzureContainer(options)
