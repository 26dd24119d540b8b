"""obstore's view of a container, for the bytes, and the names that Azure takes as they are.

A store takes 20 ms of CPU to make and keeps its connections, so they are kept.
"""

import re
from functools import lru_cache

from obstore.store import AzureStore

from cio_pipeline.destinations.azure_sas import Sas
from cio_pipeline.destinations.patience import Patience
from cio_pipeline.files.names import check_key
from cio_pipeline.model.errors import InvalidKey

_SEGMENTS = 254
"""Most parts of a blob's name."""


def check_blob_key(key: str, path: str) -> None:
    """Raise InvalidKey for a key that Azure would refuse or rewrite below a sync's path."""
    check_key(key)
    parts = check_key(f"{path}/{key}" if path else key).split("/")
    if len(parts) > _SEGMENTS or any(part.endswith(".") for part in parts):
        raise InvalidKey(
            f"{key[:80]!r} is no valid key: Azure would rewrite or refuse it.",
            f"Give it at most {_SEGMENTS} parts, none of which ends in a dot.",
        )


def metadata_name(name: str) -> str:
    """A name of metadata that Azure allows: that of a C# identifier."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return f"_{plain}" if plain[:1].isdigit() else plain


@lru_cache(maxsize=256)
def open_store(sas: Sas, path: str, patience: Patience) -> AzureStore:
    """The container of a SAS, below a path; each request is sent once."""
    return AzureStore(
        sas.container,
        prefix=path or None,
        account_name=sas.account,
        endpoint=sas.account_url,
        sas_key=sas.token,
        # The environment may hold an account's key for the source's tables: not for this.
        credential_type="sas_token",
        skip_signature=False,
        use_emulator=False,
        client_options=patience.client(allow_http=sas.account_url.startswith("http:")),
        # Repeated by `keep_trying`: obstore does not repeat a create-only put.
        retry_config={"max_retries": 0},
    )
