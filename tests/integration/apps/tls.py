"""An application that speaks HTTPS: ``tls.py PORT CERTIFICATE``; answers "secure" to every GET."""

from __future__ import annotations

import http.server
import ssl
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    """One answer."""

    def do_GET(self) -> None:
        """Called by the server."""
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"secure")


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
