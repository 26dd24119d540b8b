"""Opening S3 for the bytes of objects: obstore, with a sync's options and credentials.

A store costs 20 ms of CPU and keeps its connections, so stores are kept for as long as the options
and the keys behind the references stay the same.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# boto3 has no types of its own.

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from obstore.store import S3Store

from cio_pipeline.destinations.patience import Patience
from cio_pipeline.model.destinations import S3Destination

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Credential


DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class Keys:
    """Keys as they are; all None is the ambient AWS chain. Never shown."""

    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)


_ASK_AGAIN = timedelta(minutes=5)
"""After this a session is asked for its credentials again: less than it renews them ahead."""

_KEPT = 256


@dataclass(frozen=True)
class Clients:
    """A bucket's store, and the client for what obstore does not do, made when it is needed."""

    store: S3Store
    session: Any
    client: Callable[[], Any]


def clients(options: S3Destination, keys: Keys, patience: Patience) -> Clients:
    """The store and client of a sync; raises what boto3 raises for credentials."""
    # Pydantic makes frozen models hashable, which pyright does not see.
    found = _opened(options, keys, patience, _chain())  # pyright: ignore[reportArgumentType]
    if found.session is not None:
        # obstore would wrap what the chain or STS says beyond recognition: asked here first.
        credentials = found.session.get_credentials()
        if credentials is not None:
            credentials.get_frozen_credentials()
    return found


def _chain() -> tuple[tuple[str, str], ...]:
    """What the ambient chain depends on, so that a change of it opens a new store."""
    return tuple(sorted((k, v) for k, v in os.environ.items() if k.startswith("AWS_")))


@lru_cache(maxsize=_KEPT)
def _opened(
    options: S3Destination, keys: Keys, patience: Patience, _chain: tuple[tuple[str, str], ...]
) -> Clients:
    if keys.access_key_id and options.region and not options.role_arn:
        store = _store(options, options.region, _fixed(keys), patience)
        return Clients(store, None, cache(lambda: _access(options, keys, patience).get_client()))
    access = _access(options, keys, patience)
    session = access.session()
    region = options.region or session.region_name or DEFAULT_REGION
    store = _store(options, region, _renewed(session), patience)
    return Clients(store, session, cache(lambda: access.client_of(session)))


def _access(options: S3Destination, keys: Keys, patience: Patience) -> Any:
    # It brings Dagster with it, 3 s of imports: a command that needs no client does not wait.
    from cio_pipeline.destinations.s3_access import access  # noqa: PLC0415

    return access(options, keys, patience)


def _fixed(keys: Keys) -> "Callable[[], S3Credential]":
    """The keys, and nothing that the environment may hold for the source's tables."""
    credential: S3Credential = {
        "access_key_id": keys.access_key_id or "",
        "secret_access_key": keys.secret_access_key or "",
        "token": keys.session_token,
        "expires_at": None,
    }
    return lambda: credential


def _renewed(session: Any) -> "Callable[[], S3Credential]":
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415 - as boto3 itself
    from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415

    if session.get_credentials() is None:
        raise NoCredentialsError
    return Boto3CredentialProvider(session, ttl=_ASK_AGAIN)


def _store(
    options: S3Destination,
    region: str,
    provider: "Callable[[], S3Credential]",
    patience: Patience,
) -> S3Store:
    virtual = _virtual_host(options)
    endpoint = options.endpoint_url or _aws(region)
    if virtual:
        parts = urlsplit(endpoint)
        endpoint = f"{parts.scheme}://{options.bucket}.{parts.netloc}"
    return S3Store(
        options.bucket,
        prefix=options.path or None,
        config={
            "endpoint": endpoint,
            "region": region,
            "virtual_hosted_style_request": virtual,
            # A request that names one key needs the right to that key only, and no other API.
            "disable_bulk_delete": True,
            "skip_signature": False,
            **_encryption(options),
            **_checksums(options),
        },
        client_options=patience.client(allow_http=endpoint.startswith("http:")),
        retry_config=patience.retry(),
        credential_provider=provider,
    )


def _virtual_host(options: S3Destination) -> bool:
    """Whether the bucket stands in the host's name; one with dots matches no certificate."""
    if options.path_style is not None:
        return not options.path_style
    return options.endpoint_url is None and "." not in options.bucket


def _aws(region: str) -> str:
    return f"https://s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def _encryption(options: S3Destination) -> "S3Config":
    match options.encryption:
        case None:
            return {}
        case "SSE-S3":
            return {"server_side_encryption": "AES256"}
        case "SSE-KMS":
            key: S3Config = {"sse_kms_key_id": options.kms_key_id} if options.kms_key_id else {}
            return {"server_side_encryption": "aws:kms", **key}


def _checksums(options: S3Destination) -> "S3Config":
    return {"checksum_algorithm": "SHA256"} if options.checksums == "when_supported" else {}
