#!/usr/bin/env python3
"""Receives the records of a running gateway as a collector of logs would, and reads them with OpenTelemetry's
own definitions.

    otlp.py REMIT FOLDER      GATEWAY_ADMIN and ADMIN_KEY name the gateway
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

received = []
answers = [503, 200]


class Collector(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        status = answers.pop(0) if answers else 200
        if status == 200:
            received.append(json_format.Parse(body, ExportLogsServiceRequest()))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


def logs():
    return [log for request in received for r in request.resource_logs for s in r.scope_logs for log in s.log_records]


def ids():
    return [a.value.string_value for log in logs() for a in log.attributes if a.key == "remit.record.id"]


def main():
    remit, folder = sys.argv[1:3]
    results = []

    def check(name, fine):
        results.append(bool(fine))
        print(f"{'ok' if fine else 'FAILED'} {name}")

    operator = {"REMIT_URL": os.environ["GATEWAY_ADMIN"], "REMIT_OPERATOR_KEY": os.environ["ADMIN_KEY"]}
    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1/logs"

    def export(*more):
        command = [remit, "-C", folder, "evidence", "export", *more]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **operator})

    with tempfile.TemporaryDirectory() as place:
        cursor = Path(place) / "cursor"
        away = export("--otlp", url, "--cursor", str(cursor))
        check("a collector that is busy gets nothing past it", away.returncode != 0 and not cursor.exists())
        sent = export("--otlp", url, "--cursor", str(cursor))
        lines = [json.loads(line) for line in export().stdout.splitlines()]
        check("every record arrives once", sent.returncode == 0 and len(lines) == len(set(ids())) == len(ids()) > 0)
        events = {log.event_name for log in logs()}
        check("kinds are events", {"remit.key", "remit.policy"} <= events)
        check("times are those of the records", all(log.time_unix_nano > 10**18 for log in logs()))
        again = export("--otlp", url, "--cursor", str(cursor))
        check("an export goes on where the last one ended", again.returncode == 0 and len(ids()) == len(lines))
        forged = json.loads(cursor.read_text())
        forged["last"] = "0" * 64
        cursor.write_text(json.dumps(forged))
        other = export("--otlp", url, "--cursor", str(cursor))
        check("a cursor of another gateway is refused", other.returncode != 0 and "older copy" in other.stderr)
    server.shutdown()
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
