"""A run in a process of its own, told what to do in JSON on its command line.

`python -m cio_pipeline_tests.faults.child '{"root": …}'` runs window 1 of a prepared world.
"""

import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event

from cio_pipeline.model.errors import CioError
from cio_pipeline_tests.crashes import watched
from cio_pipeline_tests.world import World, window


def kill() -> None:
    """Die at once, as by the system's memory killer: nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Kill:
    """Dies at the `nth` effect of a name: before it, after it, or in the middle of it."""

    name: str
    moment: str = "before"
    nth: int = 1

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:
        self.nth -= name == self.name
        if name != self.name or self.nth:
            return effect()
        if self.moment == "before":
            kill()
        if self.moment == "after":
            effect()
            kill()
        return self._torn(effect)

    def _torn(self, effect: Callable[[], Any]) -> None:
        """Half of it: an object without its name, a transaction without its commit."""
        self._arm()
        effect()
        raise AssertionError(f"nothing was torn in {self.name}")

    def _arm(self) -> None:
        os.link = lambda *_: kill()
        event.listen(WORLD[0].ledger.database.engine, "commit", lambda _: kill())


@dataclass
class KillWhileEncoding:
    """Dies as soon as there is a file in the spool."""

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:
        found = effect()
        if name == "spool.folder":
            threading.Thread(target=self._watch, args=(found,), daemon=True).start()
        return found

    def _watch(self, folder: Path) -> None:
        while not any(folder.iterdir()):
            pass
        kill()


@dataclass
class Full:
    """No file can grow beyond `limit` bytes while effects of some names, or an encoding, last.

    The limit is the process's, as a quota's would be: write(2) fails with EFBIG.
    """

    names: tuple[str, ...]
    limit: int = 1000

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:
        if name == "spool.folder" and "encode" in self.names:
            found = effect()
            _limit(self.limit)
            return found
        if name not in self.names:
            _limit(resource.RLIM_INFINITY)
            return effect()
        with _limited(self.limit):
            return effect()


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextmanager
def _limited(size: int) -> Any:
    _limit(size)
    try:
        yield
    finally:
        _limit(resource.RLIM_INFINITY)


WORLD: list[World] = []
OBSERVERS = {"kill": Kill, "encoding": KillWhileEncoding, "full": Full}


def main(order: dict[str, Any]) -> dict[str, Any]:
    """Run window 1 and say what came of it."""
    world = World(Path(order["root"]), now=window(1).end + timedelta(seconds=1), durable=True)
    WORLD.append(world)
    kind, options = order["observer"]
    observer = OBSERVERS[kind](**options)
    try:
        services = replace(watched(world.services, observer, "child"), threads=1)
        done = world.run(1, *order["exports"], services=services)
    except CioError as error:
        return {"raised": type(error).__name__, "message": str(error)}
    return {"errors": [str(one.error) for one in done if one.error]}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))  # noqa: T201 - the parent reads it
