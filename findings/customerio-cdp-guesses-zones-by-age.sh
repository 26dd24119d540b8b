#!/usr/bin/env bash
# The Customer.io CDP client takes one and the same time for local or for UTC, by how long ago it is.
#
# A time without a zone (datetime.now(), or what a database gives for "timestamp") is read as local if it is
# less than five seconds old, or in the future, and as UTC if it is older. So an event that is sent at once has
# the right time, and the same event that waited in a queue, or is sent again, is hours off; history
# that is imported is shifted against what came live. Nothing is raised or logged, and the package's documentation
# does not tell. It is so in Segment's client, too, which it comes from. A pipeline that sends calls has to give
# times a zone itself. On a machine whose zone is UTC, as in CI, no test can find it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet customerio-cdp-analytics==1.1.0 segment-analytics-python==2.4.0
TZ=America/New_York "$work/venv/bin/python" - <<'PY'
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from customerio.analytics.client import Client as CustomerIO
from segment.analytics.client import Client as Segment

AGES = {
    "two minutes ago": timedelta(minutes=-2),
    "just now": timedelta(0),
    "in two minutes": timedelta(minutes=2),
}


def sent(client, at):
    """The time of the message that the client makes, in UTC."""
    message = client.track("ann", "renewed", timestamp=at)
    message = message[1] if isinstance(message, tuple) else message
    return datetime.fromisoformat(message["timestamp"]).astimezone(UTC)


def hours_off(client, age, zone=False):
    """How far what is sent lies from the moment that a local clock meant."""
    at = datetime.now() + age
    at = at.astimezone() if zone else at
    # the message has milliseconds alone; + 0.0 makes -0.0 of the rest 0.0
    return round((sent(client, at) - at.astimezone(UTC)).total_seconds() / 3600, 3) + 0.0


clients = {
    "customerio-cdp-analytics": CustomerIO("key", send=False, sync_mode=False),
    "segment-analytics-python": Segment("key", send=False, sync_mode=False),
}
local = datetime.now().astimezone().utcoffset().total_seconds() / 3600
print("versions:", ", ".join(f"{name} {version(name)}" for name in clients))
print(f"local time: {local:+} hours from UTC")
seen, aware = {}, {}
for name, client in clients.items():
    seen[name] = [hours_off(client, age) for age in AGES.values()]
    aware[name] = [hours_off(client, age, zone=True) for age in AGES.values()]
    print(f"expected: 0 hours off for all three, or {local:+} for all three, or an error")
    for when, off in zip(AGES, seen[name], strict=True):
        print(f"seen:     {off:+} hours off for {when}, by {name}")
    print(f"seen:     {aware[name]} hours off for the same times with a zone")
as_stated = all(
    seen[name] == [local, 0.0, 0.0] and aware[name] == [0.0, 0.0, 0.0] for name in clients
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
