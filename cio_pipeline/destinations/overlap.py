"""Where a destination is, so that equal and enclosing ones can be told (D8)."""

from pathlib import Path

from cio_pipeline.model.sync import LocalDestination, Sync


def location(destination: LocalDestination, base: Path) -> tuple[str, ...]:
    """The store's kind, then the parts of the path; relative paths start at `base`.

    Of two destinations one encloses the other, or they are equal, if one location is a prefix of
    the other. Symlinks, `./` and trailing slashes make no difference.
    """
    return (destination.type, *(base / destination.path).resolve().parts)


def absolute(sync: Sync, base: Path) -> Sync:
    """The sync with a destination that means the same wherever a process runs later."""
    place = sync.destination.model_copy(update={"path": str(base / sync.destination.path)})
    return sync.model_copy(update={"destination": place})
