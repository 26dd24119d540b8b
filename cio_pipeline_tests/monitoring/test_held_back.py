"""What rows that are held back are put down to."""

from datetime import UTC, datetime

import pytest

from cio_pipeline.monitoring.held_back import Held, held_back

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("the key template gives null to join()", "The sync's key_template"),
        ("the key has a '.' or '..' in it", "The sync's key_template"),
        ("its payload is no JSON object", "What writes the source"),
    ],
)
def test_o1_messages_without_a_key_are_put_down_to_their_template(reason: str, cause: str) -> None:
    held = Held(("a", "messages"), {reason: 3, "it has no timestamp": 1}, NOON)
    (found,) = held_back(NOON, [held], {}, {"a": None})
    assert found.cause.startswith(cause)
