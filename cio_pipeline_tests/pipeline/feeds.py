"""Any feed in a few words: something to send in a window, and the run of that window."""

from cio_pipeline.model.feeds import Feed
from cio_pipeline.model.registry import Outcome
from cio_pipeline.pipeline.services import Services
from cio_pipeline_tests.calls.steps import call_row
from cio_pipeline_tests.calls.steps import run as run_calls
from cio_pipeline_tests.messages.sending import commit_messages
from cio_pipeline_tests.messages.sending import row as message
from cio_pipeline_tests.pipeline.test_windows import person
from cio_pipeline_tests.world import World, during


def commit(world: World, feed: Feed, number: int) -> None:
    """Something to be sent in a window."""
    match feed:
        case Feed.DATA_OUT:
            world.commit("people", person(f"p{number}"), at=during(number))
        case Feed.CALLS:
            at = during(0, 10 * number + 5)
            world.commit("calls", call_row("track", {"n": number}, at), at=at)
        case Feed.MESSAGES:
            commit_messages(world, message(f"m{number}"), at=during(number))


def run(world: World, feed: Feed, number: int, services: Services) -> tuple[Outcome, ...]:
    if feed is Feed.CALLS:
        return run_calls(world, number, services)
    export = "people" if feed is Feed.DATA_OUT else "messages"
    return world.run(number, export, services=services)
