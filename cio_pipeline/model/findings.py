"""What is wrong, as a value: a check in Dagster, a line of `doctor` and an alert are made of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

Incident: TypeAlias = tuple[str, str | None, str | None, str | None]
"""Check, sync, export, and what else it is about."""


class Severity(StrEnum):
    """How much a finding matters: `error` wants somebody now, `warning` this week."""

    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (O1), in words for people.

    `check` is the stable name of what found it, `says` what was seen (and expected), `cause` what
    it probably comes from, `command` what to run next. What concerns no single sync, export or
    window has None there; `about` then names what it concerns, such as a source table. `owner` is
    the sync's (O3). No personal data and no secret in any text.
    """

    check: str
    severity: Severity
    says: str
    cause: str
    command: str
    sync_id: str | None = None
    owner: str | None = None
    export: str | None = None
    window_end: datetime | None = None
    about: str | None = None

    @property
    def incident(self) -> Incident:
        """What stays equal while the same thing is wrong, window after window (O3)."""
        return self.check, self.sync_id, self.export, self.about
