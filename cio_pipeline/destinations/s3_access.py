"""Credentials and sessions of S3, and the client for everything but an object's bytes.

dagster-aws' resource holds them. It knows neither roles nor limits of time, so those are added.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# boto3 has no types of its own.

from typing import Any

import boto3
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    DeferredRefreshableCredentials,
)
from botocore.session import get_session
from dagster_aws.s3 import S3Resource

from cio_pipeline.destinations.patience import Patience
from cio_pipeline.destinations.s3_store import DEFAULT_REGION, Keys
from cio_pipeline.model.destinations import S3Destination


class S3Access(S3Resource):
    """dagster-aws' resource, which also assumes a role, and waits no longer than it should."""

    role_arn: str | None = None
    external_id: str | None = None
    addressing_style: str = "auto"
    checksums: str = "when_supported"
    connect_seconds: float = 5
    read_seconds: float = 20

    def session(self) -> boto3.Session:
        """The keys' session, or that of the role; a role's credentials are renewed in time."""
        own = boto3.Session(
            aws_access_key_id=self.aws_access_key_id,
            aws_secret_access_key=self.aws_secret_access_key,
            aws_session_token=self.aws_session_token,
            region_name=self.region_name,
            profile_name=self.profile_name,
        )
        return own if self.role_arn is None else self._of_role(own)

    def get_client(self) -> Any:
        """An S3 client of a new session."""
        return self.client_of(self.session())

    def client_of(self, session: boto3.Session) -> Any:
        """An S3 client of a session."""
        return session.client(
            "s3",
            endpoint_url=self.endpoint_url,
            config=self._config().merge(
                Config(
                    # AWS_ENDPOINT_URL may be set for the source's tables: not for this.
                    ignore_configured_endpoint_urls=True,
                    s3={"addressing_style": self.addressing_style},
                    request_checksum_calculation=self.checksums,
                    response_checksum_validation=self.checksums,
                )
            ),
        )

    def _config(self) -> Config:
        return Config(
            connect_timeout=self.connect_seconds,
            read_timeout=self.read_seconds,
            retries={"mode": "standard", "total_max_attempts": self.max_attempts},
        )

    def _of_role(self, own: boto3.Session) -> boto3.Session:
        extra: dict[str, str] = {"RoleSessionName": "cio-pipeline"}
        if self.external_id is not None:
            extra["ExternalId"] = self.external_id
        # STS keys of a role are asked for in the session's region, as AWS recommends.
        region = own.region_name or DEFAULT_REGION

        def client(name: str, **given: Any) -> Any:
            return own.client(name, region_name=region, config=self._config(), **given)

        fetcher = AssumeRoleCredentialFetcher(
            client,
            own.get_credentials(),
            self.role_arn,
            extra_args=extra,
        )
        core = get_session()
        # botocore's own way to give a session credentials that are renewed has no public name.
        core._credentials = DeferredRefreshableCredentials(  # noqa: SLF001  # type: ignore[attr-defined]
            method="assume-role", refresh_using=fetcher.fetch_credentials
        )
        return boto3.Session(botocore_session=core, region_name=own.region_name)


def access(options: S3Destination, keys: Keys, patience: Patience) -> S3Access:
    """The resource for a sync's options and keys."""
    styles = {None: "auto", True: "path", False: "virtual"}
    return S3Access(
        region_name=options.region,
        endpoint_url=options.endpoint_url,
        max_attempts=patience.retries + 1,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        aws_session_token=keys.session_token,
        role_arn=options.role_arn,
        external_id=options.external_id,
        addressing_style=styles[options.path_style],
        checksums=options.checksums,
        connect_seconds=patience.connect.total_seconds(),
        read_seconds=patience.stalled.total_seconds(),
    )
