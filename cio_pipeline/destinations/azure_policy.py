"""The least rights for a sync on Azure: a stored access policy, and the SAS URL on it (O4)."""

from cio_pipeline.destinations.azure_sas import Sas, parse_sas
from cio_pipeline.destinations.secrets import resolve
from cio_pipeline.model.destinations import AzureDestination
from cio_pipeline.model.errors import DestinationError
from cio_pipeline.model.feeds import Feed

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
        sas: Sas = parse_sas(resolve(options.sas_url))
    except DestinationError:
        return "ACCOUNT", "CONTAINER", "https://ACCOUNT.blob.core.windows.net", ""
    usual = sas.account_url == f"https://{sas.account}.blob.core.windows.net"
    more = "" if usual else f" --blob-endpoint {sas.account_url}"
    return sas.account, sas.container, sas.account_url, more
