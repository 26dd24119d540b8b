"""The keys of S3 as values, and the region that is meant if none is named."""

from dataclasses import dataclass, field

DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class Keys:
    """Keys as they are; all None is the ambient AWS chain. Never shown."""

    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
