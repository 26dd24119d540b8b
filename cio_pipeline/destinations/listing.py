"""What lies below a folder of a store, whatever others have put there.

obstore lists fastest. But it ends at a key that has an empty part or the like, and drops the slash
behind a folder's marker, which then passes for an object: there, another client is asked.
"""

from collections.abc import Callable, Iterable, Iterator

import obstore
from obstore.exceptions import BaseError, InvalidPathError
from obstore.store import AzureStore, LocalStore, S3Store

from cio_pipeline.model.objects import VALIDATE, ObjectInfo


def listed(
    store: AzureStore | LocalStore | S3Store,
    prefix: str,
    exactly: Callable[[], Iterable[tuple[str, int]]],
) -> Iterator[ObjectInfo]:
    """All objects below a folder prefix, in key order; empty ones that mark a folder are none.

    `exactly` gives keys and sizes as they are, keys relative to the sync's path. Raises what
    obstore and `exactly` raise.
    """
    found = _by_obstore(store, prefix)
    if found is None:
        found = [ObjectInfo(*one) for one in exactly() if not _is_marker(*one)]
    return iter(sorted(found, key=lambda one: one.key))


def folder(path: str, prefix: str) -> str:
    """What the full names of all objects below a folder prefix begin with."""
    return "".join(f"{part}/" for part in (path, prefix) if part)


def _by_obstore(store: AzureStore | LocalStore | S3Store, prefix: str) -> list[ObjectInfo] | None:
    """None if obstore cannot tell."""
    try:
        found = [
            ObjectInfo(meta["path"], meta["size"])
            for batch in obstore.list(store, prefix or None)
            for meta in batch
        ]
    except InvalidPathError:
        return None
    except BaseError as error:
        if "file system loop" in str(error).lower():
            return None
        raise
    maybe_markers = any(one.size == 0 and one.key != VALIDATE for one in found)
    twice = len({one.key for one in found}) < len(found)
    return None if maybe_markers or twice else found


def _is_marker(key: str, size: int) -> bool:
    return size == 0 and (not key or key.endswith("/"))
