"""What a failed request to Azure means, as the product's errors.

obstore gives the answer in its text only, the SDK as attributes; both texts may hold the SAS, so
neither is passed on. Codes: learn.microsoft.com, "Blob service error codes".
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from azure.core.exceptions import AzureError
from obstore.exceptions import BaseError

from cio_pipeline.destinations.azure_sas import Sas, expired, not_yet_valid
from cio_pipeline.model.errors import (
    CioError,
    CredentialsExpired,
    DestinationError,
    DestinationUnavailable,
    NoSuchBucket,
    ObjectArchived,
    ObjectMissing,
    PermissionMissing,
    Throttled,
    Unreachable,
    WrongCredentials,
)
from cio_pipeline.model.times import Clock

_STATUS = re.compile(r"status code: (\d{3})|\(code: (\d{3})\)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_AGAIN = "It is tried again; if it stays, see docs/destinations.md for what to allow."
_RIGHTS = (
    "Give the stored access policy, or a new SAS, the rights that `cio-pipeline sync policy` prints"
)

_NETWORK = (
    (r"metadata from headers|invalid list response", "what answered is no Azure Blob Storage"),
    (r"refused", "the connection was refused"),
    (r"dns|resolve|Name or service|NameResolution", "its name is unknown"),
    (r"certificate|TLS|SSL", "its certificate was not accepted"),
    (r"reset|aborted|closed|IncompleteMessage|broken pipe", "the connection was reset"),
    (r"time[d_]? ?out|TimedOut|Timeout", "there was no answer in time"),
)


@dataclass(frozen=True)
class Attempt:
    """What was being tried, and the right that it needs; key None: the container itself."""

    doing: str
    right: str
    key: str | None = None

    def __str__(self) -> str:
        place = "the container" if self.key is None else f"'{self.key}'"
        return f"Cannot {self.doing} {place}"


@dataclass(frozen=True)
class Answer:
    """Azure's answer: status (None: there was none), error code, and a text that stays here."""

    status: int | None
    code: str
    text: str

    @property
    def taken(self) -> bool:
        """Whether a create-only write found something under its key.

        UnauthorizedBlobOverwrite: the same, told to a SAS that may create but not write.
        """
        taken = {"BlobAlreadyExists", "ConditionNotMet", "UnauthorizedBlobOverwrite"}
        return self.code in taken or (not self.code and self.status in {409, 412})


class Taken(Exception):
    """Something lies under the key of a create-only write; never leaves the adapter."""


@contextmanager
def named_errors(attempt: Attempt, sas: Sas, now: Clock) -> Generator[None]:
    """Raises the product's errors, or Taken, for those of obstore and of Azure's SDK."""
    try:
        yield
    except (CioError, Taken):
        raise
    except (BaseError, AzureError, OSError, ValueError) as error:
        answer = answer_of(error)
        if answer.taken:
            raise Taken from None
        raise meaning(answer, attempt, sas, now()) from None


def answer_of(error: Exception) -> Answer:
    """The answer behind an exception of obstore or of Azure's SDK."""
    text = str(error)
    if isinstance(error, AzureError):
        code = getattr(error, "error_code", None) or ""
        return Answer(getattr(error, "status_code", None), str(getattr(code, "value", code)), text)
    status, code = _STATUS.search(text), _CODE.search(text)
    number = int(status[1] or status[2]) if status else None
    if number is None and isinstance(error, FileNotFoundError):
        number = 404
    return Answer(number, code[1] if code else "", text)


def meaning(answer: Answer, attempt: Attempt, sas: Sas, now: datetime) -> CioError:
    """The error that an answer stands for."""
    match answer.status:
        case None:
            return _unreachable(answer, attempt)
        case 401 | 403:
            return _refused(answer, attempt, sas, now)
        case 404:
            return _not_found(answer, attempt)
        case 429 | 503:
            return Throttled(f"{attempt}: Azure asked to slow down.", "It is tried again later.")
        case status if status >= 500:  # noqa: PLR2004 - a class of HTTP statuses
            what = f"{attempt}: Azure failed ({status} {answer.code})."
            return DestinationUnavailable(what, "It is tried again later.")
        case status:
            return _other(status, answer, attempt)


def _unreachable(answer: Answer, attempt: Attempt) -> CioError:
    found = (words for pattern, words in _NETWORK if re.search(pattern, answer.text, re.IGNORECASE))
    why = next(found, "the connection failed")
    return Unreachable(f"{attempt}: Azure was not reached, {why}.", _AGAIN)


