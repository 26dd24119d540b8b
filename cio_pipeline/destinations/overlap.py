"""Where a destination is, so that equal and enclosing ones can be told (D8)."""

from pathlib import Path

from cio_pipeline.model.destinations import LocalDestination, Place
from cio_pipeline.model.sync import Sync


def location(destination: Place, base: Path) -> tuple[str, ...]:
    """The store's kind, then the parts of the path; relative paths start at `base`.

    Of two destinations one encloses the other, or they are equal, if one location is a prefix of
    the other. Symlinks, `./` and trailing slashes make no difference.
    """
    match destination.type:
        case "local":
            return (destination.type, *(base / destination.path).resolve().parts)
        case "s3":
            store = destination.endpoint_url or "aws"
            return (destination.type, store, destination.bucket, *_parts(destination.path))
        case "azure":
            # The container stands in the URL, which only a reference leads to.
            return (destination.type, destination.sas_url, *_parts(destination.path))


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")) if path else ()


def absolute(sync: Sync, base: Path) -> Sync:
    """The sync with a destination that means the same wherever a process runs later."""
    if not isinstance(sync.destination, LocalDestination):
        return sync
    place = sync.destination.model_copy(update={"path": str(base / sync.destination.path)})
    return sync.model_copy(update={"destination": place})
