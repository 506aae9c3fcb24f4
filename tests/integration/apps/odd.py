"""What the echo application cannot do, with nothing but the standard library.

Arguments: <mode> <port or socket path>. A mode ``gzip`` answers HTTP with a gzip'ed body; ``lines`` is no HTTP at all:
it answers each piece of bytes with the same bytes in upper case.
"""

from __future__ import annotations

import gzip
import http.server
import os
import socketserver
import sys


class Gzip(http.server.BaseHTTPRequestHandler):
    """Compresses whatever the client accepts."""

    def do_GET(self) -> None:
        body = gzip.compress(b"plain inside")
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Lines(socketserver.BaseRequestHandler):
    """Shouts back."""

    def handle(self) -> None:
        while piece := self.request.recv(65536):
            self.request.sendall(piece.upper())


def main() -> None:
    """Serve until somebody ends us."""
    mode, where = sys.argv[1:]
    if mode == "gzip":
        http.server.ThreadingHTTPServer(("127.0.0.1", int(where)), Gzip).serve_forever()
    elif where.isdigit():
        socketserver.ThreadingTCPServer(("127.0.0.1", int(where)), Lines).serve_forever()
    else:
        if os.path.exists(where):
            os.unlink(where)
        socketserver.ThreadingUnixStreamServer(where, Lines).serve_forever()


if __name__ == "__main__":
    main()
