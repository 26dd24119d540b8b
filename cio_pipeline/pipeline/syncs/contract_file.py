"""Reading a data contract, and telling in which line it cannot hold for a sync (O1)."""

from pydantic import ValidationError

from cio_pipeline.conforming.agreeing import Place, contradictions
from cio_pipeline.model.data_contract import DataContract
from cio_pipeline.model.errors import InvalidConfig
from cio_pipeline.model.sync import Sync
from cio_pipeline.pipeline.syncs.mistakes import in_lines, listed
from cio_pipeline.pipeline.syncs.yaml_text import YamlText, read_yaml

_SEE = "See docs/contracts.md."


def read_contract(text: str, name: str) -> tuple[DataContract, YamlText]:
    """A data contract out of its file; raises InvalidConfig that names every mistake's line."""
    file = read_yaml(text, f"data contract {name}", "write `exports:`, and exports below it")
    try:
        return DataContract.model_validate(file.content), file
    except ValidationError as error:
        raise InvalidConfig(in_lines(error, file), _SEE) from None


def require_agreement(
    contract: DataContract, sync: Sync, file: YamlText, place: Place = ()
) -> None:
    """Raise InvalidConfig, with lines, if the contract contradicts what the sync sends.

    `place` is where in the file it stands.
    """
    found = [((*place, *one.place), one.text) for one in contradictions(contract, sync)]
    if found:
        raise InvalidConfig(listed(file, found, f"for sync '{sync.id}'"), _SEE)
