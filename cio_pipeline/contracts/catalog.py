"""All exports in one place, in the order of the specification's table (D1)."""

import difflib

from cio_pipeline.contracts.declare import CURRENT_VERSION, Export
from cio_pipeline.contracts.exports.campaigns import ACTIONS, BROADCASTS, CAMPAIGNS
from cio_pipeline.contracts.exports.content import DELIVERY_CONTENT
from cio_pipeline.contracts.exports.events import EVENTS, INBOUND
from cio_pipeline.contracts.exports.journeys import OUTPUTS, SUBJECTS
from cio_pipeline.contracts.exports.messages import DELIVERIES
from cio_pipeline.contracts.exports.metrics import METRICS
from cio_pipeline.contracts.exports.objects import OBJECT_ATTRIBUTES, OBJECT_TYPES, OBJECTS
from cio_pipeline.contracts.exports.people import ATTRIBUTES, PEOPLE
from cio_pipeline.model.errors import UnknownExport

VERSIONS = (4, CURRENT_VERSION)

EXPORTS: dict[str, Export] = {
    export.name: export
    for export in (
        DELIVERIES,
        DELIVERY_CONTENT,
        METRICS,
        OUTPUTS,
        PEOPLE,
        SUBJECTS,
        ATTRIBUTES,
        CAMPAIGNS,
        ACTIONS,
        BROADCASTS,
        OBJECTS,
        OBJECT_TYPES,
        OBJECT_ATTRIBUTES,
        EVENTS,
        INBOUND,
    )
}
"""Every export by name."""


def exports_of(version: int) -> tuple[Export, ...]:
    """The exports that a contract version has, in order: 7 in v4, 15 in v5 (D1)."""
    return tuple(export for export in EXPORTS.values() if export.since <= version)


def export(name: str, version: int | None = None) -> Export:
    """An export by name, of any version or of one.

    Raises UnknownExport, which lists the known names and suggests the closest.
    """
    known = EXPORTS if version is None else {e.name: e for e in exports_of(version)}
    found = known.get(name)
    if found is None:
        raise _unknown(name, version, list(known))
    return found


def _unknown(name: str, version: int | None, known: list[str]) -> UnknownExport:
    if name in EXPORTS:
        return UnknownExport(
            f"v{version} has no export '{name}'; it came with v{EXPORTS[name].since}.",
            f"Use version {EXPORTS[name].since}, or one of: {', '.join(known)}.",
        )
    close = difflib.get_close_matches(name.lower(), known, n=1)
    hint = f"Did you mean '{close[0]}'? " if close else ""
    where = "" if version is None else f" in v{version}"
    return UnknownExport(
        f"There is no export '{name}'{where}.", f"{hint}The exports are: {', '.join(known)}."
    )
