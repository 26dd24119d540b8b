"""The codes of S3 and of STS, and what each means for whoever runs a sync.

Codes: docs.aws.amazon.com, "Error responses" of the S3 API.
"""

from cio_pipeline.model.errors import (
    CioError,
    CredentialsExpired,
    DestinationError,
    ObjectArchived,
    Throttled,
    Unreachable,
    WrongCredentials,
)

LATER = "It is tried again later."

BY_CODE: tuple[tuple[frozenset[str], type[CioError], str, str], ...] = (
    (
        frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"}),
        CredentialsExpired,
        "the session token has expired",
        "Put new temporary keys behind the references, or let the sync assume a role.",
    ),
    (
        frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"}),
        WrongCredentials,
        "this machine's clock and the store's differ too much",
        "Set the clock (NTP), then run it again.",
    ),
    (
        frozenset(
            {
                "InvalidAccessKeyId",
                "SignatureDoesNotMatch",
                "InvalidToken",
                "InvalidClientTokenId",
                "InvalidSecurity",
                "UnrecognizedClientException",
                "AuthFailure",
            }
        ),
        WrongCredentials,
        "the store does not know the access key, or the secret does not belong to it",
        "Put the right keys behind the sync's references.",
    ),
    (
        frozenset({"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"}),
        Throttled,
        "the store asked to slow down",
        LATER,
    ),
    (
        frozenset({"ConditionalRequestConflict", "OperationAborted", "RequestTimeout"}),
        Unreachable,
        "the store could not do it just now",
        LATER,
    ),
    (
        frozenset({"NoSuchUpload"}),
        Unreachable,
        "the upload was aborted meanwhile",
        LATER,
    ),
    (
        frozenset({"NotImplemented", "InvalidStorageClass"}),
        DestinationError,
        "the store does not know a feature that the sync asks for",
        "Choose another storage_class or encryption, or `checksums: when_required`.",
    ),
    (
        frozenset({"InvalidObjectState"}),
        ObjectArchived,
        "it lies in an archive storage class",
        "Restore it in the bucket first, or choose a storage class that can be read.",
    ),
)

OTHER_REGION = frozenset(
    {
        "PermanentRedirect",
        "TemporaryRedirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
    }
)
