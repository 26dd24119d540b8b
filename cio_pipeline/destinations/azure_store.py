"""obstore's view of a container, for the bytes.

A store takes 20 ms of CPU to make and keeps its connections, so they are kept.
"""

from functools import lru_cache

from obstore.store import AzureStore

from cio_pipeline.destinations.azure_sas import Sas
from cio_pipeline.destinations.patience import Patience


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
