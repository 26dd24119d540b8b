"""Names of events are data of others: however odd, they hold up no commit and no alert."""

from pathlib import Path

import pytest

from cio_pipeline.changesets.counted import LONGEST
from cio_pipeline.ledger.open import Ledger
from cio_pipeline.model.alerts import Changes
from cio_pipeline.model.findings import Finding, Severity
from cio_pipeline.model.volumes import DAY, EVENT, ended
from cio_pipeline_tests.world import NOON, World, during, window


@pytest.mark.parametrize(
    "names",
    [("n" * LONGEST + "1", "n" * LONGEST + "2"), ("a\x00b", "ab"), ("", " ")],
    ids=["equal where they are cut", "with a NUL", "without a word"],
)
def test_o1_odd_names_of_events_are_counted_and_committed(
    url: str, tmp_path: Path, names: tuple[str, ...]
) -> None:
    world = World(tmp_path / "world", ledger_url=url)
    world.sync("a", exports=["events"])
    world.run(0, "events")
    rows = [{"event_id": f"e{n}", "name": name} for n, name in enumerate(names)]
    world.commit("events", *rows, at=during(1))

    world.run(1, "events")

    day = ended(window(1).end, DAY) + DAY
    found = world.ledger.volumes.of(DAY, [day])[day]
    events = {kind: one.rows for (_, _, kind), one in found.items() if kind.startswith(EVENT)}
    assert sum(events.values()) == len(names)
    assert world.read("events").height == len(names)
    assert world.verify().ok
    world.ledger.close()


def test_o3_what_an_incident_is_about_is_stored_whatever_it_is_called(ledger: Ledger) -> None:
    odd = Finding("volumes", Severity.ERROR, "x", "y", "z", about="event a\x00b\ud800")

    ledger.alerts.keep(Changes(opened=(odd,)), NOON)
    (kept,) = ledger.alerts.known(NOON)

    assert kept.finding.about == "event ab?"
