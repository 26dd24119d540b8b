"""Where a sync's files go (D8), as written in the sync file: one model per kind of store.

Belongs here: the options of each store and the rules that need nothing but the options. Not here:
reading a secret, or touching a store (the destinations layer).
"""

import re
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


class Strict(BaseModel):
    """A frozen model that refuses unknown keys."""

    # Checks are made when first used: many a verb reads no configuration.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def checked_path(path: str) -> str:
    """A destination's path, as it is, if no store could read it in another way (D8).

    Raises ValueError; the path itself is not repeated, since people paste URLs with secrets.
    """
    if path and (path.startswith("/") or "//" in path or path.endswith("/")):
        raise ValueError("the path has a leading, trailing or double slash; write it without")
    if any(part in {".", ".."} for part in path.split("/")):
        raise ValueError("the path has a '.' or '..' in it; write it plainly")
    if re.search(r"[\x00-\x1f\x7f\\]", path):
        raise ValueError("the path has a control character or a backslash in it")
    return path


_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/.+")


def _reference(text: str) -> str:
    """The reference as it is; ValueError, without repeating the text, for a literal secret."""
    if not _REFERENCE.fullmatch(text):
        raise ValueError(
            "a secret is never written here: put it into an environment variable or a file, and "
            "write env:NAME or file:/path"
        )
    return text


SecretRef: TypeAlias = Annotated[
    str, AfterValidator(_reference), Field(json_schema_extra={"pattern": "^(env:|file:/)"})
]
"""Where a secret is: `env:NAME` or `file:/path`."""

Path: TypeAlias = Annotated[str, AfterValidator(checked_path)]


