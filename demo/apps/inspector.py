"""Shows a request as an application behind the proxy gets it, and counts the bytes of an upload while they arrive."""

from __future__ import annotations

import argparse
import asyncio
import html
import os
import re
import time
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_unix_socket
from tornado.web import Application, RequestHandler, stream_request_body

PAGE = Path(__file__).with_name("inspector.html").read_text()
SECRET = {"authorization", "cookie"}


def row(name: str, value: str) -> str:
    shown = "(hidden)" if name.lower() in SECRET else value
    return f"<tr><th>{html.escape(name)}</th><td>{html.escape(shown)}</td></tr>"


class Inspect(RequestHandler):
    def get(self, _path: str) -> None:
        fields = "".join(row(name, value) for name, value in self.request.headers.get_all())
        target = re.sub(r"([?&]token=)[^&]+", r"\1(hidden)", self.request.uri or "")
        start = html.escape(f"{self.request.method} {target} {self.request.version}")
        # The page is shown for every path: what it links to is relative to where Jupyter has put this application.
        prefix = html.escape(self.request.headers.get("X-Forwarded-Prefix", "").rstrip("/"))
        self.finish(PAGE.replace("PREFIX", prefix).replace("START-LINE", start).replace("FIELDS", fields))


@stream_request_body
class Upload(RequestHandler):
    def prepare(self) -> None:
        self.request.connection.set_max_body_size(1 << 40)
        self.began = time.monotonic()
        self.pieces = self.bytes = 0

    def data_received(self, chunk: bytes) -> None:
        self.pieces += 1
        self.bytes += len(chunk)

    def put(self) -> None:
        seconds = time.monotonic() - self.began
        self.finish({"bytes": self.bytes, "pieces": self.pieces, "seconds": round(seconds, 3)})


class Count(RequestHandler):
    async def get(self) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        for number in range(1, 11):
            self.write(f"{number}\n")
            await self.flush()
            await asyncio.sleep(0.5)


async def main(path: str) -> None:
    application = Application([("/upload", Upload), ("/count", Count), ("/(.*)", Inspect)])
    server = HTTPServer(application)
    server.add_socket(bind_unix_socket(path, mode=0o600))
    print(f"inspector listens on {os.path.basename(path)}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unix-socket", required=True)
    asyncio.run(main(parser.parse_args().unix_socket))
