"""Telling the sender what is loaded, so that it need not keep the files for this reader (O6)."""

from cio_pipeline.model.errors import InvalidConfig, ObjectMissing
from cio_pipeline.model.manifests import ACKNOWLEDGED
from cio_pipeline.ports import Destination
from cio_pipeline.reader.places import Place, open_of
from cio_pipeline.reader.warehouse import records
from cio_pipeline.reader.warehouse.database import Database


def acknowledge(db: Database, place: Place, schema: str) -> int:
    """Write the ordinal of a schema's last manifest into its bucket; the ordinal.

    After the load is committed: who dies in between tells it the next time. Raises InvalidConfig
    where there are no manifests, and the store's errors.
    """
    (last,) = (one.last for one in records.feeds(db) if one.schema == schema)
    if last is None:
        raise InvalidConfig(
            "Without manifests there is nothing to acknowledge; all was loaded.",
            "Leave --acknowledge out.",
        )
    destination, body = open_of(place), f"{last.ordinal}".encode()
    if _told(destination) != body:
        destination.overwrite(ACKNOWLEDGED, body, {})
        destination.make_durable([ACKNOWLEDGED])
    return last.ordinal


def _told(destination: Destination) -> bytes | None:
    try:
        return destination.get(ACKNOWLEDGED)
    except ObjectMissing:
        return None
