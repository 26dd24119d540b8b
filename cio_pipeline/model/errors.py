"""Every error that the product raises on purpose, under two roots.

`Transient` errors may go away by themselves and are worth a retry; `Permanent` ones stay until
somebody acts. Retryability is the type, never a string. A message says what is wrong and what to
do next, and never carries a secret or a row's values.
"""


class CioError(Exception):
    """Root of the product's errors: a message, and the next step for whoever reads it."""

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".strip()


class Transient(CioError):
    """May go away by itself: retried with backoff."""


class Permanent(CioError):
    """Stays until somebody acts: never retried."""


# --- configuration -------------------------------------------------------------------------


class InvalidConfig(Permanent):
    """A setting, a sync file or a command's argument is wrong."""


class UnknownSync(Permanent):
    """No sync of that id is registered."""


class UnknownExport(Permanent):
    """No export of that name exists in that version."""


class UnknownPerson(Permanent):
    """Nobody of that id or address is known in the workspace, or it is not one person's alone."""


class StillNamed(Permanent):
    """Somebody who is to be erased is not gone yet: later files would name them again."""


# --- source --------------------------------------------------------------------------------


class SourceError(Permanent):
    """The source does not keep its contract; the message names the table."""


class SourceGone(SourceError):
    """A table, or the whole source, cannot be found."""


class VersionGone(SourceError):
    """A table's version that is still needed was vacuumed or its log was cleaned up."""


class TableReplaced(SourceError):
    """A table has another id, or a lower version, than at an earlier cut."""


class ColumnMismatch(SourceError):
    """A source column is missing or has another type than the contract says."""


class SourceUnavailable(Transient):
    """The source did not answer."""


# --- destination ---------------------------------------------------------------------------


class DestinationError(Permanent):
    """The destination refuses; the message names the key or the permission."""


class SecretMissing(DestinationError):
    """A secret's reference leads nowhere: the variable is not set, or the file cannot be read."""


class WrongCredentials(DestinationError):
    """The store does not know the key, or its signature is wrong; also a revoked SAS."""


class CredentialsExpired(DestinationError):
    """A session token or a SAS has run out."""


class PermissionMissing(DestinationError):
    """The key is right but lacks a permission; the message names which one."""


class NoSuchBucket(DestinationError):
    """The bucket or container does not exist, or lies in another region."""


class ObjectConflict(DestinationError):
    """Another object lies under a planned key; it is never overwritten."""


class LedgerBehind(ObjectConflict):
    """A sync's bucket holds manifests of that very sync which the ledger does not know."""


class ObjectMissing(DestinationError):
    """No object lies under that key."""


class FileAltered(DestinationError):
    """An object does not hold the bytes that a manifest, or an earlier look, says."""


class ObjectArchived(DestinationError):
    """The object lies in an archive class or tier: it is there, but has to be restored first."""


class InvalidKey(DestinationError):
    """A key or path that could leave its folder or that a store would rewrite."""


class DestinationUnavailable(Transient):
    """The destination did not answer, or asked to slow down."""


class Throttled(DestinationUnavailable):
    """The store asked to slow down for longer than was waited."""


class Unreachable(DestinationUnavailable):
    """No connection to the store: its name is unknown, or it is refused, reset or times out."""


class AlertNotTaken(Transient):
    """A target of alerts did not answer, or did not take the message."""


class DiskFull(Transient):
    """No space left where a file was to be written."""


# --- ledger --------------------------------------------------------------------------------


class LedgerError(Permanent):
    """The ledger cannot be used as it is."""


class LedgerBusy(Transient):
    """The ledger did not answer, or others kept it locked for longer than was waited."""


class LeaseLost(Transient):
    """Another run took over the (sync, export) while this one was working on it."""


class LeaseHeld(LeaseLost):
    """Another run works on the (sync, export) that is asked for; the message says until when."""


class PositionMoved(Transient):
    """The position is no longer the plan's lower bound: another run delivered it."""


class DigestMismatch(Permanent):
    """Encoding a sealed plan again gave other bytes than those sealed."""


class ManifestBroken(Permanent):
    """A manifest cannot be read, or does not continue the chain."""


# --- reader's side -------------------------------------------------------------------------


class NothingDelivered(Permanent):
    """A place holds nothing of a feed."""


class UnknownContract(Permanent):
    """Files are of a version or contract that this release does not know."""


class WarehouseUnusable(Permanent):
    """The warehouse's file is none, or holds something else than what is to be loaded."""


class WarehouseBusy(Transient):
    """Another program has the warehouse open."""
