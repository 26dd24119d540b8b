"""What a failed request to Azure means, as the product's errors.

obstore gives the answer in its text only, the SDK as attributes; both texts may hold the SAS, so
neither is passed on. Codes: learn.microsoft.com, "Blob service error codes".
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from azure.core.exceptions import AzureError
from obstore.exceptions import BaseError

from cio_pipeline.destinations.answers import AGAIN, PAGE, Answer, Request, Taken, missing
from cio_pipeline.destinations.azure_sas import Sas, expired, not_yet_valid
from cio_pipeline.model.errors import (
    CioError,
    CredentialsExpired,
    DestinationError,
    DestinationUnavailable,
    NoSuchBucket,
    ObjectArchived,
    PermissionMissing,
    Throttled,
    Unreachable,
    WrongCredentials,
)
from cio_pipeline.model.times import Clock

_STATUS = re.compile(r"status code: (\d{3})|\(code: (\d{3})\)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_RIGHTS = (
    "Give the stored access policy, or a new SAS, the rights that `cio-pipeline sync policy` prints"
)

_PROTECTED = frozenset({"BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold"})

_TAKEN = _PROTECTED | {"BlobAlreadyExists", "ConditionNotMet", "UnauthorizedBlobOverwrite"}
"""Told to create-only writes; the last one to a SAS that may create but not write."""


class BlobRequest(Request):
    """A request to a container, and the right of the SAS that it needs."""

    whole = "the container"
    store = "Azure Blob Storage"


@contextmanager
def named_errors(request: BlobRequest, sas: Sas, now: Clock) -> Generator[None]:
    """Raises the product's errors, or Taken, for those of obstore and of Azure's SDK."""
    try:
        yield
    except (CioError, Taken):
        raise
    except (BaseError, AzureError, OSError, ValueError) as error:
        answer = answer_of(error)
        if request.creates and is_taken(answer):
            raise Taken from None
        raise meaning(answer, request, sas, now()) from None


def is_taken(answer: Answer) -> bool:
    """Whether a create-only write found something under its key."""
    return answer.code in _TAKEN or (not answer.code and answer.status in {409, 412})


def answer_of(error: Exception) -> Answer:
    """The answer behind an exception of obstore or of Azure's SDK."""
    text = str(error)
    if isinstance(error, AzureError):
        code = getattr(error, "error_code", None) or ""
        response: Any = getattr(error, "response", None)
        if response is not None and "html" in str(response.headers.get("Content-Type", "")):
            text = PAGE
        return Answer(getattr(error, "status_code", None), str(getattr(code, "value", code)), text)
    status, code = _STATUS.search(text), _CODE.search(text)
    number = int(status[1] or status[2]) if status else None
    if number is None and isinstance(error, FileNotFoundError):
        number = 404
    return Answer(number, code[1] if code else "", text)


def meaning(answer: Answer, request: BlobRequest, sas: Sas, now: datetime) -> CioError:
    """The error that an answer stands for."""
    match answer.status:
        case None:
            return _unreachable(answer, request)
        case 401 | 403 | 407:
            return _refused(answer, request, sas, now)
        case 404:
            return _not_found(answer, request)
        case 429 | 503:
            return Throttled(f"{request}: Azure asked to slow down.", "It is tried again later.")
        case status if status >= 500:  # noqa: PLR2004 - a class of HTTP statuses
            what = f"{request}: Azure failed ({status} {answer.code})."
            return DestinationUnavailable(what, "It is tried again later.")
        case status:
            return _other(status, answer, request)


def _unreachable(answer: Answer, request: BlobRequest) -> CioError:
    why = request.unreached(answer.text)
    return Unreachable(f"{request}: Azure was not reached, {why}.", AGAIN)


def _not_found(answer: Answer, request: BlobRequest) -> CioError:
    # Azure gives each answer a code: a write that finds nothing without one met somebody else.
    elsewhere = not answer.code and request.right in {"create", "write"}
    if answer.code.startswith("Container") or request.key is None or elsewhere:
        return _no_container(request)
    return missing(request.key)


