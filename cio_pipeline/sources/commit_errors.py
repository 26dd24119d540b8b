"""What a refused commit means: who has to act, or that it is worth another try.

Deltalake has one exception for a lost race, a table that may only grow and a feature that it does
not know. Its texts may hold rows and signed URLs: they decide our error, and are never repeated.
"""

import re
from typing import Any, cast

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from cio_pipeline.model.errors import CioError, DiskFull, SourceError, SourceUnavailable
from cio_pipeline.sources.delta_errors import says_refused, translate

_LOST_RACE = "Failed to commit transaction"
_SAME_READER = "Concurrent transaction failed"
_ONLY_GROWS = "append-only"
_FEATURES = "Unsupported table features required"
_NAMES = re.compile(r'Unknown\("([^"]*)"\)|(\w+)')
_BROKEN = re.compile(r"(\d+) rows failed validation")
_NO_SPACE = ("os error 27)", "os error 28)", "os error 122)")
_CONSTRAINT = "delta.constraints."


def not_committed(error: Exception, table: str, found: DeltaTable | None) -> CioError | None:
    """Our error for one that came up while rows were committed to a table, as it was `found`.

    SourceUnavailable if another writer was faster or the store does not answer, DiskFull,
    SourceError for what stays until somebody acts. None if the error is not the source's.
    """
    if isinstance(error, CommitFailedError):
        return _commit_failed(str(error), table)
    broken = _BROKEN.search(str(error)) if isinstance(error, DeltaError) else None
    if broken is not None and found is not None:
        return _rule_broken(int(broken.group(1)), table, found)
    if any(sign in str(error) for sign in _NO_SPACE):
        return DiskFull(f"No space is left where table {table} lies.", "Make space, then go on.")
    if says_refused(error):
        return SourceError(
            f"The store refuses to take a commit to table {table}.",
            "Check the AWS_* or AZURE_* variables, the rights of that key, and the file "
            "permissions: loading needs the right to write.",
        )
    known = translate(error, table, None)
    return _unwritten(table, error) if type(known) is SourceError and known is not error else known


def already_read(table: str) -> SourceUnavailable:
    """The error for what a reader gives to a table after another one, of the same, did so."""
    return SourceUnavailable(
        f"Another pull into table {table} from the same place stored this page meanwhile.",
        "Let it end, then pull again.",
    )


def _commit_failed(text: str, table: str) -> CioError:
    if _SAME_READER in text:
        return already_read(table)
    if text.startswith(_LOST_RACE):
        return SourceUnavailable(f"Another writer committed to table {table}.", "Try again.")
    if _ONLY_GROWS in text:
        return SourceError(
            f"Table {table} is append-only (delta.appendOnly), and rows of it were to be changed.",
            "Set delta.appendOnly=false on it, or load only rows that are new.",
        )
    if text.startswith(_FEATURES):
        names = [new or _camel(known) for new, known in _NAMES.findall(text.partition(":")[2])]
        return SourceError(
            f"Table {table} demands of its writers what is not known here: "
            f"{', '.join(sorted(names))}.",
            "Write it with the tool that turned that on.",
        )
    return SourceError(
        f"Table {table} cannot be written: its protocol is not one that can be followed.",
        "Write it with the tool that made it.",
    )


def _camel(name: str) -> str:
    """A feature as the specification spells it."""
    return name[:1].lower() + name[1:]


def _rule_broken(rows: int, table: str, found: DeltaTable) -> SourceError:
    rules = "; ".join(_rules(found))
    return SourceError(
        f"Table {table} refuses {rows} row(s), which break one of its rules: {rules}.",
        "Correct the rows, or the table's constraint.",
    )


def _rules(found: DeltaTable) -> list[str]:
    """What a table demands of its rows: CHECK constraints, columns without nulls, invariants."""
    configuration = found.metadata().configuration
    checks = [rule for name, rule in configuration.items() if name.startswith(_CONSTRAINT)]
    fields = found.schema().fields
    nulls = [f"{one.name} is not null" for one in fields if not one.nullable]
    ruled = [one.name for one in fields if "delta.invariants" in cast("Any", one).metadata]
    return [*checks, *nulls, *(f"the invariant of {name}" for name in ruled)]


def _unwritten(table: str, error: Exception) -> SourceError:
    return SourceError(
        f"Table {table} cannot be written ({type(error).__name__}).",
        "Check that it is a Delta table that deltalake can open and write.",
    )
