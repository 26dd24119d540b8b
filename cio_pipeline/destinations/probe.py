"""Trying out what a store allows, for `Destination.permissions`."""

from collections.abc import Callable
from typing import Literal

from cio_pipeline.model.errors import CioError
from cio_pipeline.model.objects import Permission


def tried(
    name: str,
    needed_for: str,
    what: Callable[[], object],
    needed_by: Literal["all", "files", "none"] = "files",
) -> Permission:
    """A permission as trying shows it; an error of any kind says that it is not there."""
    try:
        what()
    except CioError as error:
        return lacking(name, needed_for, error, needed_by)
    return Permission(name, granted=True, needed_for=needed_for, needed_by=needed_by)


def lacking(
    name: str,
    needed_for: str,
    error: CioError,
    needed_by: Literal["all", "files", "none"] = "files",
) -> Permission:
    """A permission that an error shows to be missing."""
    return Permission(
        name,
        granted=False,
        needed_for=needed_for,
        detail=error.message,
        next_step=error.next_step,
        needed_by=needed_by,
    )
