"""Room in the spool: who finds none waits, so that backlogs do not fill the disk (CIO_SPOOL_BYTES).

Changes that are read once for many slices take a quarter of the limit; what does not fit is read
again. Files are encoded while less than half is taken; what one cohort adds must fit in the rest.
Nobody who waits holds files that could be delivered, so that somebody always goes on.
"""

import time

from cio_pipeline.model.errors import DiskFull
from cio_pipeline.pipeline.committing.commit import sweep_spool
from cio_pipeline.pipeline.services import Services

OF_CHANGES = 0.25
OF_FILES = 0.5

WAIT = 600.0
"""Seconds after which a run leaves it to the next one."""

LOOK = 1.0


def wait_for_room(services: Services) -> None:
    """Return once files may be encoded; raises DiskFull if others do not clear theirs away."""
    end = time.monotonic() + WAIT
    while not services.spool.roomy(OF_FILES):
        sweep_spool(services, idle=True)
        if services.spool.roomy(OF_FILES):
            return
        if time.monotonic() > end:
            raise DiskFull(
                "More than half of CIO_SPOOL_BYTES has been taken for ten minutes.",
                "Raise it, or see which stores are slow; a later run goes on.",
            )
        time.sleep(LOOK)
