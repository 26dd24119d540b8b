"""Where a feed lies: a folder, a URL, or a destination as a sync file writes it."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias
from urllib.parse import unquote, urlsplit

from pydantic import Field, TypeAdapter, ValidationError

from cio_pipeline.destinations.local import LocalFolder
from cio_pipeline.destinations.open import open_place
from cio_pipeline.files.system_errors import reason
from cio_pipeline.model.destinations import AnyDestination, AzureDestination, S3Destination
from cio_pipeline.model.errors import InvalidConfig, NothingDelivered, SecretMissing
from cio_pipeline.ports import Destination

Place: TypeAlias = str | Path | Mapping[str, Any] | Destination
"""A folder, an `s3://`, `az://`, `abfss://` or `file://` URL, a mapping as `destination` in a sync
file, or a store that is open."""

_FORMS = "Give a folder, s3://bucket/path, az://container/path, or a sync file's `destination`."
_ADAPTER: TypeAdapter[AnyDestination] = TypeAdapter(
    Annotated[AnyDestination, Field(discriminator="type")]
)


def open_of(place: Place | None) -> Destination:
    """The store of a place. Raises InvalidConfig; NothingDelivered for a folder that is not there.

    The empty text is none: it would be the folder that the program happens to run in.

    Keys for `s3://` are those of the ambient AWS chain, with `AWS_ENDPOINT_URL` and `AWS_REGION`.
    For Azure, `AZURE_STORAGE_SAS_URL`, or the account's name and `AZURE_STORAGE_SAS_TOKEN`.
    """
    match place:
        case "" | None:
            raise InvalidConfig("No place is given.", _FORMS)
        case str() if re.match(r"[a-z0-9]+://", place, re.IGNORECASE):
            return _of_url(place)
        case str() | Path():
            return _folder(Path(place))
        case Mapping():
            return open_place(_checked(place), Path.cwd())
        case _:
            return place


def _folder(path: Path) -> Destination:
    try:
        there, folder = path.exists(), path.is_dir()
    except OSError as error:
        raise InvalidConfig(
            f"The folder cannot be looked at: {reason(error)}.", "Correct the path, or its rights."
        ) from None
    if not there:
        raise NothingDelivered(f"There is no folder '{path}'.", "Correct the path.")
    if not folder:
        raise InvalidConfig(f"'{path}' is no folder.", "Give the folder that holds `_cio/`.")
    return LocalFolder(path)


def _checked(place: Mapping[str, Any]) -> AnyDestination:
    try:
        return _ADAPTER.validate_python(dict(place))
    except ValidationError as error:
        # The values are not repeated: people paste URLs with secrets.
        wrong = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, wrong["loc"])) or "place"
        raise InvalidConfig(f"{field}: {wrong['msg']}.", _FORMS) from None


def _of_url(url: str) -> Destination:
    try:
        parts = urlsplit(url)
    except ValueError:
        # What follows the scheme is not repeated: keys may be in it.
        raise InvalidConfig("The URL cannot be understood.", _FORMS) from None
    if parts.query or parts.fragment or parts.password:
        raise InvalidConfig(
            "The URL has more than a bucket and a path in it.",
            "Keys and tokens belong into the environment, never into the URL.",
        )
    host, path = parts.netloc, unquote(parts.path).strip("/")
    match parts.scheme:
        case "file":
            return _folder(Path(unquote(parts.path)))
        case "s3" | "s3a":
            return _s3(host, path)
        case "az" | "abfs" | "abfss" | "azure":
            return _azure(host, path)
        case other:
            raise InvalidConfig(f"'{other}://' is no place that can be read.", _FORMS)


def _s3(bucket: str, path: str) -> Destination:
    known = os.environ
    options = {
        "type": "s3",
        "bucket": bucket,
        "path": path,
        "endpoint_url": known.get("AWS_ENDPOINT_URL_S3") or known.get("AWS_ENDPOINT_URL"),
        "region": known.get("AWS_REGION") or known.get("AWS_DEFAULT_REGION"),
    }
    found = _checked(options)
    assert isinstance(found, S3Destination)  # noqa: S101 - its type says so
    return open_place(found, Path.cwd())


def _azure(host: str, path: str) -> Destination:
    from cio_pipeline.destinations.azure import AzureContainer  # noqa: PLC0415 - see open.py

    container, _, server = host.partition("@")
    account = server.partition(".")[0] or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME")
    options = _checked({"type": "azure", "sas_url": "env:AZURE_STORAGE_SAS_URL", "path": path})
    assert isinstance(options, AzureDestination)  # noqa: S101 - its type says so
    return AzureContainer(options, lambda _: _sas_url(container, account))


def _sas_url(container: str, account: str | None) -> str:
    whole, token = (os.environ.get(f"AZURE_STORAGE_SAS_{one}") for one in ("URL", "TOKEN"))
    if whole:
        if f"/{container}?" not in whole:
            raise InvalidConfig(
                f"AZURE_STORAGE_SAS_URL is not that of the container '{container}'.",
                "Set it to that container's SAS URL.",
            )
        return whole
    if not (token and account):
        raise SecretMissing(
            "There is no SAS for Azure in the environment.",
            "Set AZURE_STORAGE_SAS_URL, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_SAS_TOKEN.",
        )
    return f"https://{account}.blob.core.windows.net/{container}?{token.removeprefix('?')}"
