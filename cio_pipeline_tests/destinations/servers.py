"""Stores that tests start: S3 by moto."""

import logging
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from cio_pipeline.destinations.patience import Patience
from cio_pipeline.destinations.s3 import S3Bucket
from cio_pipeline.model.destinations import S3Destination

KEY_ID, SECRET = "AKIACANARYKEYID00001", "canary/secret+of=the-root"
SECRETS = {"env:S3_KEY_ID": KEY_ID, "env:S3_SECRET": SECRET}


@dataclass
class S3Server:
    """A moto server; see `moto_server`."""

    url: str

    @cached_property
    def admin(self) -> Any:
        """A client that may do everything."""
        return self.client("s3")

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="eu-west-1",
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
        )

    def bucket(self) -> str:
        """A new, empty bucket."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        where = {"LocationConstraint": "eu-west-1"}
        self.admin.create_bucket(Bucket=name, CreateBucketConfiguration=where)
        return name

    def options(self, bucket: str, url: str | None = None, **fields: Any) -> S3Destination:
        return S3Destination.model_validate(
            {
                "type": "s3",
                "bucket": bucket,
                "path": "customerio/prod",
                "region": "eu-west-1",
                "endpoint_url": url or self.url,
                "access_key_id": "env:S3_KEY_ID",
                "secret_access_key": "env:S3_SECRET",
                **fields,
            }
        )


def s3(
    options: S3Destination,
    secrets: Mapping[str, str] = SECRETS,
    patience: Patience = Patience(),  # noqa: B008 - it is frozen
) -> S3Bucket:
    """A destination whose secrets are given."""
    return S3Bucket(options, secrets.__getitem__, patience)


@contextmanager
def moto_server() -> Iterator[S3Server]:
    """S3, IAM, STS and KMS on a free port; nothing is in them that another test knows by name."""
    yield S3Server(_moto_url())


@cache
def _moto_url() -> str:
    """One server a process, since what it holds is the process's anyway; to end one takes 0.5 s."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"
