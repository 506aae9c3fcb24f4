"""Prepares for some seconds, tells how far it is, and listens only then."""

from __future__ import annotations

import argparse
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STEPS = ["Reading the configuration", "Loading the model", "Building the index", "Warming up"]
PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Slow start</title>
<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto">
<h1>That took a while</h1>
<p>This application prepared itself before it listened. Requests that came meanwhile waited, and one process was
started for all of them. Now that it runs, <a href="./">it answers at once</a>.</p></body></html>
"""


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)


def prepare(seconds: float) -> None:
    parts = 4 * len(STEPS)
    for part in range(parts):
        step = STEPS[part // 4]
        print(f"[{100 * part // parts:3d} %] {step} ({part % 4 + 1} of 4)", flush=True)
        time.sleep(seconds / parts)
    print("[100 %] Ready", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("DEMO_SECONDS", "8")))
    arguments = parser.parse_args()
    prepare(arguments.seconds)
    ThreadingHTTPServer(("127.0.0.1", arguments.port), Page).serve_forever()
