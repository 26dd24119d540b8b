"""The ledger as a whole."""

from typing import Protocol

from cio_pipeline.pipeline.ports.recovery import Recovery
from cio_pipeline.pipeline.ports.sent import Gone, Manifests, Quarantine
from cio_pipeline.pipeline.ports.syncs import Breakers, Changes, History, Registry
from cio_pipeline.pipeline.ports.work import Attempts, Cuts, Errors, Leases, Plans, SourceBreaches


class Ledger(Protocol):
    """The state of everything; each part is small and stands for one concept."""

    @property
    def registry(self) -> Registry:
        """Which syncs there are."""
        ...

    @property
    def changes(self) -> Changes:
        """What becomes of a sync."""
        ...

    @property
    def history(self) -> History:
        """What became of it so far."""
        ...

    @property
    def cuts(self) -> Cuts:
        """What each window's end means."""
        ...

    @property
    def leases(self) -> Leases:
        """Who works on what."""
        ...

    @property
    def plans(self) -> Plans:
        """What is being sent."""
        ...

    @property
    def errors(self) -> Errors:
        """What went wrong."""
        ...

    @property
    def manifests(self) -> Manifests:
        """What was sent, chained."""
        ...

    @property
    def quarantine(self) -> Quarantine:
        """What was held back."""
        ...

    @property
    def gone(self) -> Gone:
        """Who stays anonymous."""
        ...

    @property
    def breaches(self) -> SourceBreaches:
        """What the source did against its contract."""
        ...

    @property
    def attempts(self) -> Attempts:
        """How often the sensor tried."""
        ...

    @property
    def breakers(self) -> Breakers:
        """Who is left alone, for now or until somebody acts."""
        ...

    @property
    def recovery(self) -> Recovery:
        """What was sent, to mend what was lost."""
        ...
