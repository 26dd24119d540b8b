"""Which rule belongs to which export."""

from collections.abc import Mapping

from cio_pipeline.changesets import activity, campaigns, messages, objects, people
from cio_pipeline.changesets.reading import Rule, as_they_are

RULES: Mapping[str, Rule] = {
    "deliveries": as_they_are,
    "delivery_content": messages.delivery_content,
    "metrics": messages.metrics,
    "outputs": as_they_are,
    "people": people.people,
    "subjects": as_they_are,
    "attributes": people.attributes,
    "campaigns": campaigns.with_topics,
    "actions": campaigns.actions,
    "broadcasts": campaigns.with_topics,
    "objects": objects.objects,
    "object_types": objects.objects,
    "object_attributes": objects.object_attributes,
    "events": activity.events,
    "inbound": activity.inbound,
}
"""The rule of every export, by the export's name."""
