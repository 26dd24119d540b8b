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

from cio_pipeline.destinations.answers import AGAIN, PAGE, Answer, Request, Taken, missing
from cio_pipeline.destinations.s3_codes import BY_CODE, LATER, OTHER_REGION
from cio_pipeline.model.errors import (
    CioError,
    DestinationError,
    DestinationUnavailable,
    NoSuchBucket,
    PermissionMissing,
    Throttled,
    Unreachable,
    WrongCredentials,
)

_STATUS = re.compile(r"status code: (\d{3})|status: (\d{3})")
_CODE = re.compile(r"<Code>([\w.]+)</Code>")
_REGION = re.compile(r"<Region>([a-z0-9-]+)</Region>|expecting '([a-z0-9-]+)'")
_ACTION = re.compile(r"not authorized to perform:? ((?:s3|kms|sts):\w+)")


@contextmanager
def named_errors(request: Request) -> Generator[None]:
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
            f"{request}: the ambient AWS chain (environment, profile, role of the machine) gives "
            "no credentials.",
            "Give the sync access_key_id and secret_access_key, or the machine a role.",
        ) from None
    except (BaseError, BotoCoreError, ClientError, HTTPClientError, OSError, ValueError) as error:
        answer = answer_of(error)
        if answer.code == "PreconditionFailed" or answer.status == 412:  # noqa: PLR2004 - HTTP
            raise Taken if request.creates else request.unasked() from None
        raise meaning(answer, request) from None


def answer_of(error: Exception) -> Answer:
    """The answer behind an exception of obstore or of boto3."""
    text = str(error)
    if isinstance(error, ClientError):
        found = error.response
        code = found.get("Error", {}).get("Code", "")
        status = found.get("ResponseMetadata", {}).get("HTTPStatusCode")
        headers = found.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if headers.get("content-type", "").startswith("text/html"):
            text = PAGE
        # A HEAD has no body, a page is not passed on: boto3 gives the status as code.
        return Answer(status, "" if code.isdigit() else code, text)
    status, code = _STATUS.search(text), _CODE.search(text)
    number = int(status[1] or status[2]) if status else None
    if "BareRedirect" in text:
        return Answer(301, "PermanentRedirect", text)
    if number is None and isinstance(error, FileNotFoundError):
        number = 404
    return Answer(number, code[1] if code else "", text)


def meaning(answer: Answer, request: Request) -> CioError:
    """The error that an answer stands for: by its code if it has one, else by its status."""
    for codes, kind, what, next_step in BY_CODE:
        if answer.code in codes:
            return kind(f"{request}: {what} ({answer.code}).", next_step)
    if answer.code in OTHER_REGION:
        return _elsewhere(answer, request)
    match answer.status:
        case None:
            return _unreachable(answer, request)
        case 401 | 403 | 407:
            return _denied(answer, request)
        case 404:
            return _not_found(answer, request)
        case status:
            return _other(status, answer, request)


def _other(status: int, answer: Answer, request: Request) -> CioError:
    if status in {429, 503}:
        return Throttled(f"{request}: the store asked to slow down.", LATER)
    if status >= 500:  # noqa: PLR2004 - a class of HTTP statuses
        return DestinationUnavailable(f"{request}: the store failed ({status}).", LATER)
    if status < 400:  # noqa: PLR2004 - a class of HTTP statuses
        return DestinationError(
            f"{request}: what answered sends requests elsewhere ({status}), and none is followed.",
            "Correct the sync's `endpoint_url`, or let no proxy stand between.",
        )
    if "Object Lock" in answer.text:
        return DestinationError(
            f"{request}: the bucket has Object Lock, and asks for a checksum.",
            "Set the sync's `checksums: when_supported`.",
        )
    if answer.code.startswith("KMS."):
        return DestinationError(
            f"{request}: the KMS key cannot be used ({answer.code}).",
            "Check kms_key_id: the key must exist, be enabled, and lie in the bucket's region.",
        )
    return DestinationError(
        f"{request}: the store answered {' '.join(filter(None, (str(status), answer.code)))}.",
        "Look the code up in the store's documentation.",
    )


def _elsewhere(answer: Answer, request: Request) -> NoSuchBucket:
    found = _REGION.search(answer.text)
    where = f"in {found[1] or found[2]}" if found else "in another region"
    return NoSuchBucket(
        f"{request}: the bucket lies {where}.",
        "Set the sync's `region` to it; `aws s3api get-bucket-location --bucket NAME` tells it.",
    )


def _unreachable(answer: Answer, request: Request) -> CioError:
    why = request.unreached(answer.text)
    return Unreachable(f"{request}: the store was not reached, {why}.", AGAIN)


def _denied(answer: Answer, request: Request) -> CioError:
    if answer.is_page:
        return request.met_a_page(answer)
    named = _ACTION.search(answer.text)
    action = named[1] if named else request.right
    if "kms:" in answer.text and not action.startswith("kms:"):
        action = "kms:GenerateDataKey" if "GenerateDataKey" in answer.text else "kms:Decrypt"
    return PermissionMissing(
        f"{request}: the credentials lack the permission {action}.",
        f"Grant the right to {action}: `cio-pipeline sync policy` prints the policy.",
    )


def _not_found(answer: Answer, request: Request) -> CioError:
    # A write finds nothing only if there is no bucket, or no store at that address.
    if answer.code == "NoSuchBucket" or request.key is None or request.right == "s3:PutObject":
        return NoSuchBucket(
            f"{request}: the bucket does not exist.",
            "Create it, or correct the sync's `bucket`, `region` or `endpoint_url`.",
        )
    return missing(request.key)
