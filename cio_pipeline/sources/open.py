"""From the spelling of a source to the source: `delta:<uri>`, or `postgresql://…`."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlparse

from cio_pipeline.model.errors import InvalidConfig

if TYPE_CHECKING:
    from cio_pipeline.sources.delta import DeltaSource

_PREFIX = "delta:"
_POSTGRES = ("postgresql://", "postgres://")
_FORMS = (
    "Write delta:<folder>, delta:s3://<bucket>/<path>, "
    "delta:abfss://<container>@<account>.dfs.core.windows.net/<path>, or "
    "postgresql://<user>@<host>/<database>."
)
_OPTIONS = {"s3": "AWS_", "s3a": "AWS_", "abfss": "AZURE_", "abfs": "AZURE_", "az": "AZURE_"}


def open_source(spec: str, environment: Mapping[str, str] | None = None) -> "DeltaSource":
    """The source that `spec` names; `environment` holds the AWS_* and AZURE_* variables.

    Raises InvalidConfig for anything else than `delta:<uri>`.
    """
    uri = source_uri(spec)
    options = storage_options(uri, environment or {})
    return cast("DeltaSource", WhenAsked(lambda: _opened(uri, options)))


def _opened(uri: str, options: Mapping[str, str]) -> "DeltaSource":
    from cio_pipeline.sources.delta import DeltaSource  # noqa: PLC0415 - see WhenAsked

    return DeltaSource(uri, options)


class WhenAsked:
    """A source, opened when it is asked first: its libraries take half a second to import."""

    def __init__(self, opened: Callable[[], object]) -> None:
        self._open = opened

    @cached_property
    def _source(self) -> object:
        return self._open()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._source, name)
        setattr(self, name, found)
        return found


def is_postgres(spec: str) -> bool:
    """Whether a source is a PostgreSQL database."""
    return spec.startswith(_POSTGRES)


def source_uri(spec: str) -> str:
    """The place in `delta:<uri>`; raises InvalidConfig for anything else."""
    uri = spec.removeprefix(_PREFIX).rstrip("/")
    if is_postgres(spec):
        raise InvalidConfig(
            "The source is a PostgreSQL database: this is for Delta tables.",
            "Write to its tables with SQL; `cio-pipeline source install` makes them a source.",
        )
    if not spec.startswith(_PREFIX) or not uri:
        raise InvalidConfig("The source is not of the form delta:<uri>.", _FORMS)
    scheme = urlparse(uri).scheme if "://" in uri else ""
    if scheme not in {"", "file", *_OPTIONS}:
        raise InvalidConfig(f"Sources at {scheme}:// cannot be read.", _FORMS)
    return uri


def storage_options(uri: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that belong to the URI's store; none for a local folder."""
    prefix = _OPTIONS.get(urlparse(uri).scheme) if "://" in uri else None
    if prefix is None:
        return {}
    options = {name: value for name, value in environment.items() if name.startswith(prefix)}
    endpoint = options.get("AWS_ENDPOINT_URL_S3") or options.get("AWS_ENDPOINT_URL", "")
    if endpoint.startswith("http://"):
        options.setdefault("AWS_ALLOW_HTTP", "true")
    return options