def _not_found(answer: Answer, attempt: Attempt) -> CioError:
    # Azure gives each answer a code: a write that finds nothing without one met somebody else.
    elsewhere = not answer.code and attempt.right in {"create", "write"}
    if answer.code.startswith("Container") or attempt.key is None or elsewhere:
        return _no_container(attempt)
    return missing(attempt.key)


def _no_container(attempt: Attempt) -> CioError:
    return NoSuchBucket(
        f"{attempt}: the container of the SAS URL does not exist.",
        "Create it, or generate a SAS for one that exists.",
    )


def missing(key: str) -> ObjectMissing:
    """The error for an object that is not there."""
    return ObjectMissing(
        f"There is no object '{key}'.", "`cio-pipeline verify` lists what is lost."
    )


def _other(status: int, answer: Answer, attempt: Attempt) -> CioError:
    match answer.code:
        case "ContainerBeingDeleted" | "ContainerDisabled":
            return _no_container(attempt)
        case "BlobArchived":
            return ObjectArchived(
                f"{attempt}: it lies in the archive tier.",
                "Rehydrate it first, or let it be archived later or not at all.",
            )
        case "InvalidBlobOrBlock":
            return DestinationError(
                f"{attempt}: another program's unfinished upload lies there.",
                "Write and delete a blob of that name once, or wait a week until Azure drops it.",
            )
        case "BlobImmutableDueToPolicy" | "BlobImmutableDueToLegalHold":
            return DestinationError(
                f"{attempt}: an immutability policy of the container protects it.",
                "Wait until it ends, or choose a container without one.",
            )
        case code:
            return DestinationError(
                f"{attempt}: Azure answered {status} {code}.", "Look the code up in Azure's pages."
            )


def _refused(answer: Answer, attempt: Attempt, sas: Sas, now: datetime) -> CioError:
    match answer.code:
        case (
            "AuthorizationPermissionMismatch"
            | "AuthorizationServiceMismatch"
            | "AuthorizationResourceTypeMismatch"
            | "InsufficientAccountPermissions"
        ):
            return PermissionMissing(
                f"{attempt}: the SAS lacks the right '{attempt.right}'.", f"{_RIGHTS}."
            )
        case "AuthorizationSourceIPMismatch":
            return PermissionMissing(
                f"{attempt}: the SAS does not allow this machine's IP address.",
                "Generate one that allows the addresses from which this product connects.",
            )
        case "AuthorizationProtocolMismatch":
            return PermissionMissing(
                f"{attempt}: the SAS allows another protocol only.", "Use the https:// address."
            )
        case "AccountIsDisabled":
            return DestinationError(f"{attempt}: the account is disabled.", "Enable it in Azure.")
        # Azure's own AuthorizationFailure is its firewall's; the emulator means the signature.
        case "AuthorizationFailure" if "authenticate" not in answer.text:
            return PermissionMissing(
                f"{attempt}: the storage account's firewall does not let this machine in.",
                "Allow its addresses under the account's 'Networking'; it may also be a right "
                f"that the SAS lacks: '{attempt.right}'.",
            )
        case _:
            return _not_authenticated(answer, attempt, sas, now)


def _not_authenticated(answer: Answer, attempt: Attempt, sas: Sas, now: datetime) -> CioError:
    """Expired, not valid yet, revoked, or a wrong signature; Azure tells only in its details."""
    if sas.expires is not None and now >= sas.expires:
        return expired(sas.expires)
    if sas.starts is not None and now < sas.starts:
        return not_yet_valid(sas.starts)
    if sas.policy is not None:
        if "time frame" in answer.text:
            return CredentialsExpired(
                f"{attempt}: the stored access policy '{sas.policy}' has expired.",
                "Move its expiry time; the SAS URL can stay.",
            )
        return WrongCredentials(
            f"{attempt}: the SAS rests on the stored access policy '{sas.policy}', which was "
            "revoked or deleted or has expired; or the account's key was changed.",
            "Look at the container's access policies; make it again, or generate a new SAS URL.",
        )
    if "time frame" in answer.text:
        return CredentialsExpired(
            f"{attempt}: Azure's clock says that the SAS URL is not valid now.",
            "Check this machine's clock, then generate a new SAS URL.",
        )
    return WrongCredentials(
        f"{attempt}: the signature of the SAS URL is wrong, or the account's key was changed.",
        "Generate a new SAS URL and put it behind the reference, whole.",
    )
