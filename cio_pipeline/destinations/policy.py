"""The least rights to grant for a sync, ready to paste (O4).

On S3 an IAM policy and the trust policy of its role, on Azure a stored access policy and the SAS
URL on it.
"""

from dataclasses import dataclass

from cio_pipeline.destinations.azure_sas import Sas, parse_sas
from cio_pipeline.destinations.secrets import secret_of
from cio_pipeline.model.destinations import AzureDestination, LocalDestination, S3Destination
from cio_pipeline.model.errors import DestinationError
from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.sync import Sync

RIGHTS = "racwl"
"""Read, add, create, write and list, as seed 004 asks."""

ONLY_PUTS = "w"
"""Objects that may replace one another are written and never looked at again (M4)."""

_IN_WORDS = {"r": "read", "a": "add", "c": "create", "w": "write", "l": "list"}
_LONGEST_NAME = 64


def rights_for(feed: Feed) -> str:
    """The letters of the rights that a sync of a feed needs; purge needs `d` on top."""
    return ONLY_PUTS if feed.facts.overwrites else RIGHTS


def az_commands(sync_id: str, options: AzureDestination, feed: Feed) -> str:
    """Commands of the `az` tool that make the policy and the URL, for bash (Azure's Cloud Shell).

    Account and container are those of the SAS URL behind the reference, if it leads anywhere.
    """
    account, container, endpoint, more = _place(options)
    name = _policy_name(sync_id)
    at = f"--account-name {account} --auth-mode key{more}"
    return f"""\
# A container has at most five policies. Moving the expiry or deleting the policy counts at once.
az storage container policy create {at} \\
  --container-name {container} --name {name} --permissions {rights_for(feed)} \\
  --start "$(date -u +%Y-%m-%dT%H:%MZ)" --expiry "$(date -u -d '+2 years' +%Y-%m-%dT%H:%MZ)"
# Put the line that this prints, whole, behind {options.sas_url}.
echo "{endpoint}/{container}?$(az storage container generate-sas {at} \\
  --name {container} --policy-name {name} --https-only --output tsv)\""""


def portal_steps(sync_id: str, feed: Feed) -> str:
    """The same in Azure's portal, in words."""
    words = ", ".join(_IN_WORDS[letter] for letter in rights_for(feed))
    name = _policy_name(sync_id)
    return f"""\
1. Storage account > Storage browser > Blob containers > the container > Access policy > Add policy:
   identifier {name}, permissions {words}, start now, expiry well into the future; OK, Save.
2. The container > Generate SAS: stored access policy {name}, allowed protocols HTTPS only;
   Generate SAS token and URL.
3. Put the Blob SAS URL behind the sync's reference; Azure shows it once."""


def _policy_name(sync_id: str) -> str:
    return f"cio-{sync_id}"[:_LONGEST_NAME]


def _place(options: AzureDestination) -> tuple[str, str, str, str]:
    """Account, container, address and what `az` must be told of it."""
    try:
        sas: Sas = parse_sas(secret_of(options.sas_url))
    except DestinationError:
        return "ACCOUNT", "CONTAINER", "https://ACCOUNT.blob.core.windows.net", ""
    usual = sas.account_url == f"https://{sas.account}.blob.core.windows.net"
    more = "" if usual else f" --blob-endpoint {sas.account_url}"
    return sas.account, sas.container, sas.account_url, more


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


@dataclass(frozen=True)
class Section:
    """A title, and a document to paste: JSON as a dict, or a text."""

    title: str
    body: object


def policy(sync: Sync) -> tuple[Section, ...]:
    """The least rights that a sync needs, section by section."""
    match sync.destination:
        case S3Destination() as options:
            iam = Section("IAM policy of the user or role", s3_policy(options, sync.feed))
            if options.role_arn is None:
                return (iam,)
            return (
                iam,
                Section("Trust policy of the role", trust_policy(options)),
                Section("IAM policy of the pipeline's own user", caller_policy(options.role_arn)),
            )
        case AzureDestination() as options:
            return (
                Section("Commands", az_commands(sync.id, options, sync.feed)),
                Section("The same in Azure's portal", portal_steps(sync.id, sync.feed)),
            )
        case LocalDestination(path=path):
            text = (
                f"The user that runs the pipeline needs the right to read, write and list in "
                f"{path}, and to make that folder if it is not there."
            )
            return (Section("Local folder", text),)
