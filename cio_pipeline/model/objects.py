"""What a store tells of its objects, and of what it lets us do."""

from dataclasses import dataclass
from typing import Literal

VALIDATE = "cio-validate"
"""Key of the empty object that tells that a sync may write (seed 001)."""


@dataclass(frozen=True)
class ObjectInfo:
    """An object as listed: key under the destination's path, and size in bytes."""

    key: str
    size: int


@dataclass(frozen=True)
class Permission:
    """What came of trying a permission: `granted` is None if it could not be told.

    `needed_for` is what a sync uses it for; `next_step` says how to mend it, if it is missing.
    `needed_by` is `all` feeds, those that deliver `files` and look at them again, or `none`: then
    it is recommended, or of use to a verb like purge.
    """

    name: str
    granted: bool | None
    needed_for: str
    detail: str = ""
    next_step: str = ""
    needed_by: Literal["all", "files", "none"] = "files"
