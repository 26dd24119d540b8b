"""Where tables and their files are: as they are written, and as each library wants them.

What CIO_SOURCE names is meant as it is written: `%20` is three characters, `#` and `?` are parts of
a name; `file://` alone is a URI. deltalake wants plain paths in a local folder and encoded URIs in
a store, Polars plain names in both, and the log of a table holds encoded ones.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from cio_pipeline.model.errors import InvalidConfig

_STORE_OPTIONS = ("aws_", "azure_")
_PROFILE = "aws_profile"
_FILE = "file:"
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/|/")
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_UNREADABLE = re.compile(r"[\x00-\x1f\x7f\[\]\\^|]")


def local_path(uri: str) -> Path | None:
    """The path of a local folder; None for one in a store."""
    if uri.startswith(_FILE):
        return Path("/" + unquote(uri.removeprefix(_FILE)).lstrip("/"))
    return None if "://" in uri else Path(uri)


def for_deltalake(uri: str) -> str:
    """A folder's place as deltalake takes it."""
    path = local_path(uri)
    if path is not None:
        return str(path)
    scheme, rest = uri.split("://", 1)
    authority, slash, key = rest.partition("/")
    return f"{scheme}://{authority}{slash}{quote(key)}"


def file_place(folder: str, named: str) -> str:
    """A file's place as Polars takes it; the log that names it is that of a table in `folder`.

    A log names files by encoded paths relative to the table, or by URIs in shallow clones.
    """
    path = local_path(named) if named.startswith(_FILE) else None
    if path is not None:
        return str(path)
    return unquote(named) if is_elsewhere(named) else f"{folder}/{unquote(named)}"


def table_folder(uri: str) -> str:
    """The folder of a table that deltalake has opened at `uri`, as Polars is given it."""
    return file_place("", uri).rstrip("/")


def is_elsewhere(named: str) -> bool:
    """Whether a log names a file by a place of its own: that of another table."""
    return _ABSOLUTE.match(named) is not None


def require_usable(uri: str) -> None:
    """Raise InvalidConfig for a place that deltalake takes for another one, or fails on."""
    path = local_path(uri)
    name = uri if path is None else str(path.resolve())
    wrong = _ENCODED.search(name) or (_UNREADABLE.search(name) if path is not None else None)
    if wrong:
        raise InvalidConfig(
            f"The source's folder has {wrong.group()!r} in its path, which Delta's library takes "
            "for something else.",
            "Rename that folder, or move the source and set CIO_SOURCE (or CIO_HOME) to its place.",
        )


def store_options(options: Mapping[str, str]) -> dict[str, Any] | None:
    """What Polars takes of the options of a store: it refuses some that deltalake has.

    Without keys it asks boto3, which reads the profile from where the options come from.
    """
    kept = {
        name: value
        for name, value in options.items()
        if name.lower().startswith(_STORE_OPTIONS) and name.lower() != _PROFILE
    }
    return kept or None
