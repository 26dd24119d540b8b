"""What errors of deltalake, Polars and object stores mean to us.

Their texts may carry signed URLs, so they decide the type of our error and are never repeated.
"""

import re

from deltalake.exceptions import DeltaError
from polars.exceptions import PolarsError, SchemaError

from cio_pipeline.model.errors import (
    CioError,
    ColumnMismatch,
    SourceError,
    SourceGone,
    SourceUnavailable,
    VersionGone,
)

_UNREACHABLE = (
    "error sending request",
    "connection",
    "timed out",
    "timeout",
    "dns error",
    "slowdown",
    "slow down",
    "503 service",
    "500 internal",
    "429 too many",
)
_REFUSED = (
    "accessdenied",
    "access denied",
    "permission denied",
    "forbidden",
    "unauthorized",
    "unauthenticated",
    "invalidaccesskeyid",
    "signaturedoesnotmatch",
    "authenticationfailed",
    "missing credentials",
)
_NO_STORE = ("nosuchbucket", "containernotfound", "bucket does not exist")
_GONE = (
    "file not found",
    "no such file",
    "nosuchkey",
    "object at location",
    "invalid table version",
    "no files in log segment",
    "no table metadata or protocol",
    "logsegment end version",
)
_THEIRS = (DeltaError, PolarsError, OSError)
_TOO_MANY = "too many open files"
_FEATURE = re.compile(
    r"Feature '([\w.-]{1,50})' is not supported"
    r"|[Uu]nsupported (minimum reader version \d{1,5})"
    r"|catalog-managed table"
)
"""What deltalake says of tables that it cannot open."""


def translate(error: Exception, table: str, version: int | None) -> CioError | None:
    """Our error for one that came up while a table was read, at a version if one was asked for.

    For errors at collect time too. None if the error is not the source's.
    """
    if isinstance(error, CioError):
        return error
    # Arrow streams raise plain exceptions.
    if type(error) is not Exception and not isinstance(error, _THEIRS):
        return None
    if isinstance(error, SchemaError):
        return _other_types(table, version)
    feature = _FEATURE.search(str(error))
    if feature:
        return unknown_feature(table, feature[1] or feature[2] or "catalogManaged")
    known = _by_text(str(error).lower(), error, table, version)
    return known or _unreadable(error, table, version)


def says_refused(error: Exception) -> bool:
    """Whether a store or the file system says that a right is missing."""
    return any(sign in str(error).lower() for sign in _REFUSED)


def version_gone(table: str, version: int | None) -> VersionGone:
    """The error for files or log entries that a version needs and that are no more."""
    return VersionGone(
        f"Table {table} cannot be read{_at(version)}: "
        "files or log entries that it needs were removed.",
        "Restore them, or register the syncs that still need it under new ids; "
        "then raise delta.deletedFileRetentionDuration and delta.logRetentionDuration.",
    )


def clone_gone(table: str, version: int | None) -> VersionGone:
    """The error for files of another table that a shallow clone needs and that are no more."""
    return VersionGone(
        f"Table {table} cannot be read{_at(version)}: it is a shallow clone, and files of the "
        "table that it was cloned from are missing.",
        "Restore them, or make it a deep clone and register the syncs that read it under new ids.",
    )


def vector_damaged(table: str, version: int) -> SourceError:
    """The error for a deletion vector that cannot be read."""
    return SourceError(
        f"Table {table} cannot be read{_at(version)}: a deletion vector of it is damaged.",
        "Restore the files that belong to the table.",
    )


def no_change_feed(table: str, version: int | None) -> SourceError:
    """The error for versions that were written without a change feed."""
    return SourceError(
        f"Table {table} has no change feed for all versions that are read{_at(version)}.",
        "Set delta.enableChangeDataFeed=true on it, then register under new ids the syncs that "
        "were delivered before it was set.",
    )


def _by_text(text: str, error: Exception, table: str, version: int | None) -> CioError | None:
    if any(sign in text for sign in _NO_STORE):
        return SourceGone(
            f"The bucket or container of table {table} does not exist.", "Correct CIO_SOURCE."
        )
    if isinstance(error, FileNotFoundError) or any(sign in text for sign in _GONE):
        return version_gone(table, version)
    if _TOO_MANY in text:
        return _too_many_open(table)
    if any(sign in text for sign in _REFUSED):
        return _refused(table)
    if any(sign in text for sign in _UNREACHABLE):
        return SourceUnavailable(
            f"Table {table} cannot be reached.", "Check the network and the endpoint."
        )
    return None


def unknown_feature(table: str, names: str) -> SourceError:
    """The error for what a table needs of its readers, by Delta's names, and is not known here."""
    return SourceError(
        f"Table {table} needs {names} of Delta, which cannot be read.",
        "Turn it off on that table, or write its rows to a new table without it.",
    )


def _too_many_open(table: str) -> SourceUnavailable:
    return SourceUnavailable(
        f"Table {table} cannot be read: this process has reached its limit of open files.",
        "Raise the limit (`ulimit -n 65536`), or let a checkpoint be made of the table's log: each "
        "entry after the last one is a file.",
    )


def _other_types(table: str, version: int | None) -> ColumnMismatch:
    return ColumnMismatch(
        f"Table {table} cannot be read{_at(version)}: "
        "one of its files has a column of another type than the table.",
        "Write the table anew, and register under new ids the syncs that need its older files.",
    )


def _at(version: int | None) -> str:
    return "" if version is None else f" at version {version}"


def _refused(table: str) -> SourceError:
    return SourceError(
        f"The store refuses to give table {table}.",
        "Check the AWS_* or AZURE_* variables, the rights of that key, and the file permissions.",
    )


def _unreadable(error: Exception, table: str, version: int | None) -> SourceError:
    return SourceError(
        f"Table {table} cannot be read{_at(version)} ({type(error).__name__}).",
        "Check that it is a Delta table that deltalake can open, and that its files are whole.",
    )