def _no_container(request: BlobRequest) -> CioError:
    return NoSuchBucket(
        f"{request}: the container of the SAS URL does not exist.",
        "Create it, or generate a SAS for one that exists.",
    )


def _other(status: int, answer: Answer, request: BlobRequest) -> CioError:
    match answer.code:
        case "" if status == 412:  # noqa: PLR2004 - HTTP
            return request.unasked()
        case "ContainerBeingDeleted" | "ContainerDisabled":
            return _no_container(request)
        case "BlobArchived":
            return ObjectArchived(
                f"{request}: it lies in the archive tier.",
                "Rehydrate it first, or let it be archived later or not at all.",
            )
        case "InvalidBlobOrBlock":
            return DestinationError(
                f"{request}: another program's unfinished upload lies there.",
                "Write and delete a blob of that name once, or wait a week until Azure drops it.",
            )
        case code if code in _PROTECTED:
            return DestinationError(
                f"{request}: an immutability policy of the container protects it.",
                "Wait until it ends, or choose a container without one.",
            )
        case code:
            return DestinationError(
                f"{request}: Azure answered {status} {code}.", "Look the code up in Azure's pages."
            )


def _refused(answer: Answer, request: BlobRequest, sas: Sas, now: datetime) -> CioError:
    match answer.code:
        case (
            "AuthorizationPermissionMismatch"
            | "AuthorizationServiceMismatch"
            | "AuthorizationResourceTypeMismatch"
            | "InsufficientAccountPermissions"
        ):
            return PermissionMissing(
                f"{request}: the SAS lacks the right '{request.right}'.", f"{_RIGHTS}."
            )
        case "AuthorizationSourceIPMismatch":
            return PermissionMissing(
                f"{request}: the SAS does not allow this machine's IP address.",
                "Generate one that allows the addresses from which this product connects.",
            )
        case "AuthorizationProtocolMismatch":
            return PermissionMissing(
                f"{request}: the SAS allows another protocol only.", "Use the https:// address."
            )
        case "AccountIsDisabled":
            return DestinationError(f"{request}: the account is disabled.", "Enable it in Azure.")
        # Azure's own AuthorizationFailure is its firewall's; the emulator means the signature.
        case "AuthorizationFailure" if "authenticate" not in answer.text:
            return PermissionMissing(
                f"{request}: the storage account's firewall does not let this machine in.",
                "Allow its addresses under the account's 'Networking'; it may also be a right "
                f"that the SAS lacks: '{request.right}'.",
            )
        case _ if answer.is_page:
            error = request.met_a_page(answer)
        case _:
            error = _not_authenticated(answer, request, sas, now)
    return error


def _not_authenticated(answer: Answer, request: BlobRequest, sas: Sas, now: datetime) -> CioError:
    """Expired, not valid yet, revoked, or a wrong signature; Azure tells only in its details."""
    if sas.expires is not None and now >= sas.expires:
        return expired(sas.expires)
    if sas.starts is not None and now < sas.starts:
        return not_yet_valid(sas.starts)
    if sas.policy is not None:
        if "time frame" in answer.text:
            return CredentialsExpired(
                f"{request}: the stored access policy '{sas.policy}' has expired.",
                "Move its expiry time; the SAS URL can stay.",
            )
        return WrongCredentials(
            f"{request}: the SAS rests on the stored access policy '{sas.policy}', which was "
            "revoked or deleted or has expired; or the account's key was changed.",
            "Look at the container's access policies; make it again, or generate a new SAS URL.",
        )
    if "time frame" in answer.text:
        return CredentialsExpired(
            f"{request}: Azure's clock says that the SAS URL is not valid now.",
            "Check this machine's clock, then generate a new SAS URL.",
        )
    return WrongCredentials(
        f"{request}: the signature of the SAS URL is wrong, or the account's key was changed.",
        "Generate a new SAS URL and put it behind the reference, whole.",
    )
