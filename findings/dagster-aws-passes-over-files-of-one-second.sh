#!/usr/bin/env bash
# Dagster's get_objects for S3 sensors never gives a file that arrives in the second of the cursor's file.
#
# A sensor asks for what is newer than its cursor. S3 tells when an object was modified in whole seconds, and keys of
# one second stand in the order of the alphabet. With `since_key`, an object that comes later in that second with a
# key before the cursor's is taken for seen; with `since_last_modified`, all that come later in that second are. Both
# are skipped at every tick to come, without a word, while a plain listing has them. (The documentation warns of
# keys that are written again, and calls the time non-inclusive; of objects that are only ever new it says nothing.)
# A writer that puts several files at once meets this sooner or later. Ask from a minute before the cursor, and
# let run keys drop what was seen. moto stands for S3 here, its clock held still by freezegun.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet dagster==1.13.27 dagster-aws==0.29.27 boto3==1.44.8 moto[s3]==5.2.5 freezegun==1.5.5
mkdir "$work/home"
export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=us-east-1
DAGSTER_HOME="$work/home" DAGSTER_DISABLE_TELEMETRY=1 "$work/venv/bin/python" -W ignore - <<'PY'
import sys
from datetime import datetime
from importlib.metadata import version

import boto3
from dagster import DagsterInstance, RunRequest, SkipReason, build_sensor_context, sensor
from dagster_aws.s3.sensor import get_objects
from freezegun import freeze_time
from moto import mock_aws

# What arrives before each tick of the sensor, and when.
TICKS = [
    ("2024-06-01T12:00:00.100Z", ["feed/opens-1.csv"]),
    ("2024-06-01T12:00:00.700Z", ["feed/clicks-1.csv", "feed/people-1.csv"]),
    ("2024-06-01T12:00:05.000Z", ["feed/opens-2.csv"]),
    ("2024-06-01T12:05:00.000Z", []),
]


@sensor(job_name="load")
def by_key(context):
    found = get_objects("bucket", "feed/", since_key=context.cursor, client=client)
    if not found:
        return SkipReason("nothing new")
    context.update_cursor(found[-1]["Key"])
    return [RunRequest(run_key=file["Key"]) for file in found]


@sensor(job_name="load")
def by_time(context):
    since = datetime.fromisoformat(context.cursor) if context.cursor else None
    found = get_objects("bucket", "feed/", since_last_modified=since, client=client)
    if not found:
        return SkipReason("nothing new")
    context.update_cursor(found[-1]["LastModified"].isoformat())
    return [RunRequest(run_key=file["Key"]) for file in found]


print("versions:", ", ".join(f"{name} {version(name)}" for name in ("dagster", "dagster-aws", "boto3", "moto")))
runs = {"since_key": [], "since_last_modified": []}
cursors = dict.fromkeys(runs)
with mock_aws(), DagsterInstance.ephemeral() as instance:
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    for moment, keys in TICKS:
        with freeze_time(moment):
            for key in keys:
                client.put_object(Bucket="bucket", Key=key, Body=b"id\n1\n")
            for name, tick in (("since_key", by_key), ("since_last_modified", by_time)):
                told = tick.evaluate_tick(build_sensor_context(instance, cursor=cursors[name]))
                runs[name] += [run.run_key for run in told.run_requests or []]
                cursors[name] = told.cursor
    listed = client.list_objects_v2(Bucket="bucket", Prefix="feed/")["Contents"]
print("expected:", sorted(file["Key"] for file in listed), "as a listing has them")
for name, keys in runs.items():
    print("seen:    ", keys, "after four ticks with", name)
arrived = sorted(key for _, keys in TICKS for key in keys)
as_stated = sorted(file["Key"] for file in listed) == arrived
as_stated = as_stated and runs["since_key"] == ["feed/opens-1.csv", "feed/people-1.csv", "feed/opens-2.csv"]
as_stated = as_stated and runs["since_last_modified"] == ["feed/opens-1.csv", "feed/opens-2.csv"]
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
