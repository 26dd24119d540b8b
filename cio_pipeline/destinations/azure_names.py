"""Names that Azure takes as they are: of blobs and of their metadata."""

import re

from cio_pipeline.files.names import check_key
from cio_pipeline.model.errors import InvalidKey

_SEGMENTS = 254
"""Most parts of a blob's name."""


def check_blob_key(key: str, path: str) -> None:
    """Raise InvalidKey for a key that Azure would refuse or rewrite below a sync's path."""
    check_key(key)
    parts = check_key(f"{path}/{key}" if path else key).split("/")
    if len(parts) > _SEGMENTS or any(part.endswith(".") for part in parts):
        raise InvalidKey(
            f"{key[:80]!r} is no valid key: Azure would rewrite or refuse it.",
            f"Give it at most {_SEGMENTS} parts, none of which ends in a dot.",
        )


def metadata_name(name: str) -> str:
    """A name of metadata that Azure allows: that of a C# identifier."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return f"_{plain}" if plain[:1].isdigit() else plain
