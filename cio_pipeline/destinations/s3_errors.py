"""What a failed request to S3 means, as the product's errors.

obstore gives the answer in its text only, boto3 as attributes; neither text is passed on, since
one may hold a key id or a token.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# boto3 has no types of its own.

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)
from obstore.exceptions import BaseError, UnauthenticatedError

from cio_pipeline.destinations.s3_codes import BY_CODE, LATER, OTHER_REGION
from cio_pipeline.model.errors import (
    CioError,
    DestinationError,
    DestinationUnavailable,
    NoSuchBucket,
    ObjectMissing,
    PermissionMissing,
    Throttled,
    Unreachable,
    WrongCredentials,
)

_STATUS = re.compile(r"status code: (\d{3})|status: (\d{3})")
_CODE = re.compile(r"<Code>([\w.]+)</Code>")
_REGION = re.compile(r"<Region>([a-z0-9-]+)</Region>|expecting '([a-z0-9-]+)'")
_ACTION = re.compile(r"not authorized to perform:? ((?:s3|kms|sts):\w+)")


_NETWORK = (
    (r"metadata from headers|invalid list response", "what answered is no S3 store"),
    (r"refused", "the connection was refused"),
    (r"dns|resolve|Name or service|NameResolution", "its name is unknown"),
    (r"certificate|TLS|SSL", "its certificate was not accepted"),
    (r"reset|aborted|closed|Interrupted|IncompleteMessage|broken pipe", "the connection was reset"),
    (r"time[d_]? ?out|TimedOut|Timeout", "there was no answer in time"),
)


@dataclass(frozen=True)
class Attempt:
    """What was being tried, and the IAM action that it needs; key None: the bucket itself."""

    doing: str
    action: str
    key: str | None = None

    def __str__(self) -> str:
        place = "the bucket" if self.key is None else f"'{self.key}'"
        return f"Cannot {self.doing} {place}"


@dataclass(frozen=True)
class Answer:
    """The store's answer: status (None: there was none), error code, a text that stays here."""

    status: int | None
    code: str
    text: str


class Taken(Exception):
    """Something lies under the key of a create-only put; never leaves the adapter."""


@contextmanager
def named_errors(attempt: Attempt) -> Generator[None]:
    """Raises the product's errors, or Taken, for those of obstore and of boto3."""
    try:
        yield
    except (CioError, Taken):
        raise
    except (
        NoCredentialsError,
        PartialCredentialsError,
        CredentialRetrievalError,
        ProfileNotFound,
        UnauthenticatedError,
    ):
        raise WrongCredentials(
            f"{attempt}: the ambient AWS chain (environment, profile, role of the machine) gives "
            "no credentials.",
            "Give the sync access_key_id and secret_access_key, or the machine a role.",
        ) from None
    except (BaseError, BotoCoreError, ClientError, HTTPClientError, OSError, ValueError) as error:
        answer = answer_of(error)
        if answer.code == "PreconditionFailed" or answer.status == 412:  # noqa: PLR2004 - HTTP
            raise Taken from None
        raise meaning(answer, attempt) from None


def answer_of(error: Exception) -> Answer:
    """The answer behind an exception of obstore or of boto3."""
    text = str(error)
    if isinstance(error, ClientError):
        found = error.response
        code = found.get("Error", {}).get("Code", "")
        status = found.get("ResponseMetadata", {}).get("HTTPStatusCode")
        # A HEAD has no body: boto3 gives its status as code.
        return Answer(status, "" if code.isdigit() else code, text)
    status, code = _STATUS.search(text), _CODE.search(text)
    number = int(status[1] or status[2]) if status else None
    if "BareRedirect" in text:
        return Answer(301, "PermanentRedirect", text)
    if number is None and isinstance(error, FileNotFoundError):
        number = 404
    return Answer(number, code[1] if code else "", text)


def meaning(answer: Answer, attempt: Attempt) -> CioError:
    """The error that an answer stands for: by its code if it has one, else by its status."""
    for codes, kind, what, next_step in BY_CODE:
        if answer.code in codes:
            return kind(f"{attempt}: {what} ({answer.code}).", next_step)
    if answer.code in OTHER_REGION:
        return _elsewhere(answer, attempt)
    match answer.status:
        case None:
            return _unreachable(answer, attempt)
        case 401 | 403:
            return _denied(answer, attempt)
        case 404:
            return _not_found(answer, attempt)
        case status:
            return _other(status, answer, attempt)


def _other(status: int, answer: Answer, attempt: Attempt) -> CioError:
    if status in {429, 503}:
        return Throttled(f"{attempt}: the store asked to slow down.", LATER)
    if status >= 500:  # noqa: PLR2004 - a class of HTTP statuses
        return DestinationUnavailable(f"{attempt}: the store failed ({status}).", LATER)
    if answer.code.startswith("KMS."):
        return DestinationError(
            f"{attempt}: the KMS key cannot be used ({answer.code}).",
            "Check kms_key_id: the key must exist, be enabled, and lie in the bucket's region.",
        )
    return DestinationError(
        f"{attempt}: the store answered {status} {answer.code}.",
        "Look the code up in the store's documentation.",
    )


def _elsewhere(answer: Answer, attempt: Attempt) -> NoSuchBucket:
    found = _REGION.search(answer.text)
    where = f"in {found[1] or found[2]}" if found else "in another region"
    return NoSuchBucket(
        f"{attempt}: the bucket lies {where}.",
        "Set the sync's `region` to it; `aws s3api get-bucket-location --bucket NAME` tells it.",
    )


def _unreachable(answer: Answer, attempt: Attempt) -> CioError:
    found = (words for pattern, words in _NETWORK if re.search(pattern, answer.text, re.IGNORECASE))
    why = next(found, "the connection failed")
    return Unreachable(
        f"{attempt}: the store was not reached, {why}.",
        "It is tried again; if it stays, see docs/destinations.md for what to allow.",
    )


def _denied(answer: Answer, attempt: Attempt) -> CioError:
    named = _ACTION.search(answer.text)
    action = named[1] if named else attempt.action
    if "kms:" in answer.text and not action.startswith("kms:"):
        action = "kms:GenerateDataKey" if "GenerateDataKey" in answer.text else "kms:Decrypt"
    return PermissionMissing(
        f"{attempt}: the credentials lack the permission {action}.",
        f"Grant the right to {action}: `cio-pipeline sync policy` prints the policy.",
    )


def _not_found(answer: Answer, attempt: Attempt) -> CioError:
    # A write finds nothing only if there is no bucket, or no store at that address.
    if answer.code == "NoSuchBucket" or attempt.key is None or attempt.action == "s3:PutObject":
        return NoSuchBucket(
            f"{attempt}: the bucket does not exist.",
            "Create it, or correct the sync's `bucket`, `region` or `endpoint_url`.",
        )
    return missing(attempt.key)


def missing(key: str) -> ObjectMissing:
    """The error for an object that is not there."""
    return ObjectMissing(
        f"There is no object '{key}'.", "`cio-pipeline verify` lists what is lost."
    )
