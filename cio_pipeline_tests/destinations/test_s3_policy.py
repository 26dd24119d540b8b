"""O4, O8: the printed policy is enough for a sync, and one permission less is named."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from cio_pipeline.destinations.policy import policy
from cio_pipeline.destinations.s3 import S3Bucket
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.syncs.validate import tried_out
from cio_pipeline_tests.destinations.servers import S3Server, moto_server, s3

NEEDED = {"s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:ListBucketVersions"}
TIDYING = {"s3:AbortMultipartUpload", "s3:ListBucketMultipartUploads"}


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with moto_server() as server:
        yield server


def limited(server: S3Server, bucket: str, document: Any) -> S3Bucket:
    """A destination whose key holds just a policy."""
    iam, name = server.client("iam"), f"user-{bucket}"
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    secrets = {"env:S3_KEY_ID": key["AccessKeyId"], "env:S3_SECRET": key["SecretAccessKey"]}
    return s3(server.options(bucket), secrets)


@contextmanager
def armed(server: S3Server) -> Iterator[None]:
    """moto asks IAM before each action."""
    requests.post(f"{server.url}/moto-api/reset-auth", data="0", timeout=5)
    try:
        yield
    finally:
        requests.post(f"{server.url}/moto-api/reset-auth", data="inf", timeout=5)


def sync_of(destination: S3Bucket) -> Sync:
    return Sync(id="a", workspace_id=1, destination=destination.options)


def without(document: Any, action: str) -> Any:
    statements = [
        {**one, "Action": [a for a in one["Action"] if a != action]}
        for one in document["Statement"]
    ]
    return {**document, "Statement": [one for one in statements if one["Action"]]}


def printed(server: S3Server, bucket: str) -> Any:
    (section,) = policy(Sync(id="a", workspace_id=1, destination=server.options(bucket)))
    return section.body


def test_o4_the_printed_policy_is_enough(server: S3Server) -> None:
    bucket = server.bucket()
    destination = limited(server, bucket, printed(server, bucket))
    with armed(server):
        (found,) = tried_out(lambda _: destination, [sync_of(destination)])
        destination.put_bytes("a", b"body")
        assert destination.get("a") == b"body"
        assert [o.key for o in destination.list()] == ["a", "cio-validate"]
    assert found.ok
    missing = [one.name for one in found.permissions if not one.granted]
    assert missing == ["s3:DeleteObject"]


@pytest.mark.parametrize("action", sorted(NEEDED | TIDYING))
def test_o4_one_permission_less_is_named(server: S3Server, action: str) -> None:
    bucket = server.bucket()
    destination = limited(server, bucket, without(printed(server, bucket), action))
    with armed(server):
        (found,) = tried_out(lambda _: destination, [sync_of(destination)])
    refused = {one.name: one for one in found.permissions if one.granted is False}
    assert refused.keys() - {"s3:DeleteObject"} == {action}
    assert action in refused[action].next_step
    assert found.ok == (action in TIDYING)


def test_o4_the_policy_covers_the_sync_s_folder_only() -> None:
    server = S3Server("http://127.0.0.1:9")
    document = printed(server, "acme-data")
    text = json.dumps(document)
    assert {action for one in document["Statement"] for action in one["Action"]} == (
        NEEDED | TIDYING
    )
    assert '"arn:aws:s3:::acme-data/customerio/prod/*"' in text
    assert '"s3:prefix": ["customerio/prod/*"]' in text


def test_o4_a_role_comes_with_its_trust_policy_and_encryption_with_its_key() -> None:
    fields = {
        "role_arn": "arn:aws:iam::123456789012:role/data-out",
        "external_id": "acme-42",
        "encryption": "SSE-KMS",
        "kms_key_id": "arn:aws:kms:eu-west-1:123456789012:key/one",
    }
    options = S3Server("http://127.0.0.1:9").options("acme-data", **fields)
    iam, trust, own = policy(Sync(id="a", workspace_id=1, destination=options))
    assert "kms:GenerateDataKey" in json.dumps(iam.body)
    assert fields["kms_key_id"] in json.dumps(iam.body)
    assert '"sts:ExternalId": "acme-42"' in json.dumps(trust.body)
    assert fields["role_arn"] in json.dumps(own.body)
    assert "sts:AssumeRole" in json.dumps(own.body)
