"""Where a destination is, so that equal and enclosing ones can be told (D8)."""

from pathlib import Path
from urllib.parse import urlsplit

from cio_pipeline.destinations.azure_sas import is_loopback, parse_sas
from cio_pipeline.destinations.secrets import secret_of
from cio_pipeline.model.destinations import AnyDestination, LocalDestination
from cio_pipeline.model.errors import DestinationError
from cio_pipeline.model.sync import Sync


def location(destination: AnyDestination, base: Path) -> tuple[str, ...]:
    """The store's kind, then the parts of the path; relative paths start at `base`.

    Of two destinations one encloses the other, or they are equal, if one location is a prefix of
    the other. Symlinks, `./` and trailing slashes make no difference. Reads Azure's SAS URLs.
    """
    match destination.type:
        case "local":
            return (destination.type, *(base / destination.path).resolve().parts)
        case "s3":
            store = _store(destination.endpoint_url)
            return (destination.type, store, destination.bucket, *_parts(destination.path))
        case "azure":
            return (destination.type, *_container(destination.sas_url), *_parts(destination.path))


def _store(endpoint_url: str | None) -> str:
    """Whose buckets they are; AWS has many hosts for one bucket."""
    host = "aws" if endpoint_url is None else _host(endpoint_url)
    return "aws" if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) else host


def _host(url: str) -> str:
    """A host and its port, unless that is the usual one; this machine has many names."""
    try:
        parts = urlsplit(url.lower())
        name, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        return url  # It leads nowhere, which the first who goes there is told.
    name = "localhost" if is_loopback(name) else name
    return name if port in {None, 80, 443} else f"{name}:{port}"


def _parts(path: str) -> tuple[str, ...]:
    return tuple(path.split("/")) if path else ()


def _container(reference: str) -> tuple[str, ...]:
    """Account and container behind a SAS URL's reference; the reference if it leads nowhere here.

    Two syncs may use two SAS URLs of one container.
    """
    try:
        sas = parse_sas(secret_of(reference))
    except DestinationError:
        return (reference,)
    return (_host(sas.account_url), sas.account, sas.container)


def absolute(sync: Sync, base: Path) -> Sync:
    """The sync with a destination that means the same wherever a process runs later."""
    if not isinstance(sync.destination, LocalDestination):
        return sync
    place = sync.destination.model_copy(update={"path": str(base / sync.destination.path)})
    return sync.model_copy(update={"destination": place})
