"""A process that runs windows when it is told to, at its own pace: one JSON line in, one out.

An order is {"root", "ledger_url", "owner", "window", "seed" or "wait"}: a seed gives random delays
before effects; `wait` names a file: it is made once the lease is held, and the run goes on when it
is removed.
"""

import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from cio_pipeline.model.scope import Scope
from cio_pipeline.pipeline.committing.commit import commit_window
from cio_pipeline.pipeline.run_export import deliver_export, plan_export
from cio_pipeline_tests.crashes import Observer, watched
from cio_pipeline_tests.world import World, window


@dataclass
class Delays:
    """Up to 10 ms before some of the effects."""

    chance: random.Random

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:  # noqa: ARG002 - an Observer's
        if self.chance.random() < 0.3:
            time.sleep(self.chance.random() / 100)
        return effect()


@dataclass
class Waits:
    """Holds its lease until somebody removes a file."""

    file: Path

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:
        if name == "plans.seal" and not self.file.exists():
            self.file.touch()
            while self.file.exists():
                time.sleep(0.01)
        return effect()


def obey(order: dict[str, Any]) -> dict[str, Any]:
    """Run one window of people; who was busy, what was sent, which manifests were written."""
    at = window(order["window"])
    world = World(Path(order["root"]), order["ledger_url"], now=at.end + timedelta(seconds=1))
    observer: Observer = (
        Waits(Path(order["wait"])) if "wait" in order else Delays(random.Random(order["seed"]))  # noqa: S311 - no secret
    )
    services = watched(world.services, observer, order["owner"])
    try:
        batch = plan_export(services, "people", at, Scope())
        done = deliver_export(services, batch)
        written = commit_window(services, at)
    except Exception as error:  # noqa: BLE001 - told to the test, which fails with it
        return {"raised": repr(error)}
    finally:
        world.ledger.close()
    return {
        "busy": [[one.sync_id, one.owner] for one in batch.busy],
        "sent": [one.sync_id for one in done if one.files],
        "errors": [str(one.error) for one in done if one.error],
        "written": [[one.sync_id, one.ordinal, one.error and str(one.error)] for one in written],
    }


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(obey(json.loads(line))), flush=True)  # noqa: T201 - the parent reads it
