"""Listens after some seconds; without the file that it needs it writes an error in colours and ends."""

from __future__ import annotations

import argparse
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGE = b"<!doctype html><html lang=en><title>The application</title><h1>The application</h1></html>"


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--needs", type=Path)
    parser.add_argument("--token")
    arguments = parser.parse_args()
    print("\x1b[1mpreparing\x1b[0m <b>everything</b>", flush=True)
    if arguments.needs is not None and not arguments.needs.exists():
        print(f"\x1b[31merror: {arguments.needs.name} is not there\x1b[0m", file=sys.stderr)
        sys.exit(3)
    steps = 10
    for step in range(steps):
        print(f"step {step + 1} of {steps}", flush=True)
        time.sleep(arguments.seconds / steps)
    ThreadingHTTPServer(("127.0.0.1", arguments.port), Page).serve_forever()
