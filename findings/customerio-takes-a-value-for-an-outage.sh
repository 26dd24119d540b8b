#!/usr/bin/env bash
# The Customer.io client reports a value that it cannot write as an outage of the platform.
#
# Scores of a warehouse come as decimals, as DuckDB, PostgreSQL and Snowflake give them to Python. JSON has none, so
# the request is never made; but every error on the way, a TypeError too, is raised as "no valid response after 3
# retries", with the address of the status page. A write-back that waits and tries again on outages does so for
# ever, and whoever is called at night looks at the network. Turn decimals into floats or texts first, and look at
# what the error was raised from (`__cause__`), not at its text.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet customerio==3.2.0 requests==2.34.2 urllib3==2.8.0
"$work/venv/bin/python" - <<'PY'
import sys
import threading
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version

from customerio import CustomerIO, CustomerIOException

seen = []


class Track(BaseHTTPRequestHandler):
    def do_PUT(self):
        seen.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Track)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = CustomerIO("site", "key", retries=3)
client.base_url = f"http://127.0.0.1:{server.server_port}/api/v1"
print(f"versions: customerio {version('customerio')}")
client.identify("ann", score=12.5)
requests = len(seen)
try:
    client.identify("ann", score=Decimal("12.5"))
    told, cause = "no error", None
except CustomerIOException as error:
    told, cause = str(error), type(error.__cause__).__name__
print("expected: an error that says that the value of score is no JSON")
print(f"seen:     {told.splitlines()[0]!r}, raised from {cause}; requests made: {len(seen) - requests}")
as_stated = requests == 1 and len(seen) == 1 and "after 3 retries" in told and cause == "TypeError"
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
