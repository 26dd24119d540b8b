"""A run of window 1 in a process of its own, which may die.

It is forked from a process that has imported all that it needs and done nothing else: importing
takes several times as long as what most of them do.
"""

import json
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import event

from cio_pipeline.model.errors import CioError
from cio_pipeline_tests.crashes import Observer, watched
from cio_pipeline_tests.waiting import PATIENCE
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
    """Dies as soon as there is a file in the spool; puts none before."""

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:
        if name == "destination.put":
            threading.Event().wait(PATIENCE)
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
OBSERVERS: dict[str, Callable[..., Observer]] = {
    "kill": Kill,
    "encoding": KillWhileEncoding,
    "full": Full,
}


class Done(NamedTuple):
    """How a process ended (minus the signal that killed it), and all that it said."""

    returncode: int
    said: str


def run_child(world: World, export: str, observer: str, **options: Any) -> Done:
    """Run window 1 of a world, whose own ledger is closed for it, under one of `OBSERVERS`."""
    world.ledger.close()
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload([__name__])
    said = world.root.with_name("said")
    process = forking.Process(target=_speak, args=(said, world.root, export, observer, options))
    process.start()
    process.join()
    assert process.exitcode is not None
    return Done(process.exitcode, said.read_text())


def _speak(said: Path, root: Path, export: str, observer: str, options: dict[str, Any]) -> None:
    with said.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    threads = Path(f"/proc/{os.getppid()}/task").glob("*/comm")
    assert "polars-0\n" not in {one.read_text() for one in threads}, "its locks may hang us"
    world = World(root, now=window(1).end + timedelta(seconds=1), durable=True)
    WORLD.append(world)
    print(json.dumps(_run(world, export, OBSERVERS[observer](**options))), flush=True)  # noqa: T201 - the parent reads it


def _run(world: World, export: str, observer: Observer) -> dict[str, Any]:
    """Run window 1 and say what came of it."""
    try:
        services = replace(watched(world.services, observer, "child"), threads=1)
        done = world.run(1, export, services=services)
    except CioError as error:
        return {"raised": type(error).__name__, "message": str(error)}
    return {"errors": [str(one.error) for one in done if one.error]}
