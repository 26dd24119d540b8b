"""Trying out what a store allows, for `Destination.permissions`."""

from collections.abc import Callable

from cio_pipeline.model.errors import CioError
from cio_pipeline.pipeline.ports import Permission


def tried(name: str, needed_for: str, what: Callable[[], object]) -> Permission:
    """A permission as trying shows it; an error of any kind says that it is not there."""
    try:
        what()
    except CioError as error:
        return Permission(
            name,
            granted=False,
            needed_for=needed_for,
            detail=error.message,
            next_step=error.next_step,
        )
    return Permission(name, granted=True, needed_for=needed_for)
