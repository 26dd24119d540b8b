"""Creating an object from a spooled file: on one disk a second name for it, else a copy.

A copy costs as much as the encoding of small files, and on some file systems a new file becomes
dearer the more were removed shortly before.
"""

import errno
import os
from pathlib import Path

from cio_pipeline.destinations.local_create import create
from cio_pipeline.destinations.spooled import spooled, synced

_COPIED_THEN = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS, errno.ENOENT}
)
"""What systems answer that have no links, none between two mounts, or too many already.

ENOENT: the spooled file was swept just now, which the copy says in other words.
"""


def create_from_spool(path: Path, key: str, file: Path, sha256: str) -> bool:
    """Create `path`, durably and never over another file; False if its name is taken.

    Raises OSError, and DestinationUnavailable unless the spooled file is what was sealed; then
    nothing is left.
    """
    if os.path.lexists(path):
        return False
    if _on_one_disk(path, file):
        synced(key, file, sha256)
        try:
            return _link(path, file)
        except OSError as error:
            if error.errno not in _COPIED_THEN:
                raise
    return create(path, spooled(key, file, sha256))


def _on_one_disk(path: Path, file: Path) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return path.parent.stat().st_dev == file.stat().st_dev
    except FileNotFoundError:
        return False


def _link(path: Path, file: Path) -> bool:
    try:
        os.link(file, path)
    except FileExistsError:
        return False
    return True
