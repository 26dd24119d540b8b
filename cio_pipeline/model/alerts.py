"""Alerts (O3): who is told of what, as `alerts.yaml` says, and incidents as the ledger has them.

Only the shape of the file is checked here, and no secret is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import Field, model_validator

from cio_pipeline.model.destinations import SecretRef, Strict
from cio_pipeline.model.findings import Finding, Severity

NOBODYS = "*"
"""The pattern that also fits what has no owner: a source table, the disk, a target that is down."""


LONGEST_WAIT = timedelta(hours=1)
"""Until a target that is down is tried again. What is longer is of a clock that was ahead."""


class Route(Strict):
    """Whose incidents go where, and from which severity on."""

    owner: Annotated[
        str,
        Field(
            min_length=1,
            description="Pattern of owners, with `*` and `?`; `*` also fits what has no owner.",
        ),
    ]
    targets: Annotated[
        tuple[SecretRef, ...],
        Field(min_length=1, description="References to the URLs that `apprise` knows."),
    ]
    severity: Annotated[
        Severity, Field(description="The least that is told at once; the digest tells all.")
    ] = Severity.ERROR
    digest_hour: Annotated[
        int | None,
        Field(strict=True, ge=0, le=23, description="Hour (UTC) of a daily digest; else none."),
    ] = None

    def fits(self, owner: str | None) -> bool:
        """Whether it takes the incidents of an owner."""
        return fnmatchcase(owner or "", self.owner)


class AlertsFile(Strict):
    """`alerts.yaml`: every route whose pattern fits an incident's owner is told of it."""

    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    ping_url: Annotated[
        SecretRef | None,
        Field(description="Reference to a URL that is asked for while all is looked after."),
    ] = None

    @model_validator(mode="after")
    def _somebody_is_told_of_what_nobody_owns(self) -> Self:
        if not any(route.fits(None) for route in self.routes):
            raise ValueError(
                f"no route has the owner '{NOBODYS}', so nobody would be told of what no sync's "
                "owner has to do with; add one"
            )
        return self

    @property
    def targets(self) -> tuple[str, ...]:
        """All targets, each once, sorted."""
        return tuple(sorted({target for route in self.routes for target in route.targets}))

    def least(self, target: str, owner: str | None) -> Severity | None:
        """The least severity of an owner's incidents that a target is told; None for none."""
        found = {one.severity for one in self.routes if target in one.targets and one.fits(owner)}
        if not found:
            return None
        return Severity.WARNING if Severity.WARNING in found else Severity.ERROR

    def digest_hours(self, target: str) -> frozenset[int]:
        """When a target gets its digests."""
        its = (route.digest_hour for route in self.routes if target in route.targets)
        return frozenset(hour for hour in its if hour is not None)


@dataclass(frozen=True)
class KnownIncident:
    """Something that is or was wrong, from `opened_at` on.

    `finding` is as it was found first, or when it got worse. `gone_since`: it is not found any
    more, and may come back. `closed_at`: it is over since then. `told` and `told_over` are the
    targets that know of its beginning and of its end.
    """

    number: int
    finding: Finding
    opened_at: datetime
    gone_since: datetime | None = None
    closed_at: datetime | None = None
    told: frozenset[str] = frozenset()
    told_over: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Changes:
    """What a look at the findings makes of the open incidents, by number.

    `worse` are errors now, `moved` have another owner.
    """

    opened: tuple[Finding, ...] = ()
    worse: Mapping[int, Finding] = field(default_factory=dict[int, Finding])
    moved: Mapping[int, Finding] = field(default_factory=dict[int, Finding])
    gone: frozenset[int] = frozenset()
    back: frozenset[int] = frozenset()
    closed: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        """Whether anything is to be kept."""
        return any(vars(self).values())


@dataclass(frozen=True)
class TargetState:
    """How a target does: when it may be sent to again, and what went wrong since when.

    `digest_at` is the hour of the last digest that it got.
    """

    target: str
    next_at: datetime
    digest_at: datetime
    failures: int = 0
    since: datetime | None = None
    problem: str = ""

    def waits(self, now: datetime) -> bool:
        """Whether it is not to be sent to yet."""
        return now < self.next_at <= now + LONGEST_WAIT


@dataclass(frozen=True)
class Message:
    """What one target is told at a time, and which incidents' beginnings and ends that tells."""

    title: str
    body: str
    opened: frozenset[int] = frozenset()
    over: frozenset[int] = frozenset()
    digest_at: datetime | None = None
