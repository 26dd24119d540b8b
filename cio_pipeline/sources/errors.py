"""What errors of deltalake, Polars and object stores mean to us.

Their texts may carry signed URLs, so they decide the type of our error and are never repeated.
"""

from deltalake.exceptions import DeltaError
from polars.exceptions import ComputeError

from cio_pipeline.model.errors import (
    CioError,
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
    "not found",
    "no such file",
    "nosuchkey",
    "invalid table version",
    "no files in log segment",
    "no table metadata or protocol",
    "logsegment end version",
)
_THEIRS = (DeltaError, ComputeError, OSError)
_NO_CHANGE_FEED = "does not have change data enabled"


def translate(error: Exception, table: str, version: int | None) -> CioError | None:
    """Our error for one that came up while a table was read, at a version if one was asked for.

    For errors at collect time too. None if the error is not the source's.
    """
    if isinstance(error, CioError):
        return error
    # Arrow streams raise plain exceptions.
    if type(error) is not Exception and not isinstance(error, _THEIRS):
        return None
    known = _by_text(str(error).lower(), table, version)
    if known is None and isinstance(error, FileNotFoundError):
        return version_gone(table, version)
    if known is None and not isinstance(error, ComputeError):
        return _unreadable(error, table, version)
    return known


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


def no_change_feed(table: str, version: int | None) -> SourceError:
    """The error for versions that were written without a change feed."""
    return SourceError(
        f"Table {table} has no change feed for all versions that are read{_at(version)}.",
        "Set delta.enableChangeDataFeed=true on it, then register under new ids the syncs that "
        "were delivered before it was set.",
    )


def _by_text(text: str, table: str, version: int | None) -> CioError | None:
    if any(sign in text for sign in _NO_STORE):
        return SourceGone(
            f"The bucket or container of table {table} does not exist.", "Correct CIO_SOURCE."
        )
    if any(sign in text for sign in _REFUSED):
        return _refused(table)
    if any(sign in text for sign in _UNREACHABLE):
        return SourceUnavailable(
            f"Table {table} cannot be reached.", "Check the network and the endpoint."
        )
    if _NO_CHANGE_FEED in text:
        return no_change_feed(table, version)
    return version_gone(table, version) if any(sign in text for sign in _GONE) else None


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
        "Check that it is a Delta table that deltalake can open.",
    )
