"""What is made for a call that its SDK did not send, so that it can be told from what was (C2, C4).

A made id has a form of its own, and a sent one of that form stands in `extra` as well; so do a sent
`receivedAt` always, and a sent `userId` that is the email which would stand in for it.
"""

import hashlib
import re
from typing import cast

from cio_pipeline.model.json_text import decoded

_MADE_ID = re.compile(r"[0-9a-f]{32}")


def made_id(call_id: str) -> str:
    """The message id of a call that has none: its row's id, hashed if that has another form."""
    if looks_made(call_id):
        return call_id
    return hashlib.sha256(call_id.encode()).hexdigest()[:32]


def looks_made(message_id: str) -> bool:
    """Whether an id has the form of those that are made."""
    return _MADE_ID.fullmatch(message_id) is not None


def email_of(traits: str) -> str | None:
    """The email in the JSON text of traits that stands in for a user id (C4); None if none does."""
    if not traits.startswith("{"):
        return None
    email = cast("dict[str, object]", decoded(traits)).get("email")
    return email if isinstance(email, str) and email else None


def clean(text: str) -> str:
    """The text with `?` for halves of surrogate pairs, which no UTF-8 can hold."""
    return text.encode(errors="replace").decode()
