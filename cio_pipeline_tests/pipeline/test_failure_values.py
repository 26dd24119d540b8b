"""What went wrong is a value from where it is raised to where it is shown (O8)."""

import json

import pytest

from cio_pipeline.cli.output import print_json
from cio_pipeline.model.breakers import Trip
from cio_pipeline.model.errors import LeaseHeld, Unreachable
from cio_pipeline.model.failures import Failure
from cio_pipeline.model.registry import Outcome
from cio_pipeline.pipeline.in_parallel import caught


def fail(error: Exception) -> Failure | None:
    def work() -> None:
        raise error

    return caught(work)


def test_o8_kind_message_and_next_step_stay_apart_whatever_the_text_holds() -> None:
    found = fail(Unreachable("host: no such name: 'x'.", "Check: the endpoint."))
    assert found == Failure(
        "Unreachable", "host: no such name: 'x'.", "Check: the endpoint.", Trip.FAILED
    )
    assert str(found) == "Unreachable: host: no such name: 'x'. Check: the endpoint."


def test_scripts_read_the_error_as_text_and_whether_another_run_was_at_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = Failure.of(LeaseHeld("It is being worked on by run 7.", "Wait."))
    print_json([Outcome("a", "people", 1, None, error=error), Outcome("b", "people", 1, None)])
    first, second = json.loads(capsys.readouterr().out)
    assert (first["error"], first["held"]) == (
        "LeaseHeld: It is being worked on by run 7. Wait.",
        True,
    )
    assert (second["error"], second["held"]) == (None, False)


def test_no_text_of_an_unforeseen_error_is_kept() -> None:
    assert "pa55word" not in str(fail(ValueError("pa55word")))
