#!/usr/bin/env bash
# delta-rs takes a transaction of an application that it took before.
#
# A Delta commit can carry an application's id and a number, so that a loader that died after its commit and
# starts again writes its batch once. deltalake compares these only with commits that were made since the
# table was opened. Whoever opens the table anew, as a restarted loader does, can commit the same number
# again, and a lower one too: the batch is there twice, and the table's own record of the number goes back.
# A pipeline has to read transaction_version() itself, and check it once more against the table that its
# commit builds on.
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

table = f"{sys.argv[1]}/calls"


def append(number, opened=None):
    """Append a page of two rows as transaction `number` of the puller."""
    mark = deltalake.Transaction("puller", number)
    deltalake.write_deltalake(
        opened or table,
        pa.table({"page": [number, number]}),
        mode="append",
        commit_properties=deltalake.CommitProperties(app_transactions=[mark]),
    )


def state():
    now = deltalake.DeltaTable(table)
    return now.to_pyarrow_table().num_rows, now.transaction_version("puller")


print(f"versions: deltalake {deltalake.__version__}, pyarrow {pa.__version__}")
append(1)
before = deltalake.DeltaTable(table)
append(7)
try:
    append(7, before)
    overlapping = "accepted"
except DeltaError as error:
    overlapping = type(error).__name__
seen = [state()]
for number in (7, 3):
    append(number)
    seen.append(state())
print(f"a repeat of 7 by a writer that opened the table before it: {overlapping}")
print("expected: a repeat of 7, and 3 after 7, are refused or left out: 4 rows, number 7")
for what, (rows, number) in zip(("7 once", "7 again", "3 after"), seen, strict=True):
    print(f"seen:     {what}: {rows} rows, number {number}")
as_stated = overlapping != "accepted" and seen == [(4, 7), (6, 7), (8, 3)]
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
