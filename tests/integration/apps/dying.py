"""An application that dies while it answers: ``dying.py PORT MARKER``.

The first process closes the connection of ``/die`` without an answer, and ends a moment later, as a process does that
was killed while its threads still run. A later one finds the marker and answers.
"""

from __future__ import annotations

import http.server
import os
import sys
import threading
from pathlib import Path


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the number of its process."""

    # Head and body in one write: the process may end at any time, and half of an answer is not what is tested here.
    wbufsize = -1

    def do_GET(self) -> None:
        """Called by the server."""
        marker = Path(sys.argv[2])
        if self.path == "/die" and not marker.exists():
            marker.touch()
            threading.Timer(0.15, os._exit, [1]).start()
            self.close_connection = True
            return
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
