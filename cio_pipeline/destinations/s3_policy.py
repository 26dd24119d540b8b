"""The least IAM policy for a sync on S3, and the trust policy of its role (O4)."""

from cio_pipeline.model.destinations import S3Destination
from cio_pipeline.model.feeds import Feed

ACCOUNT = "THE_ACCOUNT_THAT_RUNS_THE_PIPELINE"
"""Stands for the account id, which no sync file holds."""


def s3_policy(options: S3Destination, feed: Feed) -> dict[str, object]:
    """The IAM policy: the rights of seed 001 on the sync's folder, and what its options ask for.

    Messages need to be put and nothing else (M4). The multipart rights only tidy up.
    """
    only_puts = feed.facts.overwrites
    folder = f"{options.path}/" if options.path else ""
    arn = f"arn:{_partition(options)}:s3:::{options.bucket}"
    if only_puts:
        statements = [_allow("Put", ["s3:PutObject"], f"{arn}/{folder}*")]
    else:
        objects = ["s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload"]
        listing = ["s3:ListBucket", "s3:ListBucketVersions"]
        statements = [
            _allow("PutAndRead", objects, f"{arn}/{folder}*"),
            _allow("ListTheFolder", listing, arn, folder),
            _allow("FindLeftovers", ["s3:ListBucketMultipartUploads"], arn),
        ]
    if options.encryption == "SSE-KMS":
        # The key's id alone is no ARN, and the account's default key has an id of its own.
        key = options.kms_key_id if (options.kms_key_id or "").startswith("arn:") else "*"
        actions = ["kms:GenerateDataKey"] + ([] if only_puts else ["kms:Decrypt"])
        statements.append(_allow("Encrypt", actions, key or "*"))
    return {"Version": "2012-10-17", "Statement": statements}


def trust_policy(options: S3Destination) -> dict[str, object]:
    """Who may assume the role, and with which external id."""
    condition = {"StringEquals": {"sts:ExternalId": options.external_id}}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{_partition(options)}:iam::{ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
                **({"Condition": condition} if options.external_id else {}),
            }
        ],
    }


def caller_policy(role_arn: str) -> dict[str, object]:
    """What the pipeline's own user or role needs in order to assume the role."""
    return {"Version": "2012-10-17", "Statement": [_allow("Assume", ["sts:AssumeRole"], role_arn)]}


def _partition(options: S3Destination) -> str:
    region = options.region or ""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _allow(sid: str, actions: list[str], resource: str, folder: str = "") -> dict[str, object]:
    condition = {"Condition": {"StringLike": {"s3:prefix": [f"{folder}*"]}}} if folder else {}
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions,
        "Resource": resource,
        **condition,
    }
