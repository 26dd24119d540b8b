"""How much the demo source holds."""

from dataclasses import dataclass

from cio_pipeline.model.errors import InvalidConfig


@dataclass(frozen=True)
class DemoSize:
    """What is simulated.

    `people` and `messages_per_person` are sums over all workspaces at the end of the history;
    the first workspace is the largest. Ten days pass between two edits of a campaign.
    """

    workspaces: int
    people: int
    history_days: int
    messages_per_person: int
    events_per_person: int
    campaigns: int = 8


TINY = DemoSize(
    workspaces=2, people=60, history_days=45, messages_per_person=8, events_per_person=6
)
SMALL = DemoSize(
    workspaces=6, people=3_000, history_days=60, messages_per_person=10, events_per_person=8
)
MEDIUM = DemoSize(
    workspaces=10, people=30_000, history_days=90, messages_per_person=14, events_per_person=10
)
LARGE = DemoSize(
    workspaces=20, people=800_000, history_days=90, messages_per_person=14, events_per_person=10
)

SIZES = {"tiny": TINY, "small": SMALL, "medium": MEDIUM, "large": LARGE}
"""The presets: seconds, about ten seconds, a million metrics, tens of millions of them."""


def named_size(name: str) -> DemoSize:
    """A preset; raises InvalidConfig, naming the known ones."""
    try:
        return SIZES[name]
    except KeyError:
        known = ", ".join(SIZES)
        raise InvalidConfig(f"There is no demo size {name!r}.", f"Choose one of {known}.") from None