def _bucket(name: str) -> str:
    """A bucket name that S3 allows for general purpose buckets."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name) or ".." in name:
        raise ValueError(
            "a bucket name has 3 to 63 lower-case letters, digits, dots and hyphens, and starts "
            "and ends with a letter or digit"
        )
    if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", name):
        raise ValueError("a bucket name does not look like an IP address")
    if name.startswith(("xn--", "sthree-")) or name.endswith(("-s3alias", "--ol-s3")):
        raise ValueError("a bucket name does not start or end with what AWS keeps for itself")
    return name


def _endpoint(url: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+/?", url):
        raise ValueError("the endpoint is http:// or https:// with a host, and nothing more")
    return url.rstrip("/")


PutsPerSecond: TypeAlias = Annotated[
    float | None,
    Field(gt=0, le=10_000, description="At most so many objects are put a second; else no limit."),
]


class LocalDestination(Strict):
    """A folder on this machine; relative paths are relative to the working directory."""

    type: Literal["local"]
    path: Annotated[str, Field(min_length=1, description="Folder that receives the files.")]
    puts_per_second: PutsPerSecond = None

    @model_validator(mode="after")
    def _clean(self) -> Self:
        checked_path(self.path.removeprefix("/"))
        if re.match(r"/(proc|sys|dev(?!/shm/))(/|$)", self.path):
            raise ValueError("no files can be kept in /proc, /sys and /dev; write another folder")
        return self


StorageClass: TypeAlias = Literal[
    "STANDARD",
    "INTELLIGENT_TIERING",
    "STANDARD_IA",
    "ONEZONE_IA",
    "GLACIER",
    "GLACIER_IR",
    "DEEP_ARCHIVE",
]
"""The storage classes of S3 that a sync can choose (M3)."""


class S3Destination(Strict):
    """A bucket on S3 or a store that speaks its protocol."""

    type: Literal["s3"]
    bucket: Annotated[str, AfterValidator(_bucket), Field(description="An existing bucket.")]
    path: Annotated[Path, Field(description="Folder in the bucket; empty is its root.")] = ""
    region: Annotated[
        str | None,
        Field(pattern=r"^[a-z0-9-]+$", description="The bucket's region; else the chain's."),
    ] = None
    endpoint_url: Annotated[
        Annotated[str, AfterValidator(_endpoint)] | None,
        Field(description="For S3-compatible stores; AWS itself needs none."),
    ] = None
    path_style: Annotated[
        bool | None,
        Field(description="Bucket in the path, not the host name; default: with an endpoint_url."),
    ] = None
    access_key_id: Annotated[
        SecretRef | None, Field(description="Reference; without it the ambient AWS chain is used.")
    ] = None
    secret_access_key: Annotated[SecretRef | None, Field(description="Reference.")] = None
    session_token: Annotated[
        SecretRef | None, Field(description="Reference, for temporary keys.")
    ] = None
    role_arn: Annotated[
        str | None,
        Field(pattern=r"^arn:[a-z-]+:iam::\d{12}:role/.+$", description="A role to assume."),
    ] = None
    external_id: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9_+=,.@:/-]+$",
            min_length=2,
            max_length=1224,
            description="What the role's trust policy asks for.",
        ),
    ] = None
    storage_class: Annotated[
        StorageClass, Field(description="Storage class of the files, not of manifests.")
    ] = "STANDARD"
    encryption: Annotated[
        Literal["SSE-S3", "SSE-KMS"] | None,
        Field(description="Server-side encryption to ask for; else the bucket's default."),
    ] = None
    kms_key_id: Annotated[
        str | None, Field(min_length=1, description="KMS key for SSE-KMS; else the account's.")
    ] = None
    checksums: Annotated[
        Literal["when_supported", "when_required"],
        Field(description="`when_required` for stores that refuse the newer checksum headers."),
    ] = "when_supported"
    conditional_puts: Annotated[
        bool,
        Field(
            description="Let the store refuse to overwrite; false for stores that ignore "
            "`If-None-Match`, whose keys are then looked for first."
        ),
    ] = True
    puts_per_second: PutsPerSecond = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key come together, or neither")
        if self.session_token is not None and self.access_key_id is None:
            raise ValueError("session_token needs access_key_id and secret_access_key")
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("external_id needs role_arn")
        if self.kms_key_id is not None and self.encryption != "SSE-KMS":
            raise ValueError("kms_key_id needs encryption: SSE-KMS")
        return self


class AzureDestination(Strict):
    """A container of Azure Blob Storage, reached with a shared access signature."""

    type: Literal["azure"]
    sas_url: Annotated[
        SecretRef, Field(description="Reference to the container's SAS URL, as Azure shows it.")
    ]
    path: Annotated[
        Path, Field(description="Blob path; made by the first file; empty is the root.")
    ] = ""
    access_tier: Annotated[
        Literal["Hot", "Cool", "Cold", "Archive"] | None,
        Field(description="Access tier of the files, not of manifests; else the account's."),
    ] = None
    puts_per_second: PutsPerSecond = None


AnyDestination: TypeAlias = LocalDestination | S3Destination | AzureDestination
"""A destination of any kind; told apart by `type`."""


_ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE", "Archive"})


def archive_of(place: AnyDestination) -> str | None:
    """The class or tier of files that must be restored before they can be read; None if none is."""
    match place:
        case S3Destination(storage_class=name) | AzureDestination(access_tier=str(name)):
            return name if name in _ARCHIVES else None
        case _:
            return None


def earlier_versions(place: AnyDestination) -> str | None:
    """What is kept of an object that is written in place, and what removes it; None for a folder.

    Nothing of what a sync may do tells whether it is so, nor removes it.
    """
    match place:
        case S3Destination():
            return (
                f"Where the bucket {place.bucket} keeps versions, the earlier ones of rewritten "
                "files hold the person still: remove them, which needs s3:DeleteObjectVersion."
            )
        case AzureDestination():
            return (
                "Where the storage account keeps versions, snapshots or deleted blobs, the earlier "
                "ones of rewritten files hold the person still: remove them, which needs the "
                "rights d and x."
            )
        case LocalDestination():
            return None
