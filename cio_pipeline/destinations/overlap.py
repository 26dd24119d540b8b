"""Whether two destinations share objects; such syncs are refused (D8)."""

from pathlib import Path

from cio_pipeline.model.sync import LocalDestination


def overlaps(one: LocalDestination, other: LocalDestination, base: Path) -> bool:
    """Whether two destinations are equal or one encloses the other.

    Symlinks, `./` and trailing slashes make no difference; relative paths start at `base`.
    """
    first, second = ((base / d.path).resolve() for d in (one, other))
    return first == second or first in second.parents or second in first.parents
