"""Watching the effects of a run, and crashing it at any of them.

Every call of the ledger, of a destination, of the source's reads and of the spool is one effect. A
proxy tells an observer of each. `Fuse` is the observer that counts them and dies at the chosen
one: `Crash` is no Exception, so nothing in the product may catch and survive it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from cio_pipeline.files.spool import Spool
from cio_pipeline.pipeline.services import Services
from cio_pipeline.ports import Destination

WITHOUT_EFFECT = {"await_turn", "describe", "path"}


class Observer(Protocol):
    """Sees every effect of a run, and makes it happen or not."""

    def burn(self, name: str, effect: Callable[[], Any]) -> Any: ...


class Crash(BaseException):
    """The process died."""


@dataclass
class Fuse:
    """Burns down with each effect, and crashes before number `at`, from 1.

    What is done after an effect and before the next is lost with the process, so dying after an
    effect is dying before the next one; only after the last effect there is none.
    """

    at: int | None = None
    names: list[str] = field(default_factory=list)
    blown: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:
        with self.lock:
            self.look()
            if not self.blown:
                self.names.append(name)
                self.blown = len(self.names) == self.at
            if self.blown:
                raise Crash(name)
        return effect()

    def look(self) -> None:
        """What is to be seen before an effect, while none of another thread begins."""


class Watched:
    """Any object, each call of whose methods is an effect."""

    def __init__(self, inner: Any, name: str, observer: Observer) -> None:
        self._inner, self._name, self._observer = inner, name, observer

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found) or name in WITHOUT_EFFECT:
            return found
        return lambda *args, **named: self._observer.burn(
            f"{self._name}.{name}", lambda: found(*args, **named)
        )


class WatchedLedger:
    """A ledger, each of whose parts is watched."""

    def __init__(self, inner: Any, observer: Observer) -> None:
        self._inner, self._observer = inner, observer

    def __getattr__(self, part: str) -> Any:
        return Watched(getattr(self._inner, part), part, self._observer)


def watched(services: Services, observer: Observer, owner: str) -> Services:
    """The services of a run that an observer watches."""

    def opened(sync: Any) -> Destination:
        return Watched(services.destinations(sync), "destination", observer)  # type: ignore[return-value]

    seen: dict[str, Any] = {
        "source": Watched(services.source, "source", observer),
        "ledger": WatchedLedger(services.ledger, observer),
        "spool": Watched(services.spool, "spool", observer),
    }
    return replace(services, owner=owner, destinations=opened, **seen)


class NotedSpool(Spool):
    """A spool that notes the folders that were asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.made: set[str] = set()

    def folder(self, name: str) -> Path:
        self.made.add(name)
        return super().folder(name)
