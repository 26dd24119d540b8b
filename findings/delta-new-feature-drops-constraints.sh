#!/usr/bin/env bash
# Adding a table feature with delta-rs silently ends the CHECK constraints and the change feed of a table.
#
# Up to writer version 6, a table's version says what every writer has to respect. From version 7 on, only
# what is listed as a feature counts, so an upgrade has to list all that the old version implied.
# deltalake's add_feature() lists the new one alone. The constraint and the feed are still configured, and
# no longer obeyed: a row that breaks the constraint is committed, and an update leaves no pre- and
# postimages, so that a reader of the feed sees whole files go and come. A pipeline that relies on either
# has to look at the protocol's features, not at the table's settings.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet deltalake==1.6.6 arro3-core==0.9.1 pyarrow==26.0.1
"$work/venv/bin/python" - "$work" <<'PY'
import sys

import deltalake
import pyarrow as pa
from deltalake.exceptions import DeltaError

FEED = "delta.enableChangeDataFeed"


def tried(table):
    """What becomes of a bad row, and which changes the feed tells of for an update of one row."""
    deltalake.DeltaTable(table).update(updates={"amount": "50"}, predicate="amount = 5")
    opened = deltalake.DeltaTable(table)
    version = opened.version()
    changes = pa.table(opened.load_cdf(version, version).read_all())["_change_type"]
    try:
        deltalake.write_deltalake(table, pa.table({"amount": [-1]}), mode="append")
        return "accepted", sorted(set(changes.to_pylist()))
    except DeltaError:
        return "refused", sorted(set(changes.to_pylist()))


seen, told = {}, {}
for name in ("as it was", "with a new feature"):
    table = f"{sys.argv[1]}/{name.replace(' ', '-')}"
    rows = pa.table({"amount": pa.array([5, 6, 7], pa.int64())})
    deltalake.write_deltalake(table, rows, configuration={FEED: "true"})
    opened = deltalake.DeltaTable(table)
    opened.alter.add_constraint({"positive": "amount > 0"})
    if name == "with a new feature":
        opened.alter.add_feature(
            deltalake.TableFeatures.DeletionVectors, allow_protocol_versions_increase=True
        )
    seen[name] = tried(table)
    now = deltalake.DeltaTable(table)
    told[name] = (now.protocol().writer_features, sorted(now.metadata().configuration))

print(f"versions: deltalake {deltalake.__version__}, pyarrow {pa.__version__}")
for name, (features, settings) in told.items():
    print(f"{name}: writer features {features}, settings {settings}")
right = ("refused", ["update_postimage", "update_preimage"])
print(f"expected: {right} of both tables")
for name, found in seen.items():
    print(f"seen:     {found} of the table {name}")
as_stated = (
    seen == {"as it was": right, "with a new feature": ("accepted", ["delete", "insert"])}
    and told["with a new feature"][0] == ["deletionVectors"]
    and told["as it was"][1] == told["with a new feature"][1]
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
