"""Names of files of calls as values (C1): `render` and `parse` are inverse."""

import re
from dataclasses import dataclass

from cio_pipeline.contracts.exports.calls import CALL_TYPES
from cio_pipeline.files.names import LARGEST
from cio_pipeline.model.errors import InvalidKey

FORMATS = ("csv", "json", "parquet")

_NUMBER = "[1-9][0-9]{0,18}"
_NAME = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})\.({'|'.join(CALL_TYPES)})\.({'|'.join(FORMATS)})"
)
_FORM = "The form is <integration id>.<action id>.<position>.<type>.<csv|json|parquet>."


@dataclass(frozen=True)
class CallFileName:
    """The name of one file; `position` is the number of the sync, shared by the types."""

    integration_id: int
    action_id: int
    position: int
    type: str
    format: str


def render_call_name(name: CallFileName) -> str:
    """The file's name, the inverse of parse; raises InvalidKey if it could not be parsed back."""
    numbers = f"{name.integration_id}.{name.action_id}.{name.position}"
    text = f"{numbers}.{name.type}.{name.format}"
    if parse_call_name(text) != name:
        raise InvalidKey(f"'{text}' does not name what it should.", "Please report this bug.")
    return text


def parse_call_name(text: str) -> CallFileName:
    """A name from its text; raises InvalidKey for anything but a file of calls."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise InvalidKey(f"'{text}' is not the name of a file of calls.", _FORM)
    numbers = [int(match[group]) for group in (1, 2, 3)]
    if max(numbers) > LARGEST:
        raise InvalidKey(f"A number in '{text}' is larger than an int64.", _FORM)
    integration, action, position = numbers
    return CallFileName(integration, action, position, match[4], match[5])
