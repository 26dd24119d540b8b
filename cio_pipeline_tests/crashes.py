"""Crashing a run in process, before or after any of its effects.

Every call of the ledger, of a destination and of the source's reads is one effect. A proxy counts
them and raises at the chosen one, as if the process had died there: `Crash` is no Exception, so
nothing in the product may catch and survive it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from cio_pipeline.pipeline.ports import Destination
from cio_pipeline.pipeline.services import Services

LEDGER_PARTS = ("registry", "cuts", "leases", "plans", "errors", "manifests", "quarantine")


class Crash(BaseException):
    """The process died."""


@dataclass
class Fuse:
    """Burns down with each effect; `after` crashes once the effect is done, else before it."""

    at: int | None = None
    after: bool = False
    count: int = 0
    names: list[str] = field(default_factory=list)
    blown: bool = False

    def burn(self, name: str, effect: Callable[[], Any]) -> Any:
        if self.blown:
            raise Crash(name)
        self.count += 1
        self.names.append(name)
        if self.count != self.at:
            return effect()
        if self.after:
            effect()
        self.blown = True
        raise Crash(name)


class _Watched:
    """Any object, each call of whose methods is an effect."""

    def __init__(self, inner: Any, name: str, fuse: Fuse) -> None:
        self._inner, self._name, self._fuse = inner, name, fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found
        return lambda *args, **named: self._fuse.burn(
            f"{self._name}.{name}", lambda: found(*args, **named)
        )


class _WatchedLedger:
    def __init__(self, inner: Any, fuse: Fuse) -> None:
        self.attempts = inner.attempts
        for part in LEDGER_PARTS:
            setattr(self, part, _Watched(getattr(inner, part), part, fuse))


def fused(services: Services, fuse: Fuse, owner: str) -> Services:
    """The services of a run that dies where the fuse says."""

    def opened(sync: Any) -> Destination:
        return _Watched(services.destinations(sync), "destination", fuse)  # type: ignore[return-value]

    return replace(
        services,
        owner=owner,
        source=_Watched(services.source, "source", fuse),
        ledger=_WatchedLedger(services.ledger, fuse),
        destinations=opened,
    )
