"""All source tables that the feeds are computed from, by name."""

from cio_pipeline.contracts.tables.campaigns import ACTIONS, BROADCASTS, CAMPAIGNS
from cio_pipeline.contracts.tables.events import EVENTS, INBOUND
from cio_pipeline.contracts.tables.feeds import CALLS, MESSAGES
from cio_pipeline.contracts.tables.journeys import OUTPUTS, SUBJECTS
from cio_pipeline.contracts.tables.messages import DELIVERIES, DELIVERY_CONTENT, METRICS
from cio_pipeline.contracts.tables.objects import OBJECT_ATTRIBUTES, OBJECT_TYPES, OBJECTS
from cio_pipeline.contracts.tables.people import ATTRIBUTES, PEOPLE

SOURCE_TABLES = {
    table.name: table
    for table in (
        PEOPLE,
        ATTRIBUTES,
        DELIVERIES,
        DELIVERY_CONTENT,
        METRICS,
        SUBJECTS,
        OUTPUTS,
        CAMPAIGNS,
        ACTIONS,
        BROADCASTS,
        OBJECTS,
        OBJECT_TYPES,
        OBJECT_ATTRIBUTES,
        EVENTS,
        INBOUND,
        CALLS,
        MESSAGES,
    )
}
"""All source tables by name."""
