"""What to grant for a sync, ready to paste (O4)."""

from dataclasses import dataclass

from cio_pipeline.destinations.azure_policy import az_commands, portal_steps
from cio_pipeline.destinations.s3_policy import caller_policy, s3_policy, trust_policy
from cio_pipeline.model.destinations import AzureDestination, LocalDestination, S3Destination
from cio_pipeline.model.sync import Sync


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
