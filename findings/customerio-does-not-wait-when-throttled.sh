#!/usr/bin/env bash
# The Customer.io client retries outages, but not "too many requests", and hides how long to wait.
#
# Its retries cover 500, 502, 503 and 504. A 429 is raised at once, also with `retries=3`, as a text that begins with
# the status: the response and its `Retry-After` are gone, and the text quotes the person's id and attributes. So a
# bulk write loses exactly the people who come after the limit, or puts them into its log. Pace the calls, take the
# status from the beginning of the text, wait by a schedule of your own, and never log the error as it is.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet customerio==3.2.0 requests==2.34.2 urllib3==2.8.0
# The client speaks HTTPS alone.
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "subjectAltName=DNS:localhost" \
  -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
REQUESTS_CA_BUNDLE="$work/cert.pem" "$work/venv/bin/python" - "$work" <<'PY'
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version

from customerio import CustomerIO, CustomerIOException

calls = {"cio_429": 0, "cio_503": 0}


class Track(BaseHTTPRequestHandler):
    """Refuses the first call about each person, takes all later ones."""

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        person = self.path.rpartition("/")[2]
        calls[person] += 1
        self.send_response(int(person[-3:]) if calls[person] == 1 else 200)
        if calls[person] == 1:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Track)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{sys.argv[1]}/cert.pem", f"{sys.argv[1]}/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(f"versions: customerio {version('customerio')}")
said = {}
for person in calls:
    client = CustomerIO("site", "key", host="localhost", port=server.server_port, retries=3)
    try:
        client.identify(person, city="Somewhere")
        said[person] = "arrived"
    except CustomerIOException as error:
        wait = getattr(getattr(error, "response", None), "headers", {}).get("Retry-After")
        said[person] = f"raised: {str(error)[:3]}, quotes the attributes: {'Somewhere' in str(error)}, Retry-After: {wait}"
print("expected: 429 and 503, each with Retry-After: 1, are both waited out")
print(f"seen:     503: {said['cio_503']} ({calls['cio_503']} calls); 429: {said['cio_429']} ({calls['cio_429']} calls)")
as_stated = (
    calls == {"cio_429": 1, "cio_503": 2}
    and said["cio_503"] == "arrived"
    and said["cio_429"] == "raised: 429, quotes the attributes: True, Retry-After: None"
)
print("as stated" if as_stated else "no longer as stated")
sys.exit(not as_stated)
PY
